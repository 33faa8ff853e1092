/**
 * A judge of motion by the sent setpoints alone, and random lives of an arm for it to judge. It shares no code with what
 * it judges: forward kinematics from the Denavit-Hartenberg table, distances by sampling, speeds by finite differences.
 */
import fc from "fast-check";
import { expect } from "vitest";
import {
  TOOL_POINT_FLANGE_M,
  type Vector3,
  XARM7_HOME_RAD,
  XARM7_JOINT_NAMES,
  XARM7_JOINTS,
  XARM7_MODIFIED_DH,
} from "../../../kinematics/xarm7.js";
import {
  ARM_CAPSULES,
  GRIPPER_CAPSULES,
  pairsToCheck,
  xarm7Body,
} from "../../../kinematics/xarm7Collision.js";
import { ServoConfig } from "../../../runtime/servo/config.js";
import { type LimiterLimits, limitsInForce } from "../../../runtime/servo/limits.js";

export const PERIOD_S = 0.004;
export const JOINTS = 7;
const CAPSULES = [...ARM_CAPSULES, ...GRIPPER_CAPSULES];
const PAIRS = pairsToCheck(CAPSULES);
/** Points on the one segment of a pair; the other is met exactly. */
const SAMPLES = 8;
/** Shapes are sampled, so they are looked at every few ticks; every tick's differences are judged. */
const LOOK_EVERY_TICKS = 5;
/** More than any two radii and a margin together. */
const FAR_M = 0.2;

/** Beyond the declared limits: rounding, and what two looks at a way of braking can miss. */
const SHARE_TOLERANCE = 1e-3;
const JERK_TOLERANCE = 1e-2;
const POSITION_TOLERANCE_RAD = 2e-4;
const ZONE_TOLERANCE_M = 5e-4;
/** Half a milliradian for each 10 ms. */
const JUMP_TOLERANCE_RAD = (0.5e-3 * PERIOD_S) / 0.01;

const device = {
  jointNames: XARM7_JOINT_NAMES,
  positionMinRad: XARM7_JOINTS.map((joint) => joint.positionMinRad),
  positionMaxRad: XARM7_JOINTS.map((joint) => joint.positionMaxRad),
  velocityMaxRadPerS: Array<number>(JOINTS).fill(Math.PI),
  accelerationMaxRadPerS2: Array<number>(JOINTS).fill(20),
  jerkMaxRadPerS3: Array<number>(JOINTS).fill(500),
  toolSpeedMaxMPerS: 1,
};
const limitsOf = (velocity: number, acceleration: number, jerk: number, toolSpeedMaxMPerS: number) =>
  limitsInForce(
    device,
    ServoConfig.parse({
      velocityMaxRadPerS: Array(JOINTS).fill(velocity),
      accelerationMaxRadPerS2: Array(JOINTS).fill(acceleration),
      jerkMaxRadPerS3: Array(JOINTS).fill(jerk),
      toolSpeedMaxMPerS,
    }),
  );
export const PROFILES: Readonly<Record<string, LimiterLimits>> = {
  shipped: limitsInForce(device, ServoConfig.parse({})),
  fastest: limitsOf(Math.PI, 20, 500, 1),
  gentle: limitsOf(0.5, 1.5, 10, 0.15),
  sluggish: limitsOf(2, 2, 8, 0.5),
};

// The judge

/** Frames of base and links at joint angles, as rows of rotation and origin: Craig's modified convention. */
function framesAt(positionRad: ArrayLike<number>): { rotation: number[]; originM: number[] }[] {
  let rotation = [1, 0, 0, 0, 1, 0, 0, 0, 1];
  let originM = [0, 0, 0];
  const frames = [{ rotation, originM }];
  for (const [joint, { alphaRad, aM, dM }] of XARM7_MODIFIED_DH.entries()) {
    const [sa, ca] = [Math.sin(alphaRad), Math.cos(alphaRad)];
    const [st, ct] = [Math.sin(positionRad[joint]!), Math.cos(positionRad[joint]!)];
    const local = [ct, -st, 0, st * ca, ct * ca, -sa, st * sa, ct * sa, ca];
    const offset = [aM, -sa * dM, ca * dM];
    const r = rotation;
    const o = originM;
    originM = [0, 1, 2].map(
      (i) => o[i]! + r[3 * i]! * offset[0]! + r[3 * i + 1]! * offset[1]! + r[3 * i + 2]! * offset[2]!,
    );
    rotation = Array.from({ length: 9 }, (_, k) => {
      const [i, j] = [Math.floor(k / 3), k % 3];
      return r[3 * i]! * local[j]! + r[3 * i + 1]! * local[3 + j]! + r[3 * i + 2]! * local[6 + j]!;
    });
    frames.push({ rotation, originM });
  }
  return frames;
}

const place = ({ rotation: r, originM: o }: { rotation: number[]; originM: number[] }, p: Vector3) =>
  [0, 1, 2].map((i) => o[i]! + r[3 * i]! * p[0] + r[3 * i + 1]! * p[1] + r[3 * i + 2]! * p[2]);

