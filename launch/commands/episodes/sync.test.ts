import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { servoTickTopic } from "../../../episodes/messages.js";
import { TEST_START_NS, writeTestEpisode } from "../../../test/support/episodes/testEpisode.js";
import { declareEpisodes } from "./commands.js";

const recordings = mkdtempSync(join(tmpdir(), "episodes-sync-"));
afterAll(() => rmSync(recordings, { recursive: true, force: true }));
let printed = "";
beforeEach(() => {
  printed = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    printed += String(text);
    return true;
  });
});
afterEach(() => vi.restoreAllMocks());

const small = { task: "reach", seconds: 2, widthPx: 32, heightPx: 24 };

async function sync(...args: string[]): Promise<void> {
  const program = new Command().exitOverride();
  declareEpisodes(program);
  await program.parseAsync(["episodes", "--recordings", recordings, "sync", ...args], { from: "user" });
}

describe("episodes sync", () => {
  it("prints what is proven and the figures, and writes every step as JSON", async () => {
    await writeTestEpisode(join(recordings, "reach"), { ...small, number: 1 });
    const file = join(recordings, "sync.json");
    await sync("reach/1", "--json", file);
    expect(printed).toMatch(/reach\/episode-000001: 10 policy steps, 10 with a command/);
    expect(printed).toMatch(/10 of 10 commands: image time and interpolated state time within 1 ms\n/);
    expect(printed).toMatch(/image age at step +17\.00 +17\.00 +17\.00 +17\.00 ms/);
    expect(printed).toMatch(/latencyMs/);
    const report = JSON.parse(readFileSync(file, "utf8"));
    expect(report).toMatchObject({ within: 10, unproven: 0, tooOld: 0, withinMsMax: 1 });
    expect(report.steps).toHaveLength(10);
    expect(report.steps[3].image.capturedNs).toBe(String(TEST_START_NS + 600_000_000n));
    expect(report.steps[3].state.positionRad).toHaveLength(7);
  });

  it("fails when a command had no state on both sides of its image, after writing the JSON", async () => {
    await writeTestEpisode(join(recordings, "reach"), {
      ...small,
      number: 2,
      disturb: (message) =>
        message.topic === servoTickTopic("arm") && message.publishNs > TEST_START_NS + 1_000_000_000n
          ? undefined
          : message,
    });
    const file = join(recordings, "sync2.json");
    await expect(sync("reach/2", "--json", file)).rejects.toMatchObject({
      code: "CHECK_FAILED",
      happened: expect.stringMatching(
        /of 10 commands 5 have no image and state within 1 ms, and 4 used an older/,
      ),
    });
    expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({ unproven: 5, tooOld: 4 });
  });
});
