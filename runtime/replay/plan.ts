/**
 * What a replay will send, setpoint by setpoint, decided before anything moves: the recorded setpoints themselves where
 * that is possible, else the same path slower. The whole row is led through the same judge that the servo has, so what
 * the robot would refuse is refused here, with its reason.
 */

import type { z } from "zod";
import { CerebellumError } from "../../core/errors.js";
import type { QualityFlag, RecordedRobot } from "../../episodes/format.js";
import type { ServoTick } from "../../episodes/messages.js";
import type { LimiterLimits } from "../servo/limits.js";
import { reasonNames } from "../servo/link/schema.js";
import { Motion } from "../servo/motion.js";
import { splineAccelerations } from "../servo/splineAccelerations.js";
import { CLEAR_M, type MovingBody, Zones } from "../servo/zones.js";
import { type SentRow, sentRow, unusable } from "./sentRow.js";
import { retime, type TimedRow } from "./timing.js";

/** A robot's part of an episode, trims applied. */
export interface RecordedMotion {
  readonly robot: z.infer<typeof RecordedRobot>;
  readonly flags: readonly QualityFlag[];
  readonly ticks: readonly ServoTick[];
}

/** The robot as it is now. */
export interface ReplayTarget {
  readonly model: string;
  readonly rateHz: number;
  readonly limits: LimiterLimits;
  readonly body: MovingBody;
}

export interface ReplayPlan {
  readonly jointCount: number;
  readonly periodS: number;
  /** Joint angles [rad] and their accelerations [rad/s²], setpoint by setpoint, base to tool. */
  readonly positionRad: Float64Array;
  readonly accelerationRadPerS2: Float64Array;
  readonly ticks: number;
  /** Gripper opening at the start [m], where one was asked for. */
  readonly startOpeningM: number | undefined;
  /** Openings that are asked for later, each right before a setpoint leaves. */
  readonly openings: readonly { readonly tick: number; readonly openingM: number }[];
  /** Every setpoint is one that was sent, in the same order. */
  readonly isExact: boolean;
  /** What is not as in the recording, and why. */
  readonly remarks: readonly string[];
}

/** Slower than this between two setpoints is rest [rad]. */
const REST_STEP_RAD = 1e-9;
export const SPEED_MIN = 0.02;
/** What is tried in turn where the row begins or ends in motion: time of each ramp [s], and share of the speed. */
const RAMPS = [
  { rampS: 0.3, share: 1 },
  { rampS: 0.6, share: 1 },
  { rampS: 1.2, share: 1 },
  { rampS: 1.2, share: 0.7 },
  { rampS: 1.2, share: 0.5 },
  { rampS: 2.4, share: 0.3 },
  { rampS: 2.4, share: 0.15 },
] as const;
const NO_RAMP = [{ rampS: 0, share: 1 }] as const;

/** @throws CerebellumError EPISODE_INVALID, DEVICE_MISMATCH, CONFIG_INVALID: nothing has moved then */
export function planReplay(motion: RecordedMotion, target: ReplayTarget, speed: number): ReplayPlan {
  checkFits(motion, target, speed);
  const recordedPeriodS = 1 / motion.robot.rateHz;
  const row = movingPart(sentRow(motion.ticks, target.limits, recordedPeriodS));
  checkStart(row.positionRad.subarray(0, row.jointCount), target);
  const stretches = stretchesOf(row);
  const isRamped = stretches.some(({ startsAtRest, endsAtRest }) => !startsAtRest || !endsAtRest);
  const remarks = [...row.remarks, ...remarksOn(stretches)];
  if (speed !== 1) remarks.push(`it is played at ${speed} of its speed, so it is not byte-identical`);
  const isSameTime = speed === 1 && !isRamped;
  let refusal: Refusal | undefined;
  for (const { rampS, share } of isRamped ? RAMPS : NO_RAMP) {
    const timed = isSameTime
      ? { positionRad: row.positionRad, at: Float64Array.from(row.openingM, (_, tick) => tick) }
      : joined(
          stretches.map((stretch) =>
            retimed(row, stretch, { recordedPeriodS, target, speed: speed * share, rampS }),
          ),
        );
    const { positionRad, at } = timed;
    const accelerationRadPerS2 = splineAccelerations(positionRad, row.jointCount, 1 / target.rateHz);
    refusal = refusalOf(positionRad, accelerationRadPerS2, target);
    if (refusal !== undefined) continue;
    return {
      jointCount: row.jointCount,
      periodS: 1 / target.rateHz,
      positionRad,
      accelerationRadPerS2,
      ticks: at.length,
      ...openingsOf(row.openingM, at),
      isExact: isSameTime && row.isWhole,
      remarks:
        share === 1 ? remarks : [...remarks, `it is slowed down to ${share} of that, so that its ramps fit`],
    };
  }
  throw unusable(
    `setpoint ${refusal!.tick} of ${refusal!.ticks} would not pass this robot's limits as they are now: ${refusal!.reasons.join(", ")}`,
    speed === 1
      ? "Replay it slower with --speed 0.5, keep another part of it, or compare the cell's limits with the recorded ones"
      : "Keep another part of it, or compare the cell's limits with the recorded ones",
  );
}