function sampledDistanceM(a: number[], b: number[], c: number[], d: number[]): number {
  const [vx, vy, vz] = [d[0]! - c[0]!, d[1]! - c[1]!, d[2]! - c[2]!];
  const length2 = vx * vx + vy * vy + vz * vz;
  const first = Math.hypot(a[0]! - c[0]!, a[1]! - c[1]!, a[2]! - c[2]!);
  const lengths = Math.sqrt(length2) + Math.hypot(b[0]! - a[0]!, b[1]! - a[1]!, b[2]! - a[2]!);
  // Two ends that are so far apart, and the segments cannot meet the margin.
  if (first - lengths > FAR_M) return first - lengths;
  let least2 = Number.POSITIVE_INFINITY;
  for (let sample = 0; sample <= SAMPLES; sample++) {
    const share = sample / SAMPLES;
    const x = a[0]! + share * (b[0]! - a[0]!) - c[0]!;
    const y = a[1]! + share * (b[1]! - a[1]!) - c[1]!;
    const z = a[2]! + share * (b[2]! - a[2]!) - c[2]!;
    const along = length2 === 0 ? 0 : Math.min(1, Math.max(0, (x * vx + y * vy + z * vz) / length2));
    least2 = Math.min(least2, (x - along * vx) ** 2 + (y - along * vy) ** 2 + (z - along * vz) ** 2);
  }
  return Math.sqrt(least2);
}

const toolAt = (positionRad: ArrayLike<number>) => place(framesAt(positionRad)[JOINTS]!, TOOL_POINT_FLANGE_M);

/** Distance from everything that is forbidden [m], negative inside: box faces, table, pairs. */
function distancesM(positionRad: ArrayLike<number>, limits: LimiterLimits): number[] {
  const { minM, maxM, tableM, tableMarginM } = limits.workspace;
  const frames = framesAt(positionRad);
  const points = [place(frames[JOINTS]!, TOOL_POINT_FLANGE_M), frames[4]!.originM];
  const ends = CAPSULES.map(({ frame, fromM, toM }) => [
    place(frames[frame]!, fromM),
    place(frames[frame]!, toM),
  ]) as [number[], number[]][];
  return [
    ...points.flatMap((p) => [0, 1, 2].flatMap((i) => [p[i]! - minM[i]!, maxM[i]! - p[i]!])),
    points[0]![2]! - tableM - tableMarginM,
    ...CAPSULES.map(({ frame, radiusM }, capsule) =>
      frame < 2
        ? Number.POSITIVE_INFINITY
        : Math.min(ends[capsule]![0][2]!, ends[capsule]![1][2]!) - radiusM - tableM - tableMarginM,
    ),
    ...PAIRS.map(
      ([one, other]) =>
        sampledDistanceM(...ends[one]!, ...ends[other]!) -
        CAPSULES[one]!.radiusM -
        CAPSULES[other]!.radiusM -
        limits.selfCollisionMarginM,
    ),
  ];
}

/** Largest values that a life may show, as shares of the limits where there is a limit. */
const MOST = {
  velocity: 1 + SHARE_TOLERANCE,
  acceleration: 1 + SHARE_TOLERANCE,
  jerk: 1 + JERK_TOLERANCE,
  toolSpeed: 1 + SHARE_TOLERANCE,
  jumpRad: JUMP_TOLERANCE_RAD,
  positionRad: POSITION_TOLERANCE_RAD,
  zoneM: ZONE_TOLERANCE_M,
};
type Measure = keyof typeof MOST;

export class MotionJudge {
  /** Largest values that this life has shown. */
  readonly worst: Record<Measure, number> = {
    velocity: 0,
    acceleration: 0,
    jerk: 0,
    toolSpeed: 0,
    jumpRad: 0,
    positionRad: 0,
    zoneM: 0,
  };
  ticks = 0;
  lookCount = 0;
  readonly #limits: LimiterLimits;
  #sent: number[][] = [];
  #tool: number[] = [];
  #minRad: number[] = [];
  #maxRad: number[] = [];
  #allowedM: number[] = [];

  constructor(limits: LimiterLimits, startRad: ArrayLike<number>) {
    this.#limits = limits;
    this.standsAt(startRad);
  }

  /** The arm stands still here: a new life, or the end of one that was not fed. */
  standsAt(positionRad: ArrayLike<number>, isNew = true): void {
    const position = Array.from(positionRad);
    this.#sent = [position, position, position, position];
    this.#tool = toolAt(position);
    if (!isNew) return;
    // An arm that starts outside of a limit may stay there, and not go further out.
    this.#minRad = this.#limits.positionMinRad.map((min, joint) => Math.min(min, position[joint]!));
    this.#maxRad = this.#limits.positionMaxRad.map((max, joint) => Math.max(max, position[joint]!));
    this.#allowedM = distancesM(position, this.#limits).map((distance) => Math.min(0, distance));
  }

