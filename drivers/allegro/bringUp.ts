/**
 * The sequences that lead to a hand that can be powered: who it is, and that all four fingers tell their position. The
 * order is the vendor's (off, information, serial number, period), with all of LIMP for off: whoever drove the hand
 * before may have left it with a torque. Nothing here switches the servo on.
 */
import type { DeviceIdentity } from "../../core/arm.js";
import { type Clock, sleepMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import { FINGERS } from "../../kinematics/allegro/hand.js";
import type { AllegroConfig } from "./config.js";
import type { HandLink } from "./handLink.js";
import { LIMP } from "./limp.js";
import {
  FINGER_INDICES,
  GENERATION,
  generationOf,
  type HandInfo,
  identityOfV5Serial,
  requestInfo,
  requestPose,
  requestSerial,
  setPeriod,
} from "./protocol/index.js";

export interface Bench {
  readonly config: AllegroConfig;
  readonly clock: Clock;
  readonly link: HandLink;
}

export interface Introduction {
  readonly identity: DeviceIdentity;
  /** Temperature and fault bits can be watched. */
  readonly answersInfo: boolean;
}

/** Frames from before the hand was switched off come within this time. */
const DRAIN_MS = 20;
const TRIES = 3;
const POLL_MS = 2;
/** Complete sets that show a stream. */
const SETS = 3;

/** Makes the hand limp, asks who this is, and refuses another hand. */
export async function introduce(bench: Bench, signal: AbortSignal): Promise<Introduction> {
  const { link, clock, config } = bench;
  // Some adapters take nothing for a moment: until then the hand may still be powered.
  if (!(await waitFor(bench, () => link.write(LIMP), config.answerTimeoutMs, signal)))
    throw new CerebellumError(
      "DEVICE_UNREACHABLE",
      `${link.bus?.name ?? "the adapter"} has taken no frame for ${config.answerTimeoutMs} ms`,
      "Switch the hand's power off, unplug the adapter and plug it in again",
    );
  await sleepMs(clock, DRAIN_MS, signal);
  link.forget();
  for (let attempt = 0; attempt < TRIES; attempt++) {
    if (link.info === undefined) link.write([requestInfo()]);
    if (link.serial === undefined) link.write([requestSerial()]);
    const isAnswered = () => link.info !== undefined && link.serial !== undefined;
    if (await waitFor(bench, isAnswered, config.answerTimeoutMs / TRIES, signal)) break;
  }
  const { info, serial } = link;
  if (info === undefined && serial === undefined) throw nobodyAnswers(bench);
  if (serial === undefined) throw silent(bench, "tells its information but no serial number");
  if (info === undefined && !isV5(config))
    throw silent(bench, "tells its serial number but no information, as only V5 hands do");
  if (link.otherHandId !== undefined)
    throw mismatch(
      `two hands answer on this bus, one of them with identifier ${idText(link.otherHandId)}`,
      "Give each hand a bus of its own: both would obey one host",
    );
  if (info !== undefined) checkInfo(config, info);
  checkSerial(config, serial);
  const firmware = info === undefined ? "not told" : versionText(info.firmware);
  const model = `Allegro Hand ${config.model.toUpperCase()} ${config.side}`;
  return { identity: { model, serial, firmware }, answersInfo: info !== undefined };
}

/**
 * Sets the period and waits for complete sets. A hand that streams only while its servo is on is asked for one set:
 * @returns whether it streams while it is off
 */
export async function startStream(bench: Bench, signal: AbortSignal): Promise<boolean> {
  const { link, config } = bench;
  const { poses } = link;
  const startedAt = poses.state.sequence;
  link.write([period(config)]);
  const came = (sets: number) => () => poses.state.sequence >= startedAt + sets;
  if (await waitFor(bench, came(SETS), config.answerTimeoutMs, signal)) return true;
  if (poses.state.sequence === startedAt) {
    link.poses.restart();
    for (const finger of FINGER_INDICES) link.write([requestPose(finger)]);
    if (await waitFor(bench, came(1), config.answerTimeoutMs, signal)) return false;
  }
  const missing = FINGERS.filter((_, finger) => (poses.mask & (1 << finger)) === 0);
  throw new CerebellumError(
    "LINK_SILENT",
    `the hand sent ${poses.state.sequence - startedAt} complete position sets in ${config.answerTimeoutMs} ms ` +
      `(expected one every ${config.periodMs} ms); nothing came from: ${missing.join(", ") || "no finger for long"}`,
    "Check the serial rate of the adapter and the hand's supply; a finger that never sends needs service",
  );
}

export const period = ({ periodMs }: AllegroConfig) =>
  setPeriod({ jointMs: periodMs, imuMs: 0, temperatureMs: 0 });

/** @throws the reason of whoever aborted, where that says what happened and what to do */
export function throwIfAborted(signal: AbortSignal): void {
  if (!signal.aborted) return;
  if (signal.reason instanceof CerebellumError) throw signal.reason;
  throw new CerebellumError("TIMED_OUT", "bringing up the hand was cancelled", "Try again");
}

/** Looks every 2 ms; false at the deadline. @throws LINK_CLOSED when the bus goes meanwhile */
export async function waitFor(
  { clock, link }: Bench,
  check: () => boolean,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const deadlineMs = clock.nowMs() + timeoutMs;
  while (!check()) {
    throwIfAborted(signal);
    link.refuseDown();
    if (clock.nowMs() >= deadlineMs) return false;
    await sleepMs(clock, POLL_MS, signal);
  }
  return true;
}

/** A V5 tells type and side in its serial number, and its information may be constant or missing. */
const isV5 = ({ model }: AllegroConfig): boolean => GENERATION[model] === 5;

function checkInfo(config: AllegroConfig, info: HandInfo): void {
  const found = generationOf(info);
  if (found !== GENERATION[config.model])
    throw mismatch(
      `the hand says that it is a V${found} (hardware ${versionText(info.hardware)}), but the cell file has model ${config.model}`,
      "Set `model` to the hand's, or connect the right one: units, limits and torque differ",
    );
  if (info.side !== undefined && info.side !== config.side)
    throw mismatch(
      `the hand says that it is a ${info.side} one, but the cell file has side ${config.side}`,
      "Set `side` to the hand's, or connect the other hand",
    );
  if (config.expectFirmware !== undefined && info.firmware !== config.expectFirmware)
    throw mismatch(
      `the hand has firmware ${versionText(info.firmware)}, but the cell file expects ${versionText(config.expectFirmware)}`,
      "Read what the vendor changed, then correct `expectFirmware`",
    );
  // A V5 says so of itself always [?].
  if (info.servoOn && !isV5(config))
    throw new CerebellumError(
      "DEVICE_FAULT",
      "the hand says that its servo is on, although it was switched off",
      "Switch the hand's power off and on; if it returns, the hand needs service: a stop would not switch it off",
    );
}

function checkSerial({ model, side, expectSerial }: AllegroConfig, serial: string): void {
  const told = identityOfV5Serial(serial);
  if (GENERATION[model] === 5 && (told?.model !== model || told.side !== side))
    throw mismatch(
      `serial number "${serial}" is that of ${told === undefined ? "no V5 hand" : `a ${told.model} ${told.side}`}, ` +
        `but the cell file has ${model} ${side}`,
      "Correct `model` and `side` in the cell file, or connect the right hand",
    );
  if (expectSerial !== undefined && serial !== expectSerial)
    throw mismatch(
      `the hand's serial number is "${serial}", but the cell file expects "${expectSerial}"`,
      "Connect the right hand, or correct `expectSerial`",
    );
}

/** What silence looks like says where to look. */
function nobodyAnswers({ link, config }: Bench): CerebellumError {
  const { bus, strangers, handFrames } = link;
  const name = bus?.name ?? "the bus";
  const waited = `within ${config.answerTimeoutMs} ms`;
  if (handFrames > 0)
    return new CerebellumError(
      "LINK_SILENT",
      `${name}: positions of a hand come, but it answered neither for its information nor its serial number ${waited}`,
      "Switch the hand off and on, and end other programs that use this bus",
    );
  if (strangers.size > 0)
    return mismatch(
      `${name}: no Allegro Hand answered ${waited}, but another device sends: identifiers ` +
        `${[...strangers].map(idText).join(", ")}`,
      "Check that the adapter leads to the hand's own bus; a V2 or V3 hand has other identifiers and is not supported",
    );
  const { errors = 0, bytesDiscarded = 0 } = bus?.statistics() ?? {};
  if (errors > 0 || bytesDiscarded > 0)
    return new CerebellumError(
      "LINK_SILENT",
      `${name}: no frame came ${waited}, but ${errors} errors and ${bytesDiscarded} bytes that belong to no frame`,
      "Check the CAN bitrate (1 Mbit/s), the serial rate of the adapter, and the wires",
    );
  return new CerebellumError(
    "LINK_SILENT",
    `${name}: nothing answered ${waited}`,
    "Check that the hand is switched on, that the adapter runs at 1 Mbit/s, both CAN wires and the terminators",
  );
}

const silent = ({ link, config }: Bench, what: string): CerebellumError =>
  new CerebellumError(
    "LINK_SILENT",
    `${link.bus?.name ?? "the bus"}: the hand ${what} within ${config.answerTimeoutMs} ms`,
    "Switch the hand off and on, and check `model` in the cell file",
  );

const mismatch = (happened: string, remedy: string): CerebellumError =>
  new CerebellumError("DEVICE_MISMATCH", happened, remedy);

export const idText = (id: number): string => `0x${id.toString(16).toUpperCase()}`;

const versionText = (version: number): string => `${version >> 8}.${version & 0xff}`;
