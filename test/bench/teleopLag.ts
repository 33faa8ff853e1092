/**
 * How late the arm is behind a hand, by the real mapping and the servo's real motion, in simulated time: `npm run bench
 * -- teleopLag`, or `node dist/test/bench/teleopLag.js [--json FILE]`. A hand is sampled at 90 Hz, its poses arrive 3 to
 * 9 ms later, and setpoints leave at 250 Hz. Everything is computed, so the figures are the same on every machine; only
 * the time of a step is measured. What the network and the arm itself add is not in them.
 *
 *   delay      of the tool's setpoint behind the hand, from the phase of a sinusoid; share = amplitude that is left
 *   overshoot  of the tool past where the hand has stopped, and time until it is within 2 mm for good
 *   still      standard deviation of the setpoint while the hand trembles by 0.3 mm
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { ArmLimits } from "../../core/arm.js";
import { ArmChain } from "../../kinematics/chain.js";
import {
  TOOL_POINT_FLANGE_M,
  XARM7_HOME_RAD,
  XARM7_JOINT_NAMES,
  XARM7_JOINTS,
} from "../../kinematics/xarm7.js";
import { xarm7Body } from "../../kinematics/xarm7Collision.js";
import { systemClock } from "../../launch/systemClock.js";
import { ServoConfig } from "../../runtime/servo/config.js";
import { limitsInForce, publicLimits } from "../../runtime/servo/limits.js";
import { Motion } from "../../runtime/servo/motion.js";
import { MappingConfig } from "../../runtime/teleop/config.js";
import { createHandMapping } from "../../runtime/teleop/handMapping.js";

const TICK_MS = 4;
const POSE_MS = 1000 / 90;
const ARRIVAL_MS = { least: 3, spread: 6 };
const DEVICE: ArmLimits = {
  jointNames: XARM7_JOINT_NAMES,
  positionMinRad: XARM7_JOINTS.map(({ positionMinRad }) => positionMinRad),
  positionMaxRad: XARM7_JOINTS.map(({ positionMaxRad }) => positionMaxRad),
  velocityMaxRadPerS: Array(7).fill(Math.PI),
  accelerationMaxRadPerS2: Array(7).fill(20),
  jerkMaxRadPerS3: Array(7).fill(500),
  toolSpeedMaxMPerS: 1,
};

/** Limits of the servo: those of a fresh cell, and livelier ones for somebody who teleoperates all day. */
const SERVOS = {
  "default limits": {},
  "lively limits": {
    velocityMaxRadPerS: Array(7).fill(1.5),
    accelerationMaxRadPerS2: Array(7).fill(10),
    jerkMaxRadPerS3: Array(7).fill(200),
  },
} as const;
const FILTERS = [
  { minCutoffHz: 4, beta: 10 },
  { minCutoffHz: 6, beta: 20 },
  { minCutoffHz: 8, beta: 40 },
] as const;
const LEADS_MS = [0, 30, 60, 100, 150] as const;
const WAVES = [
  { hz: 0.25, amplitudeM: 0.1 },
  { hz: 0.5, amplitudeM: 0.08 },
  { hz: 1, amplitudeM: 0.03 },
] as const;

type Hand = (s: number) => number;

/** The hand's way along y [m] in, the tool's setpoint along y out, one number a tick, relative to where both began. */
function operate(servoChanges: object, mappingChanges: object, seconds: number, hand: Hand): Float64Array {
  const servo = ServoConfig.parse(servoChanges);
  const limits = limitsInForce(DEVICE, servo);
  const body = () => xarm7Body({ gripper: "xarm", toolPointM: TOOL_POINT_FLANGE_M, attached: [] });
  const mapping = createHandMapping({
    config: MappingConfig.parse(mappingChanges),
    limits: publicLimits(limits),
    workspace: servo.workspace,
    body: body(),
    selfCollisionMarginM: servo.selfCollision.marginM,
  });
  const motion = new Motion(limits, body(), TICK_MS / 1000);
  const random = generator(5);
  const chain = new ArmChain();
  motion.startAt(Float64Array.from(XARM7_HOME_RAD));
  chain.update(motion.sentRad);
  const startM = chain.toolM[1]!;
  const at = (ms: number) => ({
    pose: { positionM: [0, hand(ms / 1000), 0] as [number, number, number], quatXyzw: [0, 0, 0, 1] as never },
    gripper: 0,
    measuredMs: ms,
  });
  mapping.engage(at(0), motion.sentRad, 0);
  const out = new Float64Array(Math.floor((1000 * seconds) / TICK_MS));
  let sampledMs = 0;
  let arrivesMs = 0;
  for (let tick = 0; tick < out.length; tick++) {
    const nowMs = tick * TICK_MS;
    while (arrivesMs <= nowMs) {
      const { targetRad } = mapping.step(at(sampledMs), arrivesMs);
      motion.follow(targetRad, 1, arrivesMs);
      sampledMs += POSE_MS;
      arrivesMs = Math.max(arrivesMs, sampledMs + ARRIVAL_MS.least + ARRIVAL_MS.spread * random());
    }
    motion.next();
    motion.accept();
    chain.update(motion.sentRad);
    out[tick] = chain.toolM[1]! - startM;
  }
  return out;
}

