/**
 * A first look at a hand that nothing is known of: who it is, that its fingers tell their positions in time, how warm it is,
 * who else is on its bus. Nothing here can exert force: it sends LIMP, questions and a period, and ON has no place in it. While
 * another program commands the hand it sends nothing at all.
 */
import { type Clock, sleepMs } from "../../core/clock.js";
import {
  ALLEGRO_JOINT_NAMES,
  FINGERS,
  HAND_JOINT_COUNT,
  type HandModel,
  type HandSide,
} from "../../kinematics/allegro/hand.js";
import { HAND_LIMITS } from "../../kinematics/allegro/limits.js";
import type { CanBus, OpenCanBus } from "../can/bus.js";
import { idText } from "./bringUp.js";
import { HandSeen } from "./handSeen.js";
import { LIMP } from "./limp.js";
import {
  FINGER_INDICES,
  generationOf,
  type HandInfo,
  identityOfV5Serial,
  radOfCounts,
  requestInfo,
  requestPose,
  requestSerial,
  requestTemperature,
  setPeriod,
} from "./protocol/index.js";

export interface Finding {
  readonly level: "ok" | "weak" | "wrong";
  readonly text: string;
  readonly remedy?: string;
}

export interface FirstContact {
  readonly bus: string;
  readonly model: HandModel | undefined;
  readonly side: HandSide | undefined;
  readonly serial: string | undefined;
  readonly info: HandInfo | undefined;
  /** Frames of each finger a second, and between two of one finger [ms]; 0 and NaN where none came. */
  readonly framesPerS: readonly number[];
  readonly gapMs: { readonly p50: number; readonly p99: number; readonly max: number };
  /** Newest angles, and how far each joint was moved meanwhile [rad], wire order; NaN where none came. */
  readonly positionRad: readonly number[];
  readonly movedRad: readonly number[];
  readonly temperatureC: readonly (number | undefined)[];
  readonly findings: readonly Finding[];
  /** Nothing is wrong: such a hand may be enabled. */
  readonly passed: boolean;
}

export interface FirstContactOptions {
  readonly open: OpenCanBus;
  readonly clock: Clock;
  /** How long positions are watched. */
  readonly seconds: number;
  readonly signal: AbortSignal;
}

const LISTEN_MS = 300;
const ANSWER_MS = 300;
const TRIES = 3;
const PERIOD_MS = 3;
/** Of the frames that there should be: below the first one somebody should look why, below the second the line is too slow. */
const FRAMES_SHARE_GOOD = 0.98;
const FRAMES_SHARE_MIN = 0.9;
/** A limp finger may rest a little outside of its range. */
const OUTSIDE_RAD_MAX = 0.2;
/** Less than this nobody has moved it. */
const MOVED_RAD = 0.1;
const WARM_C = 60;

/** @throws the bus's reasons when there is none */
export async function lookAtHand({
  open,
  clock,
  seconds,
  signal,
}: FirstContactOptions): Promise<FirstContact> {
  const seen = new HandSeen(() => clock.nowMs());
  const bus = await open({ onFrame: (frame) => seen.take(frame), onState: () => {} }, signal);
  try {
    await sleepMs(clock, LISTEN_MS, signal);
    if (seen.hosts.size === 0) await question(bus, clock, seen, seconds, signal);
    return report(bus, seen, seconds);
  } finally {
    if (seen.hosts.size === 0) bus.write(LIMP);
    await bus.close();
  }
}

async function question(bus: CanBus, clock: Clock, seen: HandSeen, seconds: number, signal: AbortSignal) {
  bus.write(LIMP);
  for (let attempt = 0; attempt < TRIES && !(seen.info && seen.serial !== undefined); attempt++) {
    bus.write([requestInfo(), requestSerial()]);
    await sleepMs(clock, ANSWER_MS, signal);
  }
  bus.write([...FINGER_INDICES.map((finger) => requestTemperature(finger))]);
  seen.watch();
  bus.write([setPeriod({ jointMs: PERIOD_MS, imuMs: 0, temperatureMs: 0 })]);
  await sleepMs(clock, 1000 * seconds, signal);
  seen.stopWatching();
  if (seen.frames.every((count) => count > 0)) return;
  // Some firmware streams only while its servo is on; asked, a finger answers.
  bus.write([...FINGER_INDICES.map((finger) => requestPose(finger))]);
  await sleepMs(clock, ANSWER_MS, signal);
}

