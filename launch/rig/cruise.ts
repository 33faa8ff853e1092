/** Brings a rig's arm into a cruise at constant speed, from whatever state the last round left it in. */
import { sleepMs } from "../../core/clock.js";
import type { ServoClient } from "../../runtime/servo/api.js";
import { systemClock } from "../systemClock.js";
import type { ArmRig } from "./armRig.js";

/** Inside of the workspace, above the table; the first joint swings about 0. */
export const HOME_RAD = [0, -0.3, 0, 0.9, 0, 1.2, 0] as const;
const FAR_RAD = 0.9;
const SPEED_SCALE = 0.4;
/** Speed limit over acceleration limit, plus acceleration over jerk, with room. */
const RAMP_MS = 380;
const SETTLE_MS_MAX = 4000;

export interface CruiseOptions {
  readonly validMs: number;
  readonly everyMs: number;
  /** Past the ramp [ms]; random, so that triggers fall anywhere between two ticks. */
  readonly extraMs: number;
}

/** Leads to `holding`, through reset and enable where that is needed. */
export async function toHolding(rig: ArmRig, startLatched?: string): Promise<ServoClient> {
  const observer = await rig.needServo(startLatched);
  const supervisor = await rig.needClient("supervisor");
  await rig.until(
    "a settled state",
    () => !["stopping", "disconnected", undefined].includes(rig.state),
    SETTLE_MS_MAX,
  );
  if (rig.state === "stopped" || rig.state === "faulted") await supervisor.ask({ do: "reset" });
  await rig.until("a known state", () => rig.state !== "stopped" && rig.state !== "faulted");
  if (rig.state === "connected") await supervisor.ask({ do: "enable" });
  await rig.until("an enabled arm", () => rig.state === "holding" || rig.state === "following");
  return observer;
}

/** @returns when the arm cruises; the emulator's log then holds this approach alone */
export async function toCruise(rig: ArmRig, options: CruiseOptions): Promise<ServoClient> {
  const observer = await toHolding(rig);
  const commander = await rig.needClient("commander");
  if (rig.state !== "following") await commander.ask({ do: "lease" });
  await rig.emulator.ask({ do: "clearLog" });
  const standsAtRad = observer.latest()!.positionRad[0]!;
  // Always across the middle, so that the way is long enough for whatever the trigger waits for.
  const direction = standsAtRad > 0 ? -1 : 1;
  await commander.ask({
    do: "follow",
    targetRad: [direction * FAR_RAD, ...HOME_RAD.slice(1)],
    speedScale: SPEED_SCALE,
    validMs: options.validMs,
    everyMs: options.everyMs,
  });
  await sleepMs(systemClock, RAMP_MS + options.extraMs);
  return observer;
}