/** Phase and amplitude at one frequency, over whole periods at the end. */
function lagOf(signal: Float64Array, hz: number, amplitudeM: number): { delayMs: number; share: number } {
  const periods = 4;
  const ticks = Math.round((1000 * periods) / hz / TICK_MS);
  let sine = 0;
  let cosine = 0;
  for (let tick = signal.length - ticks; tick < signal.length; tick++) {
    const angle = (2 * Math.PI * hz * tick * TICK_MS) / 1000;
    sine += (2 / ticks) * signal[tick]! * Math.sin(angle);
    cosine += (2 / ticks) * signal[tick]! * Math.cos(angle);
  }
  return {
    delayMs: (-Math.atan2(cosine, sine) / (2 * Math.PI * hz)) * 1000,
    share: Math.hypot(sine, cosine) / amplitudeM,
  };
}

/** Up to 0.3 m/s within 0.4 s, then on, and stopped within 50 ms. */
const SPEED_M_PER_S = 0.3;
const SOFT_S = 0.4;
const HARD_S = 0.05;
const STOP_S = 1.2;
const STOP_M = SPEED_M_PER_S * (STOP_S - SOFT_S / 2 - HARD_S / 2);
function suddenStop(s: number): number {
  const left = STOP_S - s;
  if (left <= 0) return STOP_M;
  if (left <= HARD_S) return STOP_M - (SPEED_M_PER_S * left * left) / (2 * HARD_S);
  if (s < SOFT_S) return (SPEED_M_PER_S * s * s) / (2 * SOFT_S);
  return SPEED_M_PER_S * (s - SOFT_S / 2);
}

function stopOf(signal: Float64Array): { overshootMm: number; settleMs: number } {
  let most = 0;
  let lastOutside = 0;
  for (const [tick, at] of signal.entries()) {
    most = Math.max(most, at - STOP_M);
    if (tick * TICK_MS >= 1000 * STOP_S && Math.abs(at - STOP_M) > 0.002) lastOutside = tick * TICK_MS;
  }
  return { overshootMm: 1000 * most, settleMs: Math.max(0, lastOutside - 1000 * STOP_S) };
}

function deviationMm(signal: Float64Array): number {
  const tail = signal.subarray(250);
  const mean = tail.reduce((sum, value) => sum + value, 0) / tail.length;
  return 1000 * Math.sqrt(tail.reduce((sum, value) => sum + (value - mean) ** 2, 0) / tail.length);
}

/** Small and seeded (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const tremble = (): Hand => {
  const random = generator(9);
  return () => 0.0003 * Math.sqrt(3) * (2 * random() - 1);
};

const { values } = parseArgs({ options: { json: { type: "string" } } });
const rows = [];
for (const [servoName, servo] of Object.entries(SERVOS)) {
  for (const filter of FILTERS) {
    for (const leadMs of LEADS_MS) {
      const mapping = { filter, leadMs };
      const waves = WAVES.map(({ hz, amplitudeM }) => ({
        hz,
        amplitudeM,
        ...lagOf(
          operate(servo, mapping, 6 / hz, (s) => amplitudeM * Math.sin(2 * Math.PI * hz * s)),
          hz,
          amplitudeM,
        ),
      }));
      const stop = stopOf(operate(servo, mapping, 3.5, suddenStop));
      rows.push({
        servo: servoName,
        ...filter,
        leadMs,
        waves,
        ...stop,
        stillMm: deviationMm(operate(servo, mapping, 4, tremble())),
      });
    }
  }
}
console.log(
  "servo          cutoff beta lead | delay ms (share) at " +
    WAVES.map(({ hz, amplitudeM }) => `${hz} Hz ±${1000 * amplitudeM} mm`).join(", ") +
    " | overshoot mm, settle ms | still mm",
);
for (const row of rows)
  console.log(
    [
      row.servo.padEnd(14),
      String(row.minCutoffHz).padStart(6),
      String(row.beta).padStart(4),
      String(row.leadMs).padStart(4),
      "|",
      ...row.waves.map(({ delayMs, share }) => `${delayMs.toFixed(0).padStart(5)} (${share.toFixed(2)})`),
      "|",
      row.overshootMm.toFixed(1).padStart(6),
      row.settleMs.toFixed(0).padStart(5),
      "|",
      row.stillMm.toFixed(2).padStart(5),
    ].join(" "),
  );
console.log(`a step takes ${measureStepUs().toFixed(1)} us`);
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(rows, undefined, 2)}\n`);

/** Mean over a moving hand that goes through the table's neighbourhood. */
function measureStepUs(): number {
  const servo = ServoConfig.parse({});
  const mapping = createHandMapping({
    config: MappingConfig.parse({}),
    limits: publicLimits(limitsInForce(DEVICE, servo)),
    workspace: servo.workspace,
    body: xarm7Body({ gripper: "xarm", toolPointM: TOOL_POINT_FLANGE_M, attached: [] }),
    selfCollisionMarginM: servo.selfCollision.marginM,
  });
  const steps = 20_000;
  const hand = (k: number) => ({
    pose: {
      positionM: [0.1 * Math.sin(k / 90), 0.1 * Math.sin(k / 70), -0.2 + 0.2 * Math.cos(k / 110)] as [
        number,
        number,
        number,
      ],
      quatXyzw: [0, 0, 0, 1] as [number, number, number, number],
    },
    gripper: 0,
  });
  mapping.engage(hand(0), XARM7_HOME_RAD, 0);
  for (let k = 0; k < 2000; k++) mapping.step(hand(k), k * POSE_MS);
  const from = systemClock.nowNs();
  for (let k = 2000; k < 2000 + steps; k++) mapping.step(hand(k), k * POSE_MS);
  return Number(systemClock.nowNs() - from) / 1e3 / steps;
}