function report(bus: CanBus, seen: HandSeen, seconds: number): FirstContact {
  const { info, serial } = seen;
  const told = serial === undefined ? undefined : identityOfV5Serial(serial);
  const generation = info === undefined ? (told === undefined ? undefined : 5) : generationOf(info);
  const model = generation === 4 ? "v4" : generation === 5 ? told?.model : undefined;
  const side = info?.side ?? told?.side;
  const rad = (joint: number, counts: number) =>
    seen.frames[joint >> 2]! > 0 ? radOfCounts(model ?? "v4", counts) : Number.NaN;
  const joints = Array.from({ length: HAND_JOINT_COUNT }, (_, joint) => joint);
  const { gaps } = seen;
  const contact = {
    bus: bus.name,
    model,
    side,
    serial,
    info,
    framesPerS: seen.frames.map((count) => count / seconds),
    gapMs: {
      p50: gaps.percentileUs(0.5) / 1000,
      p99: gaps.percentileUs(0.99) / 1000,
      max: gaps.maxUs / 1000,
    },
    positionRad: joints.map((joint) => rad(joint, seen.counts[joint]!)),
    movedRad: joints.map((joint) => rad(joint, seen.most[joint]! - seen.least[joint]!)),
    temperatureC: seen.celsius,
  };
  const findings = seen.hosts.size > 0 ? [commanded(seen)] : findingsOf(contact, seen, bus);
  return { ...contact, findings, passed: findings.every(({ level }) => level !== "wrong") };
}

type Contact = Omit<FirstContact, "findings" | "passed">;

const commanded = ({ hosts }: HandSeen): Finding => ({
  level: "wrong",
  text: `another program commands this hand: identifiers ${[...hosts].map(idText).join(", ")}; nothing was sent`,
  remedy: "End it; while it runs keep your fingers out of the hand",
});

function findingsOf(contact: Contact, seen: HandSeen, bus: CanBus): Finding[] {
  return [
    ...identityFindings(contact, seen),
    ...streamFindings(contact, seen),
    ...positionFindings(contact),
    ...healthFindings(contact, seen),
    ...busFindings(seen, bus),
  ];
}

function identityFindings({ model, side, serial, info }: Contact, { frames }: HandSeen): Finding[] {
  if (info === undefined && serial === undefined)
    return [
      frames.some((count) => count > 0)
        ? {
            level: "wrong",
            text: "positions of a hand come, but it says nothing of itself",
            remedy: "Switch it off and on",
          }
        : {
            level: "wrong",
            text: "nothing answers",
            remedy: "Check that the hand is switched on, both CAN wires, 60 ohms between them, and 1 Mbit/s",
          },
    ];
  const version = info === undefined ? "not told" : `${info.firmware >> 8}.${info.firmware & 0xff}`;
  const found = `serial number ${serial ?? "not told"}, firmware ${version}`;
  if (model === undefined || side === undefined)
    return [
      {
        level: "weak",
        text: `${found}; model ${model ?? "not told"}, side ${side ?? "not told"}`,
        remedy: "Read model and side from the hand's label, and write them into the cell file",
      },
    ];
  return [{ level: "ok", text: `Allegro Hand ${model.toUpperCase()} ${side}, ${found}` }];
}

function streamFindings({ framesPerS, gapMs }: Contact, { gaps }: HandSeen): Finding[] {
  const silent = FINGERS.filter((_, finger) => framesPerS[finger] === 0);
  if (silent.length === FINGERS.length)
    return [
      {
        level: "wrong",
        text: "no finger tells its position, also when asked",
        remedy: "The hand needs service",
      },
    ];
  if (silent.length > 0)
    return [
      { level: "wrong", text: `no positions of: ${silent.join(", ")}`, remedy: "The hand needs service" },
    ];
  if (gaps.added === 0)
    return [
      {
        level: "ok",
        text: "fingers tell their positions when asked; this firmware streams only while it is on",
      },
    ];
  const wantedPerS = 1000 / PERIOD_MS;
  const least = Math.min(...framesPerS);
  const text = `${least.toFixed(0)} frames a second of each finger (expected ${wantedPerS.toFixed(0)}); between two p50 ${gapMs.p50.toFixed(2)}, p99 ${gapMs.p99.toFixed(2)}, max ${gapMs.max.toFixed(2)} ms`;
  if (least < FRAMES_SHARE_MIN * wantedPerS)
    return [
      { level: "wrong", text, remedy: "Check the adapter's serial rate, the cable and the terminators" },
    ];
  if (least >= FRAMES_SHARE_GOOD * wantedPerS && gapMs.max <= 2 * PERIOD_MS) return [{ level: "ok", text }];
  return [
    {
      level: "weak",
      text: `${text}; more than two periods would stop the hand`,
      remedy:
        "Look what else keeps this computer busy; ./cerebellum doctor --timing; SocketCAN is the better way on few CPUs",
    },
  ];
}

