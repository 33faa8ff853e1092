/**
 * The vendor's own controller as a baseline: it stands or walks for a while, asked for through the robot's JSON interface, and
 * what the robot says of itself meanwhile is noted. Nobody may drive the motors: both at once is how robots fall.
 */
import { type Clock, sleepMs } from "../../core/clock.js";
import { CerebellumError, errorText } from "../../core/errors.js";
import type { DigitJson, JsonLoss } from "../../drivers/digit/links.js";
import type { WalkVelocity } from "../../kinematics/digit/stepping.js";

export interface VendorPlan {
  /** Absent: it stands. */
  readonly velocity?: WalkVelocity | undefined;
  readonly seconds: number;
}

export interface VendorMoment {
  readonly atS: number;
  readonly mode: string;
  /** Undefined where the robot does not say. */
  readonly leftFootInContact: boolean | undefined;
  readonly rightFootInContact: boolean | undefined;
}

export interface VendorRun {
  readonly robotName: string;
  readonly asked: "stand" | "move";
  readonly velocity?: WalkVelocity | undefined;
  readonly moments: readonly VendorMoment[];
  readonly lastedS: number;
  readonly endedBecause: "time is over" | "it was interrupted";
  /** What could not be given back; empty when all could. */
  readonly notGivenBack: string;
}

const MOMENT_MS = 500;

/**
 * Opens the connection and closes it; the robot stands in the end, whatever happened.
 *
 * @param onMoment told twice a second what the robot says
 * @throws CerebellumError COMMAND_REFUSED where the robot is in another mode than `locomotion`, DEVICE_REFUSED what the robot
 *   refuses, DEVICE_FAULT when it takes control away meanwhile, and what the link throws
 */
export async function runVendorAction(
  { clock, json }: { readonly clock: Clock; readonly json: DigitJson },
  { velocity, seconds }: VendorPlan,
  onMoment: (moment: VendorMoment) => void,
  signal: AbortSignal,
): Promise<VendorRun> {
  await json.open(signal);
  const over = new AbortController();
  let loss: JsonLoss | undefined;
  const undo = json.onLost((lost) => {
    loss ??= lost;
    over.abort();
  });
  const moments: VendorMoment[] = [];
  let notGivenBack = "";
  let startMs = clock.nowMs();
  const passedS = () => (clock.nowMs() - startMs) / 1000;
  try {
    refuseOtherModes(json.mode);
    await json.takeActions(signal);
    try {
      await (velocity === undefined ? json.stand() : json.walk(velocity));
      startMs = clock.nowMs();
      const ended = AbortSignal.any([signal, over.signal]);
      while (!ended.aborted && passedS() < seconds) {
        await sleepMs(clock, Math.min(MOMENT_MS, 1000 * (seconds - passedS())), ended);
        moments.push({ atS: passedS(), ...saidBy(json) });
        onMoment(moments.at(-1)!);
      }
    } finally {
      // Walking goes on until it is told otherwise.
      if (velocity !== undefined && loss === undefined) await json.stand().catch(noteFailure);
      notGivenBack = [notGivenBack, await json.dropActions()].filter((text) => text !== "").join("; ");
    }
  } finally {
    undo();
    await json.close();
  }
  if (loss !== undefined) throw lost(loss);
  return {
    robotName: json.robotName,
    asked: velocity === undefined ? "stand" : "move",
    velocity,
    moments,
    lastedS: moments.at(-1)?.atS ?? 0,
    endedBecause: signal.aborted ? "it was interrupted" : "time is over",
    notGivenBack,
  };

  function noteFailure(thrown: unknown): void {
    notGivenBack = `it may still be walking: ${errorText(thrown)}`;
  }
}

const saidBy = ({ status: { mode, leftFootInContact, rightFootInContact } }: DigitJson) => ({
  mode: mode ?? "unknown",
  leftFootInContact,
  rightFootInContact,
});

function refuseOtherModes(mode: DigitJson["mode"]): void {
  if (mode === "locomotion") return;
  if (mode === "low-level-api")
    throw new CerebellumError(
      "COMMAND_REFUSED",
      "Another program drives this Digit's motors: its mode is low-level-api",
      "Hang the robot, end that program (`./cerebellum stop --shutdown` for a cell), stand it up by the vendor's own interface, then ask again",
    );
  throw new CerebellumError(
    "COMMAND_REFUSED",
    `The vendor's controller does not stand: the robot's mode is ${mode ?? "unknown"}`,
    "Stand it up by the vendor's own interface, then ask again",
  );
}

const lost = ({ kind, happened }: JsonLoss): CerebellumError =>
  new CerebellumError(
    kind === "closed" || kind === "silent" ? "LINK_CLOSED" : "DEVICE_FAULT",
    `the vendor's controller is not ours to ask any more: ${happened}`,
    "Look at the robot; what it was told last may go on",
  );