function checkFits({ robot, flags }: RecordedMotion, target: ReplayTarget, speed: number): void {
  const damaged = flags.find(({ code }) => code === "damaged");
  if (damaged !== undefined) throw unusable(`it is flagged damaged (${damaged.text})`, "Replay another one");
  if (!(speed >= SPEED_MIN && speed <= 1))
    throw new CerebellumError(
      "CONFIG_INVALID",
      `A replay at ${speed} of the recorded speed was asked for; possible are ${SPEED_MIN} to 1`,
      "Give --speed within that: faster than recorded is never replayed",
    );
  const mismatch = (what: string, found: string, expected: string) =>
    new CerebellumError(
      "DEVICE_MISMATCH",
      `The episode was recorded with ${what} ${found}; this robot has ${expected}`,
      "Replay it on the robot that it was recorded with",
    );
  if (robot.model !== target.model) throw mismatch("the model", robot.model, target.model);
  const names = robot.jointNames.join(", ");
  const ours = target.limits.jointNames.join(", ");
  if (names !== ours) throw mismatch("joints", names, ours);
  if (speed === 1 && robot.rateHz !== target.rateHz)
    throw new CerebellumError(
      "DEVICE_MISMATCH",
      `The episode was recorded at ${robot.rateHz} Hz; this robot's servo runs at ${target.rateHz} Hz`,
      "Set `servo.rateHz` of the cell to that, or replay it slower with --speed",
    );
}

interface MovingRow extends SentRow {
  readonly startsAtRest: boolean;
  readonly endsAtRest: boolean;
}

/** From the last setpoint at rest before arm or gripper first move to the first at rest after they last do. */
function movingPart(row: SentRow): MovingRow {
  const { jointCount, positionRad, openingM } = row;
  const ticks = openingM.length;
  const moves = (tick: number): boolean => {
    for (let joint = 0; joint < jointCount; joint++) {
      const i = tick * jointCount + joint;
      if (Math.abs(positionRad[i]! - positionRad[i - jointCount]!) > REST_STEP_RAD) return true;
    }
    return false;
  };
  const grips = (tick: number): boolean => !Object.is(openingM[tick], openingM[tick - 1]);
  let first = 1;
  while (first < ticks && !moves(first) && !grips(first)) first++;
  if (first >= ticks)
    throw unusable("neither arm nor gripper move in it", "Replay one that does, or keep another part of it");
  let last = ticks - 1;
  while (!moves(last) && !grips(last)) last--;
  const startsAtRest = first >= 2 || !moves(1);
  const endsAtRest = last < ticks - 1 || !moves(ticks - 1);
  // One more step at rest on both sides, where there is one: the spline's ends then lie in it.
  const from = Math.max(0, first - 2);
  const to = Math.min(ticks, last + 2);
  const standsAt = row.standsAt
    .map((place) => place - from)
    .filter((place) => place > 0 && place < to - from - 1);
  return {
    ...row,
    standsAt,
    positionRad: positionRad.slice(from * jointCount, to * jointCount),
    openingM: openingM.slice(from, to),
    startsAtRest,
    endsAtRest,
  };
}

/** Setpoints of a row that are one smooth motion, by their places, both included. */
interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly startsAtRest: boolean;
  readonly endsAtRest: boolean;
}

/** Parts the row where the arm came to rest in the middle of a motion because nothing left for the device. */
function stretchesOf(row: MovingRow): Stretch[] {
  const { jointCount, positionRad } = row;
  const stops = row.standsAt.filter((place) => {
    for (let joint = 0; joint < jointCount; joint++) {
      const i = place * jointCount + joint;
      if (Math.abs(positionRad[i]! - positionRad[i - jointCount]!) > REST_STEP_RAD) return true;
    }
    return false;
  });
  const ends = [...stops, row.openingM.length - 1];
  return ends.map((to, index) => ({
    from: index === 0 ? 0 : ends[index - 1]!,
    to,
    startsAtRest: index > 0 || row.startsAtRest,
    endsAtRest: index === ends.length - 1 && row.endsAtRest,
  }));
}