function positionFindings({ model, side, positionRad, movedRad }: Contact): Finding[] {
  if (positionRad.some(Number.isNaN)) return [];
  const limits = model && side && HAND_LIMITS[model][side];
  const outside = limits
    ? ALLEGRO_JOINT_NAMES.filter(
        (_, joint) =>
          positionRad[joint]! < limits.positionMinRad[joint]! - OUTSIDE_RAD_MAX ||
          positionRad[joint]! > limits.positionMaxRad[joint]! + OUTSIDE_RAD_MAX,
      )
    : [];
  const still = ALLEGRO_JOINT_NAMES.filter((_, joint) => movedRad[joint]! < MOVED_RAD);
  return [
    outside.length === 0
      ? {
          level: "ok",
          text: limits ? "all joints stand within their range" : "limits of this hand are not known",
        }
      : {
          level: "wrong",
          text: `outside of the range: ${outside.join(", ")}`,
          remedy:
            "Move these fingers in by hand; if they are, `model` or `side` is another, or the hand needs service",
        },
    still.length === 0
      ? { level: "ok", text: "every joint was seen moving" }
      : {
          level: "weak",
          text: `not seen moving: ${still.join(", ")}`,
          remedy:
            "Run it again with --seconds 30 and bend every finger by hand meanwhile: each joint must follow, and only it",
        },
  ];
}

function healthFindings({ info, temperatureC }: Contact, { motorErrors }: HandSeen): Finding[] {
  const warmest = Math.max(
    ...[info?.temperatureC, ...temperatureC].map((celsius) => celsius ?? Number.NEGATIVE_INFINITY),
  );
  const findings: Finding[] = [];
  if (!Number.isFinite(warmest))
    findings.push({
      level: "weak",
      text: "no temperature is told",
      remedy: "Nothing will watch over it: touch the motors",
    });
  else if (warmest < WARM_C) findings.push({ level: "ok", text: `at most ${warmest} °C` });
  else
    findings.push({ level: "wrong", text: `${warmest} °C`, remedy: "Let it cool down before it is enabled" });
  if (info?.servoOn && info !== undefined && generationOf(info) !== 5)
    findings.push({ level: "wrong", text: "its servo stays on after OFF", remedy: "Switch its supply off" });
  if (info?.overTemperature)
    findings.push({ level: "wrong", text: "it says that it is too warm", remedy: "Let it cool down" });
  if (info?.communicationFault)
    findings.push({
      level: "wrong",
      text: "it has lost a board of its own",
      remedy: "Switch it off and on; else it needs service",
    });
  if (motorErrors.length > 0)
    findings.push({
      level: "wrong",
      text: motorErrors.join(", "),
      remedy: "Switch it off and on; else it needs service",
    });
  return findings;
}

function busFindings({ strangers, malformed }: HandSeen, bus: CanBus): Finding[] {
  const { errors, bytesDiscarded, busOffs } = bus.statistics();
  const troubles = errors + bytesDiscarded + busOffs + malformed;
  return [
    troubles === 0
      ? { level: "ok", text: "no error on bus and line" }
      : {
          level: "weak",
          text: `${errors} bus errors, ${busOffs} times off, ${bytesDiscarded} bytes of no frame, ${malformed} malformed frames`,
          remedy: "Check wires, terminators, bit rate (1 Mbit/s) and the adapter's serial rate",
        },
    ...(strangers.size === 0
      ? []
      : [
          {
            level: "weak" as const,
            text: `other devices send: ${[...strangers].slice(0, 6).map(idText).join(", ")}`,
            remedy: "Give the hand a bus of its own",
          },
        ]),
  ];
}
