/** The order in which a hand is powered: without torque, and only when it is well and stands where it may. */
import type { ArmLimits } from "../../core/arm.js";
import { CerebellumError } from "../../core/errors.js";
import { ALLEGRO_JOINT_NAMES } from "../../kinematics/allegro/hand.js";
import type { CanFrame } from "../can/frame.js";
import { type Bench, period, waitFor } from "./bringUp.js";
import type { AllegroConfig } from "./config.js";
import { handFault } from "./faults.js";
import { type HandInfo, requestInfo, systemOn, zeroTorqueFrames } from "./protocol/index.js";

/** Sets after switching on: the filter has settled, and the stream flows. */
const SETS = 10;
const TRIES = 3;
/** A limp finger may rest on its stop, a little outside of its range; further out the position cannot be trusted. */
const OUTSIDE_RAD_MAX = 0.2;

/** Resolves with the servo on, no torque, and fresh positions of all fingers. @throws CerebellumError */
export async function powerOn(
  bench: Bench,
  answersInfo: boolean,
  limits: ArmLimits,
  signal: AbortSignal,
): Promise<void> {
  const { link, config } = bench;
  const { poses } = link;
  link.refuseDown();
  poses.restart();
  mustWrite(bench, [...zeroTorqueFrames(), period(config)]);
  if (answersInfo) refuseIll(config, await askInfo(bench, signal));
  const startedAt = poses.state.sequence;
  mustWrite(bench, [...zeroTorqueFrames(), systemOn()]);
  const flows = () => poses.state.sequence >= startedAt + SETS;
  if (!(await waitFor(bench, flows, config.answerTimeoutMs, signal)))
    throw new CerebellumError(
      "LINK_SILENT",
      `the hand sent ${poses.state.sequence - startedAt} complete position sets in ${config.answerTimeoutMs} ms after it was switched on (needed: ${SETS})`,
      "Check its supply and the serial rate of the adapter, then reset and enable again",
    );
  if (answersInfo && !(await askInfo(bench, signal)).servoOn)
    throw new CerebellumError(
      "DEVICE_REFUSED",
      "the hand was switched on, but says that its servo is off",
      "Check its supply and its emergency switch, and end other programs that use this bus",
    );
  refuseOutside(poses.state.positionRad, limits);
}

function mustWrite({ link }: Bench, frames: readonly CanFrame[]): void {
  if (link.write(frames)) return;
  throw new CerebellumError(
    "DEVICE_REFUSED",
    `${link.bus?.name ?? "the adapter"} takes no frames`,
    "Enable again; if it returns, unplug the adapter and plug it in again",
  );
}

async function askInfo(bench: Bench, signal: AbortSignal): Promise<HandInfo> {
  const { link, config } = bench;
  link.info = undefined;
  for (let attempt = 0; attempt < TRIES; attempt++) {
    link.write([requestInfo()]);
    await waitFor(bench, () => link.info !== undefined, config.answerTimeoutMs / TRIES, signal);
    // The compiler does not see that a frame has come meanwhile.
    const info = link.info as HandInfo | undefined;
    if (info !== undefined) return info;
  }
  throw new CerebellumError(
    "LINK_SILENT",
    `the hand did not answer for its information within ${config.answerTimeoutMs} ms`,
    "Check its supply and the CAN wires, then reset and enable again",
  );
}

function refuseIll({ temperatureStopC }: AllegroConfig, info: HandInfo): void {
  const fault =
    info.overTemperature || (info.temperatureC ?? 0) >= temperatureStopC
      ? handFault("HOT", `The hand has ${info.temperatureC ?? "?"} °C (limit ${temperatureStopC} °C)`)
      : info.communicationFault
        ? handFault("COMMUNICATION")
        : undefined;
  if (fault !== undefined) throw new CerebellumError("DEVICE_FAULT", fault.cause, fault.remedy);
}

function refuseOutside(positionRad: Float64Array, { positionMinRad, positionMaxRad }: ArmLimits): void {
  for (const [joint, standsRad] of positionRad.entries()) {
    const [minRad, maxRad] = [positionMinRad[joint]!, positionMaxRad[joint]!];
    if (standsRad >= minRad - OUTSIDE_RAD_MAX && standsRad <= maxRad + OUTSIDE_RAD_MAX) continue;
    throw new CerebellumError(
      "DEVICE_REFUSED",
      `${ALLEGRO_JOINT_NAMES[joint]} stands at ${standsRad.toFixed(3)} rad, outside of its limits ${minRad} to ${maxRad} rad`,
      "Move the limp finger into its range by hand; if it is there already, `model` or `side` is wrong, or the hand needs service",
    );
  }
}
