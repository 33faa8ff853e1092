/** What becomes of a robot whose trial ended before its time. */
import { describe, expect, it } from "vitest";
import type { ServoClient } from "../../runtime/servo/api.js";
import type { Daemon } from "../daemon/daemon.js";
import { leadOutOfFault } from "./trial.js";

/** Two robots in these states; `asked` tells what was asked of them. */
function cell(states: Readonly<Record<string, string>>, enables = true) {
  const asked: string[] = [];
  const answer = (what: string, success: boolean) => () => {
    asked.push(what);
    return Promise.resolve({ success, message: success ? "done" : "the hand is too hot" });
  };
  const daemon = {
    servo: (robot: string) => ({ latest: () => ({ state: states[robot] }) }) as unknown as ServoClient,
    supervisor: { reset: answer("reset", true), enable: answer("enable", enables) },
  } as unknown as Pick<Daemon, "servo" | "supervisor">;
  return { asked, run: () => leadOutOfFault(daemon, Object.keys(states)) };
}

describe("after a trial that ended before its time", () => {
  it("leads a faulted device out of it", async () => {
    const { asked, run } = cell({ arm: "holding", hand: "faulted" });
    await run();
    expect(asked).toEqual(["reset", "enable"]);
  });

  it.each([
    ["somebody has stopped it", { hand: "stopped" }],
    ["somebody has stopped one of them", { arm: "stopped", hand: "faulted" }],
    ["nothing is the matter with it", { hand: "holding" }],
  ])("asks nothing where %s", async (_, states) => {
    const { asked, run } = cell(states);
    await run();
    expect(asked).toEqual([]);
  });

  it("ends the trials where it cannot be enabled, and says why", async () => {
    await expect(cell({ hand: "faulted" }, false).run()).rejects.toThrow(/the hand is too hot/);
  });
});
