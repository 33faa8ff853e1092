/** The bus on real terminals: ports, plugs and locks as the kernel and `serialport` have them. */
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { CerebellumError } from "../../core/errors.js";
import { systemClock } from "../../launch/systemClock.js";
import { openPty, type Pty } from "../../test/support/ptyPair.js";
import type { CanBus } from "./bus.js";
import type { CanFrame } from "./frame.js";
import { openSerialLine } from "./serialLine.js";
import { slcanText } from "./slcan.js";
import { openSlcanBus } from "./slcanBus.js";

const OPENING = "\r\rC\rS8\rO\r";
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const pose = (id: number, first = 1): CanFrame => ({
  id,
  isExtended: false,
  isRemote: false,
  length: 8,
  data: Uint8Array.of(first, 2, 3, 4, 5, 6, 7, 8),
});

async function plug(): Promise<Pty> {
  const pty = await openPty();
  closers.push(() => pty.close());
  return pty;
}

class Heard {
  readonly frames: string[] = [];
  readonly states: string[] = [];

  onFrame(frame: CanFrame): void {
    this.frames.push(slcanText(frame));
  }

  onState(state: string, why: string): void {
    this.states.push(why === "" ? state : `${state}: ${why}`);
  }
}

async function openBus(path: string, heard = new Heard()): Promise<CanBus> {
  const open = openSlcanBus({ path, baudRate: 1_000_000, bitrate: 1_000_000, clock: systemClock });
  const bus = await open(heard, new AbortController().signal);
  closers.push(() => bus.close());
  return bus;
}