function remarksOn(stretches: readonly Stretch[]): string[] {
  const remarks: string[] = [];
  if (!stretches[0]!.startsAtRest)
    remarks.push("it begins in motion: its speed is ramped up, so it is not byte-identical");
  if (!stretches.at(-1)!.endsAtRest)
    remarks.push("it ends in motion: its speed is ramped down, so it is not byte-identical");
  if (stretches.length > 1)
    remarks.push(
      `the arm came to rest ${stretches.length - 1} times in the middle of a motion because nothing left for the device: ` +
        "its speed is ramped down there, so it is not byte-identical",
    );
  return remarks;
}

function retimed(
  row: MovingRow,
  { from, to, startsAtRest, endsAtRest }: Stretch,
  timing: { recordedPeriodS: number; target: ReplayTarget; speed: number; rampS: number },
): TimedRow {
  const positionRad = row.positionRad.slice(from * row.jointCount, (to + 1) * row.jointCount);
  const { positionRad: timed, at } = retime(positionRad, row.jointCount, {
    recordedPeriodS: timing.recordedPeriodS,
    periodS: 1 / timing.target.rateHz,
    speed: timing.speed,
    startRampS: startsAtRest ? 0 : timing.rampS,
    endRampS: endsAtRest ? 0 : timing.rampS,
  });
  return { positionRad: timed, at: at.map((place) => place + from) };
}

function joined(rows: readonly TimedRow[]): TimedRow {
  return {
    positionRad: Float64Array.from(rows.flatMap(({ positionRad }) => [...positionRad])),
    at: Float64Array.from(rows.flatMap(({ at }) => [...at])),
  };
}

function checkStart(startRad: Float64Array, { limits, body }: ReplayTarget): void {
  for (const [joint, value] of startRad.entries()) {
    const [min, max] = [limits.positionMinRad[joint]!, limits.positionMaxRad[joint]!];
    if (value >= min && value <= max) continue;
    throw unusable(
      `${limits.jointNames[joint]} starts at ${value.toFixed(3)} rad, outside of its limits now (${min.toFixed(3)} to ${max.toFixed(3)})`,
      "Compare the cell's limits with those of the recording",
    );
  }
  const zones = new Zones(body, limits);
  zones.look(startRad);
  if (zones.nearestM >= CLEAR_M) return;
  throw unusable(
    `its start pose is ${(1000 * zones.nearestM).toFixed(1)} mm from the edge of the workspace, the table or the arm itself (at least ${1000 * CLEAR_M} mm)`,
    "Compare the cell's workspace with that of the recording",
  );
}

interface Refusal {
  readonly tick: number;
  readonly ticks: number;
  readonly reasons: readonly string[];
}

/** The servo's own judgement of the whole row, without the servo. */
function refusalOf(
  positionRad: Float64Array,
  accelerationRadPerS2: Float64Array,
  { limits, body, rateHz }: ReplayTarget,
): Refusal | undefined {
  const joints = limits.jointNames.length;
  const ticks = positionRad.length / joints;
  const motion = new Motion(limits, body, 1 / rateHz);
  motion.startAt(positionRad.slice(0, joints));
  for (let tick = 0; tick < ticks; tick++) {
    const from = tick * joints;
    const acceleration = accelerationRadPerS2.subarray(from, from + joints);
    motion.nextSetpoint(positionRad.subarray(from, from + joints), acceleration);
    if (!motion.isStreamed) return { tick, ticks, reasons: reasonNames(motion.reasons) };
    motion.accept();
  }
  return undefined;
}

/** @param at place of each setpoint in the row that the openings belong to */
function openingsOf(openingM: Float64Array, at: Float64Array) {
  const openings: { tick: number; openingM: number }[] = [];
  let asked = openingM[0]!;
  for (const [tick, place] of at.entries()) {
    const wanted = openingM[Math.min(openingM.length - 1, Math.floor(place))]!;
    if (Number.isNaN(wanted) || wanted === asked) continue;
    openings.push({ tick, openingM: wanted });
    asked = wanted;
  }
  const startOpeningM = Number.isNaN(openingM[0]!) ? undefined : openingM[0]!;
  return { startOpeningM, openings };
}
