/** The vendor's controller asked through the real JSON link, against the emulated robot in simulated time. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sleepMs } from "../../core/clock.js";
import { createCommand } from "../../drivers/digit/protocol/index.js";
import { IdealBody } from "../../lab/digit/idealBody.js";
import { SimulatedDigit } from "./simulatedDigit.js";
import { runVendorAction, type VendorMoment, type VendorPlan } from "./vendorAction.js";

const FORWARD = { forwardMPerS: 0.25, leftMPerS: 0, yawRateRadPerS: 0 };
const command = createCommand();
let commands: boolean;
let digit: SimulatedDigit;
let moments: VendorMoment[];
beforeEach(() => {
  digit = new SimulatedDigit({ body: new IdealBody() });
  moments = [];
  commands = false;
});
afterEach(() => digit.close());

const robot = () => digit.emulator.robot;
const run = async (ms: number) => {
  for (let passed = 0; passed < ms; passed++) {
    if (commands) digit.udp.send(command);
    await digit.tick();
  }
};
const afterASecond = (happen: () => void) => void sleepMs(digit.clock, 1000).then(happen);
async function asked(plan: VendorPlan, signal = new AbortController().signal, msMax = 20_000) {
  let isOver = false;
  const end = () => {
    isOver = true;
  };
  const result = runVendorAction(digit, plan, (moment) => moments.push(moment), signal);
  result.then(end, end);
  for (let passed = 0; passed < msMax && !isOver; passed++) await run(1);
  return result;
}

describe("the vendor's controller", () => {
  it("walks as it was told, comes to a stand, and is nobody's afterwards", async () => {
    const result = await asked({ velocity: FORWARD, seconds: 3 });
    expect(result).toMatchObject({ asked: "move", endedBecause: "time is over", notGivenBack: "" });
    expect(moments.at(-1)!.atS).toBeCloseTo(3, 2);
    expect(moments.every(({ mode }) => mode === "locomotion")).toBe(true);
    await run(2000);
    const [x, y] = robot().body.truth.positionWorldM;
    // Half a second until it is that fast, and as long until it stands: as far as 3 s at full speed.
    expect(x).toBeGreaterThan(0.7);
    expect(x).toBeLessThan(0.8);
    expect(y).toBeCloseTo(0, 9);
    expect(robot().isWalking).toBe(false);
    expect(digit.emulator.json.isHeld).toBe(false);
    expect([...robot().body.truth.linearVelocityWorldMPerS]).toEqual([0, 0, 0]);
  });

  it("stands when it is asked to, and when it is interrupted", async () => {
    await expect(asked({ seconds: 1 })).resolves.toMatchObject({ asked: "stand", lastedS: 1 });
    const interrupt = new AbortController();
    const walk = asked({ velocity: FORWARD, seconds: 30 }, interrupt.signal);
    afterASecond(() => interrupt.abort());
    await expect(walk).resolves.toMatchObject({ endedBecause: "it was interrupted" });
    await run(1500);
    expect(robot().isWalking).toBe(false);
  });

  it.each([
    ["low-level-api", /Another program drives/],
    ["damping", /does not stand: the robot's mode is damping/],
  ] as const)("is not asked in mode %s", async (mode, text) => {
    // Somebody's low-level commands keep coming.
    await digit.udp.open(new AbortController().signal);
    commands = true;
    await run(20);
    robot().force(mode, "other");
    await expect(asked({ velocity: FORWARD, seconds: 1 })).rejects.toThrow(text);
    expect(digit.emulator.json.isHeld).toBe(false);
  });

  it("is told of as lost when another client takes it, and stands then", async () => {
    afterASecond(() => digit.emulator.inject({ privilegeIsTaken: {} }));
    await expect(asked({ velocity: FORWARD, seconds: 10 })).rejects.toThrow(
      /not ours to ask any more: another client/,
    );
    await run(1500);
    expect(robot().isWalking).toBe(false);
  });

  it("is refused what it cannot do", async () => {
    const { body } = robot();
    Object.defineProperty(body, "isOnLevelGround", { value: false });
    await expect(asked({ velocity: FORWARD, seconds: 1 })).rejects.toThrow(/walks on level ground only/);
  });
});