async function until(what: string, isTrue: () => boolean): Promise<void> {
  for (let turn = 0; !isTrue(); turn++) {
    if (turn > 4000) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe("a bus on a terminal", () => {
  it("opens the channel, sends, and hears frames that come in pieces", async () => {
    const pty = await plug();
    const heard = new Heard();
    const bus = await openBus(pty.path, heard);
    await pty.until(OPENING);
    pty.forget();
    expect(bus.write([pose(0x180), pose(0x184)])).toBe(true);
    await pty.until(slcanText(pose(0x180)) + slcanText(pose(0x184)));
    const text = slcanText(pose(0x080));
    pty.write(text.slice(0, 9));
    await new Promise((resolve) => setTimeout(resolve, 30));
    pty.write(`${text.slice(9)}\x07z\r${text}`);
    await until("two frames", () => heard.frames.length === 2);
    expect(heard.frames).toEqual([text, text]);
  });

  it("asked for what has come, reads it without a turn of the event loop, and goes on by events", async () => {
    const pty = await plug();
    const heard = new Heard();
    const bus = await openBus(pty.path, heard);
    await pty.until(OPENING);
    bus.readNow();
    expect(heard.frames).toEqual([]);
    const text = slcanText(pose(0x080));
    pty.write(text);
    // Nothing else runs in this process meanwhile.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
    bus.readNow();
    expect(heard.frames).toEqual([text]);
    pty.write(text);
    await until("the second frame", () => heard.frames.length === 2);
  });

  it("a frame resumes who waits for it at once, with nothing else going on", async () => {
    const pty = await plug();
    let resume = () => {};
    const waited = new Promise<void>((resolve) => {
      resume = resolve;
    });
    const line = await openSerialLine(pty.path, 1_000_000, { onBytes: () => resume(), onLost: () => {} });
    closers.push(() => line.close());
    pty.write("z\r");
    await waited;
  });

  it("what a listener throws is an uncaught exception like others, not the end on the spot", async () => {
    const pty = await plug();
    const thrown = new Promise<unknown>((resolve) => {
      const others = process.listeners("uncaughtException");
      process.removeAllListeners("uncaughtException");
      process.once("uncaughtException", (error) => {
        for (const other of others) process.on("uncaughtException", other);
        resolve(error);
      });
    });
    const line = await openSerialLine(pty.path, 1_000_000, {
      onBytes: () => {
        throw new Error("a defect of the listener");
      },
      onLost: () => {},
    });
    closers.push(() => line.close());
    pty.write("z\r");
    expect(String(await thrown)).toContain("a defect of the listener");
  });

  it("ten thousand frames come whole and in order", async () => {
    const pty = await plug();
    const heard = new Heard();
    const bus = await openBus(pty.path, heard);
    const expected = Array.from({ length: 10_000 }, (_, count) =>
      slcanText(pose(0x080 + (count & 3), count & 255)),
    );
    for (let from = 0; from < expected.length; from += 100)
      pty.write(expected.slice(from, from + 100).join(""));
    await until("all frames", () => heard.frames.length >= expected.length);
    expect(heard.frames).toEqual(expected);
    expect(bus.statistics()).toMatchObject({ framesReceived: 10_000, bytesDiscarded: 0 });
  });

  it("an adapter that hangs costs pieces, never memory, and is given up after a second", async () => {
    const pty = await plug();
    const heard = new Heard();
    const bus = await openBus(pty.path, heard);
    await pty.until(OPENING);
    await pty.pause();
    pty.forget();
    let written = 0;
    await until("lost", () => {
      // More than the line carries, so that the kernel's buffer fills soon.
      if (bus.write(Array.from({ length: 32 }, () => pose(0x180)))) written += 32;
      return bus.state === "lost";
    });
    expect(heard.states[0]).toMatch(/takes nothing/);
    // The kernel keeps at most some kilobytes; beyond that everything was dropped and counted.
    expect(written * slcanText(pose(0x180)).length).toBeLessThan(100_000);
    expect(bus.statistics().framesDropped).toBeGreaterThan(32);
    await pty.resume();
    await until("up", () => bus.state === "up");
    expect(bus.statistics().reconnects).toBe(1);
  });

  it("an unplugged adapter is noticed, and used again when it is back at its path", async () => {
    const pty = await plug();
    const heard = new Heard();
    const bus = await openBus(pty.path, heard);
    await pty.until(OPENING);
    for (let round = 1; round <= 3; round++) {
      await pty.unplug();
      await until("lost", () => bus.state === "lost");
      expect(bus.write([pose(0x180)])).toBe(false);
      pty.forget();
      await pty.replug();
      await until("up", () => bus.state === "up");
      await pty.until(OPENING);
      expect(bus.statistics().reconnects).toBe(round);
      pty.write(slcanText(pose(0x084, round)));
      await until("a frame", () => heard.frames.length === round);
      expect(bus.write([pose(0x180, round)])).toBe(true);
      await pty.until(slcanText(pose(0x180, round)));
    }
    expect(heard.states.filter((state) => state.startsWith("lost: the adapter is gone"))).toHaveLength(3);
  });

  it("closing lets the last frames out, closes the channel and frees the port", async () => {
    const pty = await plug();
    const bus = await openBus(pty.path);
    await pty.until(OPENING);
    pty.forget();
    bus.write([pose(0x180)]);
    await bus.close();
    await pty.until(`${slcanText(pose(0x180))}C\r`);
    await (await openBus(pty.path)).close();
  });
});

describe("no bus to be had", () => {
  async function failure(path: string): Promise<CerebellumError> {
    const thrown: unknown = await openBus(path).catch((error: unknown) => error);
    if (!(thrown instanceof CerebellumError)) throw new Error(`no error of ours: ${thrown}`);
    return thrown;
  }

  function makeFolder(): string {
    const folder = mkdtempSync(join(tmpdir(), "cerebellum-can-"));
    closers.push(() => rmSync(folder, { recursive: true, force: true }));
    return folder;
  }

  it("nothing at the path: what was found instead is told", async () => {
    for (const path of ["/dev/no-such-adapter", "/dev/null/adapter"]) {
      const error = await failure(path);
      expect(error.code).toBe("DEVICE_UNREACHABLE");
      expect(error.message).toContain(`there is no ${path}; serial ports found:`);
    }
  });

  it("a path that leads nowhere any more is the same", async () => {
    const link = join(makeFolder(), "adapter");
    symlinkSync("/dev/no-such-adapter", link);
    expect((await failure(link)).message).toContain("there is no");
  });

  it("a file, a folder or another device is no serial device", async () => {
    const folder = makeFolder();
    const file = join(folder, "adapter");
    writeFileSync(file, "");
    for (const [path, kind] of [
      [file, "a file of another kind"],
      [folder, "a folder"],
      ["/dev/null", "a device of another kind"],
    ] as const) {
      const error = await failure(path);
      expect(error.code).toBe("CONFIG_INVALID");
      expect(error.message).toContain(`${path} is ${kind}, not a serial device`);
    }
  });

  it("a device that this user may not open: the group is named", async () => {
    const pty = await plug();
    chmodSync(dirname(pty.path), 0o755);
    chmodSync(pty.path, 0);
    // Root may open everything, so it is somebody else for a moment.
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(65_534);
    const error = await failure(pty.path).finally(() => isRoot && process.seteuid?.(0));
    expect(error.code).toBe("DEVICE_UNREACHABLE");
    expect(error.happened).toContain("may not open");
    expect(error.remedy).toContain("dialout");
  });

  it("a port that is in use, until its user is done", async () => {
    const pty = await plug();
    const first = await openBus(pty.path);
    const error = await failure(pty.path);
    expect(error.code).toBe("PORT_IN_USE");
    expect(error.remedy).toContain("fuser");
    expect(first.state).toBe("up");
    await first.close();
    await openBus(pty.path);
  });
});
