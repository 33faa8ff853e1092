import { describe, expect, it } from "vitest";
import { conjugate, multiplyQuat, type Pose, quatFromRpy } from "../../kinematics/pose.js";
import { planPick } from "../../lab/experts/pickCube.js";
import { planReach } from "../../lab/experts/reachBlock.js";
import { errorTo, HAND_REST, type HandFrame, type OperatorStyle, ScriptedOperator } from "./operator.js";
import { minus, plus, quatOfVector, rotationVector, scaled } from "./stroke.js";

const FRAME_S = 1 / 72;
const DOWN = [1, 0, 0, 0] as const;

/** An arm that follows a clutched hand with a lag, no faster than teleoperation allows. */
class FollowingArm {
  tool: Pose;
  state: "ready" | "engaged" | "latched" = "ready";
  #anchor: { hand: Pose; tool: Pose } | undefined;
  static readonly LAG_S = 0.08;
  static readonly SPEED_M_PER_S = 0.4;

  constructor(tool: Pose) {
    this.tool = tool;
  }

  take({ hand, clutch }: HandFrame): void {
    if (clutch < 0.6) {
      this.state = "ready";
      this.#anchor = undefined;
    } else if (clutch > 0.8 && this.state === "ready") {
      this.state = "engaged";
      this.#anchor = { hand, tool: this.tool };
    }
    if (this.state !== "engaged" || this.#anchor === undefined) return;
    const { hand: hand0, tool: tool0 } = this.#anchor;
    const wantedM = plus(tool0.positionM, minus(hand.positionM, hand0.positionM));
    const turn = multiplyQuat(hand.quatXyzw, conjugate(hand0.quatXyzw));
    const wanted = multiplyQuat(turn, tool0.quatXyzw);
    const share = FRAME_S / FollowingArm.LAG_S;
    const stepM = scaled(minus(wantedM, this.tool.positionM), share);
    const cut = Math.min(1, (FollowingArm.SPEED_M_PER_S * FRAME_S) / Math.max(1e-9, Math.hypot(...stepM)));
    const turnRad = rotationVector(multiplyQuat(wanted, conjugate(this.tool.quatXyzw)));
    this.tool = {
      positionM: plus(this.tool.positionM, scaled(stepM, cut)),
      quatXyzw: multiplyQuat(quatOfVector(scaled(turnRad, share)), this.tool.quatXyzw),
    };
  }
}

const START: Pose = {
  positionM: [0.5, 0.03, 0.46],
  quatXyzw: multiplyQuat(quatFromRpy(0.04, -0.03, 0.05), DOWN),
};
const SCENE = { cubeM: [0.35, -0.15, 0.02], cubeYawRad: 0.5, othersM: [] } as const;

interface Run {
  readonly operator: ScriptedOperator;
  readonly frames: HandFrame[];
  readonly tools: Pose[];
  readonly phases: string[];
  readonly seconds: number;
}

function run(
  goals: ConstructorParameters<typeof ScriptedOperator>[0],
  seed: number,
  style: Partial<OperatorStyle> = {},
  disturb: (arm: FollowingArm, frame: number) => void = () => {},
): Run {
  const arm = new FollowingArm(START);
  const operator = new ScriptedOperator(goals, seed, style);
  const frames: HandFrame[] = [];
  const tools: Pose[] = [];
  const phases: string[] = [];
  let frame = 0;
  for (; !operator.isDone && frame < 72 * 60; frame++) {
    const hand = operator.frame(frame * FRAME_S, arm);
    arm.take(hand);
    disturb(arm, frame);
    frames.push(hand);
    tools.push(arm.tool);
    phases.push(operator.phase);
  }
  return { operator, frames, tools, phases, seconds: frame * FRAME_S };
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
const SEEDS = Array.from({ length: 30 }, (_, seed) => seed);

describe("scripted operator", () => {
  it("brings the tool to the block and rests there, whoever it is", () => {
    for (const seed of SEEDS) {
      const goals = planReach([0.6, 0.18, 0.02]);
      const { operator, tools, frames, seconds } = run(goals, seed);
      expect(operator.failure).toBeUndefined();
      expect(operator.isDone).toBe(true);
      const { distanceM, angleRad } = errorTo(goals[0]!, tools.at(-1)!);
      expect(distanceM).toBeLessThan(0.016);
      expect(angleRad).toBeLessThan(0.13);
      expect(seconds).toBeLessThan(25);
      expect(frames.at(-1)!.clutch).toBe(0);
    }
  });

  it("moves the hand at a person's speed, without a jerk, and never past its reach", () => {
    for (const seed of SEEDS) {
      const { frames } = run(planReach([0.3, -0.18, 0.02]), seed, { reachM: 0.25 });
      for (let i = 2; i < frames.length; i++) {
        const [a, b, c] = [frames[i - 2]!, frames[i - 1]!, frames[i]!].map(({ hand }) => hand.positionM);
        const velocity = scaled(minus(c!, b!), 1 / FRAME_S);
        const acceleration = scaled(minus(plus(c!, a!), scaled(b!, 2)), 1 / FRAME_S ** 2);
        expect(Math.hypot(...velocity)).toBeLessThan(0.6);
        // Tremor alone is about 4 m/s² at its worst: (2 pi 12 Hz)² times its amplitude.
        expect(Math.hypot(...acceleration)).toBeLessThan(8);
        expect(Math.hypot(...minus(c!, HAND_REST.positionM))).toBeLessThan(0.25 * 1.03);
      }
    }
  });

  it("puts the hand back with the clutch open when its reach is exhausted, and goes on", () => {
    for (const seed of SEEDS) {
      const { operator, frames } = run(planReach([0.6, 0.18, 0.02]), seed, { reachM: 0.2 });
      expect(operator.reclutches).toBeGreaterThan(0);
      expect(operator.failure).toBeUndefined();
      const presses = frames.filter(
        ({ clutch }, i) => clutch >= 0.8 && (frames[i - 1]?.clutch ?? 0) < 0.8,
      ).length;
      expect(presses).toBe(operator.reclutches + 1);
    }
  });

  it("strays from its way in every direction and in how the tool is turned, so that the way back is shown", () => {
    // Where no step of the way would be needed any more: what is left there is the straying.
    const goals = planReach([0.6, 0.18, 0.02]);
    const strays = SEEDS.map((seed) => {
      const { tools } = run(goals, seed);
      const errors = tools
        .map((tool) => errorTo(goals[0]!, tool))
        .filter(({ distanceM }) => distanceM < 0.02);
      const spread = (values: number[]) => Math.max(...values) - Math.min(...values);
      return {
        offM: [0, 1, 2].map((axis) => spread(errors.map(({ offM }) => offM[axis as 0 | 1 | 2]))),
        turnRad: [0, 1, 2].map((axis) => spread(errors.map(({ turnRad }) => turnRad[axis as 0 | 1 | 2]))),
      };
    });
    for (const axis of [0, 1, 2]) {
      expect(median(strays.map(({ offM }) => offM[axis]!))).toBeGreaterThan(0.006);
      expect(median(strays.map(({ turnRad }) => turnRad[axis]!))).toBeGreaterThan(0.02);
    }
  });

  it("never holds a hand quite still, as no tracker sees one", () => {
    const { frames } = run(planReach([0.6, 0.18, 0.02]), 1);
    for (let i = 1; i < frames.length; i++)
      expect(frames[i]!.hand.positionM).not.toEqual(frames[i - 1]!.hand.positionM);
  });

  it("picks: above, down, fingers closed only there and kept closed, up, held", () => {
    for (const seed of SEEDS) {
      const goals = planPick(SCENE);
      const { operator, frames, tools, phases } = run(goals, seed);
      expect(operator.failure).toBeUndefined();
      expect([...new Set(phases)]).toEqual(["above", "descend", "close", "lift", "hold"]);
      frames.forEach(({ gripper }, i) => {
        if (phases[i] === "above" || phases[i] === "descend") expect(gripper).toBe(0);
        if (phases[i] === "lift" || phases[i] === "hold") expect(gripper).toBe(1);
      });
      const closing = tools[phases.indexOf("close")]!;
      const grasp = errorTo(goals[1]!, closing);
      expect(grasp.distanceM).toBeLessThan(0.0065);
      expect(grasp.angleRad).toBeLessThan(0.1);
      expect(tools.at(-1)!.positionM[2] - closing.positionM[2]).toBeGreaterThan(0.11);
    }
  });

  it("lets go after a latch, and takes the arm again", () => {
    let latched = false;
    const { operator, frames } = run(planReach([0.6, 0.18, 0.02]), 4, {}, (arm, frame) => {
      if (frame === 150) {
        arm.state = "latched";
        latched = true;
      }
    });
    expect(latched).toBe(true);
    expect(operator.failure).toBeUndefined();
    expect(Math.min(...frames.slice(150, 200).map(({ clutch }) => clutch))).toBe(0);
  });

  it("gives up, with the clutch open, when the arm never follows", () => {
    const { operator, frames, seconds } = run(planReach([0.6, 0.18, 0.02]), 4, {}, (arm) => {
      if (arm.state === "engaged") arm.state = "latched";
    });
    expect(operator.failure).toContain("did not follow");
    expect(frames.at(-1)!.clutch).toBe(0);
    expect(seconds).toBeLessThan(20);
  });

  it("is the same person for the same seed", () => {
    const goals = planReach([0.6, 0.18, 0.02]);
    expect(run(goals, 9).frames).toEqual(run(goals, 9).frames);
    expect(run(goals, 9).frames).not.toEqual(run(goals, 10).frames);
  });
});
