import { beforeEach, describe, expect, it } from "vitest";
import type { VelocityCommand } from "../../core/floatingBase.js";
import { SimClock } from "../../core/simClock.js";
import type { CommandRule } from "../../policies/history/manifest.js";
import type { PolicyStatus } from "../../runtime/policy/host.js";
import { SteeringDesk } from "./steeringDesk.js";

const COMMAND: CommandRule = {
  cutoff: { forwardMPerS: 0.1, leftMPerS: 0.1, yawRateRadPerS: 0.26 },
  range: { forwardMPerS: [-0.3, 1], leftMPerS: [-0.3, 0.3], yawRateRadPerS: [-1, 1] },
  staleMs: 500,
};
const asked = (forwardMPerS: number, leftMPerS = 0, yawRateRadPerS = 0): VelocityCommand => ({
  forwardMPerS,
  leftMPerS,
  yawRateRadPerS,
});

let clock: SimClock;
let desk: SteeringDesk;
let given: number[];
let policy: { phase: PolicyStatus["phase"]; command: CommandRule | null } | undefined;

beforeEach(() => {
  clock = new SimClock();
  given = [];
  policy = { phase: "running", command: COMMAND };
  desk = new SteeringDesk({
    clock,
    robots: ["digit"],
    policy: () =>
      policy && {
        status: () =>
          ({ phase: policy!.phase, bundle: { policy: "walk", command: policy!.command } }) as PolicyStatus,
        setVelocity: ({ forwardMPerS }) => void given.push(forwardMPerS),
      },
  });
});
const hand = (isHeld: boolean, velocity: VelocityCommand, robot = "digit") =>
  desk.takeHand({ robot, client: "console laptop", isHeld, velocity });

describe("who steers a walking robot", () => {
  it("is whoever says so over ROS, until that is old", async () => {
    expect(desk.takeTopic("digit", asked(0.5))).toBeUndefined();
    expect(given).toEqual([0.5]);
    expect(desk.status()).toMatchObject({ robot: "digit", by: "ROS", given: asked(0.5), ...rule() });
    await clock.advance(501);
    expect(desk.status()).toMatchObject({ by: "", given: asked(0) });
  });

  it("is a hand on the console first, and ROS again once it has let go or is lost", async () => {
    hand(true, asked(0.2));
    expect(desk.takeTopic("digit", asked(1))).toBe("console laptop steers by hand");
    expect(desk.status()?.by).toBe("console laptop");
    hand(false, asked(0));
    expect(given).toEqual([0.2, 0]);
    expect(desk.takeTopic("digit", asked(0.4))).toBeUndefined();
    hand(true, asked(0.3));
    await clock.advance(501);
    expect(desk.takeTopic("digit", asked(0.4))).toBeUndefined();
  });

  it("is told what the policy is given: within its range, and nothing below its cut-offs", () => {
    hand(true, asked(5, 0.09, -0.25));
    expect(desk.status()?.given).toEqual(asked(1));
    hand(true, asked(-5, 0.1, -0.26));
    expect(desk.status()?.given).toEqual(asked(-0.3, 0.1, -0.26));
  });

  it.each<[string, () => void, RegExp]>([
    ["no policy is loaded", () => (policy = undefined), /no policy that moves digit/],
    ["its policy does not run", () => (policy!.phase = "ready"), /policy walk is ready/],
    ["its policy takes no velocity", () => (policy!.command = null), /takes no velocity/],
  ])("is nobody while %s", (_, makeSo, why) => {
    makeSo();
    expect(desk.takeTopic("digit", asked(0.5))).toMatch(why);
    hand(true, asked(0.5));
    expect(given).toEqual([]);
    policy = { phase: "running", command: COMMAND };
    expect(desk.status()?.by).toBe("");
    expect(desk.takeTopic("other", asked(0.5))).toMatch(/moves other/);
  });
});

const rule = () => ({ cutoff: COMMAND.cutoff, range: COMMAND.range });
