/** A short recording, and its repair, with the Nth call to the disk failing, N from 1 until none is left. */
import { describe, expect, it } from "vitest";
import { CerebellumError } from "../../core/errors.js";
import { SimClock } from "../../core/simClock.js";
import { MemoryDisk, type MemoryHooks, systemError } from "../../test/support/episodes/memoryIo.js";
import { recordStamped, settle } from "../../test/support/episodes/recordStamped.js";
import { STREAMS } from "../../test/support/episodes/stampedEpisode.js";
import { repairSet } from "../repair.js";
import { verifyEpisode } from "../verify.js";
import { surveyEpisode } from "./survey.js";

const SET = "/recordings/stamped";
const FINISHED = `${SET}/episode-000001`;
const ACTIVE = `${FINISHED}.active`;
const STEPS = 100;
const CODES = ["ENOSPC", "EIO", "EROFS"] as const;
const CALLS_MAX = 200;

const failing = (nth: number, forGood: boolean, code: string): MemoryHooks => ({
  before: (call, operation, path) => {
    // A close that fails has closed all the same.
    if (operation !== "close" && (call === nth || (forGood && call > nth))) {
      throw systemError(code, `${operation} ${path}`);
    }
  },
});

/** Messages in the part of the file that is synced. */
async function syncedMessages(disk: MemoryDisk): Promise<number> {
  const node = [...disk.nodes].find(([path]) => path.endsWith(".mcap"))?.[1];
  if (node === undefined || !("synced" in node)) return 0;
  const copy = new MemoryDisk("/copy");
  copy.put("/copy/file", node.synced);
  const handle = await copy.io().open("/copy/file", "read");
  const { channels } = await surveyEpisode(handle, node.synced.length);
  return [...channels.values()].reduce((sum, { count }) => sum + count, 0);
}

async function judge(disk: MemoryDisk, synced: number, what: string): Promise<number> {
  if (!disk.nodes.has(FINISHED)) {
    const clock = new SimClock();
    const reports = await repairSet(SET, { clock, io: disk.io() }).catch((cause: unknown) => {
      if (!disk.nodes.has(SET)) return [];
      throw cause;
    });
    for (const { result, trouble } of reports)
      expect(["repaired", "finished", "emptyRemoved", "setAside"], `${what}: ${trouble}`).toContain(result);
    if (synced > 0) expect(disk.nodes.has(FINISHED), what).toBe(true);
    if (!disk.nodes.has(FINISHED)) return 0;
  }
  const { whole, troubles, messages } = await verifyEpisode(FINISHED, disk.io());
  expect(troubles, what).toEqual([]);
  expect(whole).toBe(true);
  expect(messages, what).toBeGreaterThanOrEqual(synced);
  return messages;
}

describe("a disk that fails", () => {
  for (const forGood of [false, true])
    it(`at any call of a recording ${forGood ? "for good" : "once"} costs no more than what was not synced`, async () => {
      let nth = 1;
      for (let isLast = false; !isLast; nth++) {
        const code = CODES[nth % CODES.length]!;
        const disk = new MemoryDisk("/recordings");
        const { thrown, taken } = await recordStamped(SET, 1, disk.io(failing(nth, forGood, code)), {
          steps: STEPS,
        });
        isLast = disk.calls < nth;
        const what = `call ${nth} answers ${code}`;
        if (thrown !== undefined) {
          expect(thrown, what).toBeInstanceOf(CerebellumError);
          expect((thrown as CerebellumError).code).toBe("RECORDING_FAILED");
          expect((thrown as CerebellumError).message).toContain(code);
        } else if (!isLast) {
          // Only a call that nothing depends on may fail without a word.
          expect(disk.nodes.has(FINISHED), what).toBe(true);
        }
        await settle();
        const messages = await judge(disk, await syncedMessages(disk), what);
        if (isLast) expect(messages).toBe(taken.reduce((sum, count) => sum + count, 0));
      }
      expect(nth).toBeGreaterThan(20);
      expect(nth).toBeLessThan(CALLS_MAX);
    });

  it("takes writes in pieces of any size", async () => {
    const disk = new MemoryDisk("/recordings");
    let piece = 0;
    const io = disk.io({ taken: (bytes) => Math.min(bytes, 1 + ((piece += 7919) % 1000)) });
    const { thrown, taken } = await recordStamped(SET, 1, io, { steps: STEPS });
    expect(thrown).toBeUndefined();
    expect(taken).toEqual(STREAMS.map(() => STEPS));
    expect(await judge(disk, 0, "short writes")).toBe(STREAMS.length * STEPS);
  });

  it("loses at most what was not synced to a power cut at any call, and repair itself may be cut", async () => {
    let nth = 1;
    for (let isLast = false; !isLast; nth++) {
      const disk = new MemoryDisk("/recordings");
      const powerless = {
        before: (call: number) => {
          if (call >= nth) throw systemError("EIO", "no power");
        },
      };
      await recordStamped(SET, 1, disk.io(powerless), { steps: STEPS });
      isLast = disk.calls < nth;
      await settle();
      disk.powerCut((nth % 5) / 4);
      const synced = await syncedMessages(disk);
      for (let cut = 1; cut < 20; cut += 3) {
        const from = disk.calls;
        const again = {
          before: (call: number) => {
            if (call > from + cut) throw systemError("EIO", "no power");
          },
        };
        await repairSet(SET, { clock: new SimClock(), io: disk.io(again) }).catch(() => {});
        disk.powerCut((cut % 4) / 3);
      }
      await judge(disk, synced, `power cut at call ${nth}`);
    }
    expect(nth).toBeGreaterThan(20);
  });

  for (const forGood of [false, true])
    it(`at any call of a repair ${forGood ? "for good" : "once"} leaves a part that the next repair finishes`, async () => {
      const crashed = await crashedPart();
      for (let nth = 1, isLast = false; !isLast; nth++) {
        const disk = new MemoryDisk("/recordings");
        await disk.io().makeFolders(ACTIVE);
        disk.put(`${ACTIVE}/episode-000001.mcap`, crashed.bytes);
        disk.calls = 0;
        const reports = await repairSet(SET, {
          clock: new SimClock(),
          io: disk.io(failing(nth, forGood, "EIO")),
        }).catch(() => []);
        isLast = disk.calls < nth;
        const result = reports[0]?.result;
        if (result !== undefined) expect(["repaired", "failed"]).toContain(result);
        expect(await judge(disk, 0, `call ${nth} of the repair`)).toBe(crashed.messages);
      }
    });
});

/** A file that ends within a chunk, and how many messages come before that. */
async function crashedPart(): Promise<{ bytes: Buffer; messages: number }> {
  const disk = new MemoryDisk("/recordings");
  await recordStamped(SET, 1, disk.io(), { steps: STEPS, isStopped: (step) => step === 70 });
  const whole = disk.read(`${ACTIVE}/episode-000001.mcap`);
  const bytes = whole.subarray(0, whole.length - 500);
  const copy = new MemoryDisk("/copy");
  copy.put("/copy/file", bytes);
  const { channels } = await surveyEpisode(await copy.io().open("/copy/file", "read"), bytes.length);
  return { bytes, messages: [...channels.values()].reduce((sum, { count }) => sum + count, 0) };
}