  sees(positionRad: ArrayLike<number>): void {
    this.#sent = [...this.#sent.slice(1), Array.from(positionRad)];
    const [p0, p1, p2, p3] = this.#sent as [number[], number[], number[], number[]];
    const { velocityMaxRadPerS, accelerationMaxRadPerS2, jerkMaxRadPerS3 } = this.#limits;
    for (let joint = 0; joint < JOINTS; joint++) {
      const [a, b, c, d] = [p0[joint]!, p1[joint]!, p2[joint]!, p3[joint]!];
      const accelerationMax = accelerationMaxRadPerS2[joint]!;
      this.#note("velocity", Math.abs(d - c) / PERIOD_S / velocityMaxRadPerS[joint]!);
      this.#note("acceleration", Math.abs(d - 2 * c + b) / PERIOD_S ** 2 / accelerationMax);
      this.#note("jerk", Math.abs(d - 3 * c + 3 * b - a) / PERIOD_S ** 3 / jerkMaxRadPerS3[joint]!);
      this.#note("jumpRad", Math.abs(d - 2 * c + b) - accelerationMax * PERIOD_S ** 2);
      this.#note("positionRad", Math.max(this.#minRad[joint]! - d, d - this.#maxRad[joint]!));
    }
    const tool = toolAt(p3);
    const moved = Math.hypot(...tool.map((x, axis) => x - this.#tool[axis]!));
    this.#note("toolSpeed", moved / PERIOD_S / this.#limits.toolSpeedMaxMPerS);
    this.#tool = tool;
    if (this.ticks++ % LOOK_EVERY_TICKS === 0) this.looks();
  }

  looks(): void {
    this.lookCount++;
    const distances = distancesM(this.#sent[3]!, this.#limits);
    for (const [zone, distance] of distances.entries()) this.#note("zoneM", this.#allowedM[zone]! - distance);
  }

  #note(what: Measure, value: number): void {
    if (!(value <= MOST[what])) expect(value, what).toBeLessThanOrEqual(MOST[what]);
    this.worst[what] = Math.max(this.worst[what], value);
  }
}

// The lives

/** Evenly spread: fast-check's own numbers prefer the tiny and the extreme, which no motion has to itself. */
export const between = (min: number, max: number) =>
  fc.noBias(fc.integer({ min: 0, max: 1_000_000 })).map((step) => min + (max - min) * (step / 1_000_000));
const share = between(0, 1);
export const around = (radius: number) =>
  fc.tuple(...Array.from({ length: JOINTS }, () => between(-radius, radius)));
const anywhere = fc.tuple(...Array.from({ length: JOINTS }, () => share)).map((shares) =>
  shares.map((s, joint) => {
    const { positionMinRad: min, positionMaxRad: max } = XARM7_JOINTS[joint]!;
    // A little beyond the limits too; a turn is enough for joints that have two.
    return (
      Math.max(-Math.PI, min - 0.05) + s * (Math.min(Math.PI, max + 0.05) - Math.max(-Math.PI, min - 0.05))
    );
  }),
);
const nearHome = around(0.6).map((delta) => delta.map((d, joint) => XARM7_HOME_RAD[joint]! + d));
export const pose = fc.oneof({ weight: 3, arbitrary: nearHome }, { weight: 1, arbitrary: anywhere });
const ticks = fc.integer({ min: 1, max: 80 });
const scale = fc.oneof(fc.constant(1), between(0.05, 1));
const event = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("target" as const), pose, scale, ticks }) },
  // A policy's row of small steps in one direction, at its own rhythm.
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("stream" as const),
      delta: around(0.12),
      scale,
      every: fc.integer({ min: 3, max: 50 }),
      times: fc.integer({ min: 2, max: 4 }),
    }),
  },
  // The commander changes, or its command expires: a hold, shorter or longer than braking takes.
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("hold" as const), ticks }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("reconnect" as const), pose }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("unsent" as const), ticks: fc.integer({ min: 1, max: 12 }) }),
  },
);
export const life = fc.record({
  profile: fc.constantFrom(...Object.keys(PROFILES)),
  start: pose,
  events: fc.array(event, { minLength: 2, maxLength: 6 }),
});

export const body = xarm7Body({ gripper: "xarm", toolPointM: TOOL_POINT_FLANGE_M, attached: [] });
/** After so many setpoints that did not leave, the device has come to rest at the last one. */
export const UNSENT_TICKS_TO_REST = 5;
export type Life = typeof life extends fc.Arbitrary<infer T> ? T : never;

/** Turning a full acceleration round, losing the speed, and losing the acceleration. */
export function restTicksMax({
  velocityMaxRadPerS,
  accelerationMaxRadPerS2,
  jerkMaxRadPerS3,
}: LimiterLimits): number {
  const [v, a, j] = [velocityMaxRadPerS[0]!, accelerationMaxRadPerS2[0]!, jerkMaxRadPerS3[0]!];
  return Math.ceil((v / a + (4 * a) / j) / PERIOD_S);
}
