/** `digit vendor stand|move`: asks the vendor's own controller of a Digit to stand or to walk, as a baseline. */
import { CerebellumError } from "../../core/errors.js";
import { DigitJsonLink } from "../../drivers/digit/jsonLink.js";
import type { WalkVelocity } from "../../kinematics/digit/stepping.js";
import { loadCell } from "../cell/load.js";
import { digitsOf } from "../cell/robotConfig.js";
import { systemClock } from "../systemClock.js";
import {
  runVendorAction,
  type VendorMoment,
  type VendorPlan,
  type VendorRun,
} from "../tasks/vendorAction.js";
import { printer, writeJson } from "./output.js";
import { untilInterrupted } from "./trialSeries.js";

export interface DigitVendorOptions {
  readonly cell: string;
  readonly seconds: number;
  readonly json?: string;
}

/** As policies for this robot are trained: nobody has published what the vendor's controller walks at most. */
const FASTEST: WalkVelocity = { forwardMPerS: 1, leftMPerS: 0.3, yawRateRadPerS: 1 };
const OPTION: Readonly<Record<keyof WalkVelocity, string>> = {
  forwardMPerS: "--forward",
  leftMPerS: "--left",
  yawRateRadPerS: "--yaw",
};

export const digitVendorStand = (options: DigitVendorOptions): Promise<void> =>
  run({ seconds: options.seconds }, options);

export async function digitVendorMove({
  forward,
  left,
  yaw,
  ...options
}: DigitVendorOptions & Readonly<Record<"forward" | "left" | "yaw", number>>): Promise<void> {
  const velocity = { forwardMPerS: forward, leftMPerS: left, yawRateRadPerS: yaw };
  for (const name of Object.keys(FASTEST) as (keyof WalkVelocity)[])
    if (!(Math.abs(velocity[name]) <= FASTEST[name]))
      throw new CerebellumError(
        "CONFIG_INVALID",
        `${OPTION[name]} is ${velocity[name]}; expected at most ${FASTEST[name]} either way`,
        "Walk more slowly",
      );
  await run({ velocity, seconds: options.seconds }, options);
}

async function run(plan: VendorPlan, { cell: cellFile, json: target }: DigitVendorOptions): Promise<void> {
  const cell = loadCell(cellFile);
  const [found] = digitsOf(cell.robots);
  if (found === undefined)
    throw new CerebellumError("CONFIG_INVALID", `Cell ${cell.name} has no Digit`, "Name one with --cell");
  const { host, jsonPort: port, jsonSilenceMsMax: silenceMsMax } = found[1].digit;
  const json = new DigitJsonLink({ clock: systemClock, host, port, silenceMsMax });
  const print = printer(target);
  print(
    `${host}:${port}: ${wordsOf(plan)} for ${plan.seconds} s, by the robot's own controller; Ctrl-C ends it`,
  );
  if (cell.lab !== undefined && plan.velocity !== undefined) print(IN_THE_LAB);
  const result = await untilInterrupted((signal) =>
    runVendorAction({ clock: systemClock, json }, plan, (moment) => print(momentText(moment)), signal),
  );
  print(endText(result));
  writeJson(target, result);
}

const IN_THE_LAB =
  "In the lab its torso is carried at that velocity and its legs step beneath it: what a client sees of a walk, and no balance";

const wordsOf = ({ velocity }: VendorPlan): string =>
  velocity === undefined
    ? "stand"
    : `walk ${velocity.forwardMPerS} m/s forward, ${velocity.leftMPerS} m/s left, ${velocity.yawRateRadPerS} rad/s`;

const foot = (isDown: boolean | undefined): string => (isDown === undefined ? "?" : isDown ? "down" : "up");

const momentText = ({ atS, mode, leftFootInContact, rightFootInContact }: VendorMoment): string =>
  `  ${atS.toFixed(1)} s: ${mode}, left foot ${foot(leftFootInContact)}, right foot ${foot(rightFootInContact)}`;

const endText = ({ robotName, lastedS, endedBecause, notGivenBack }: VendorRun): string =>
  `${robotName === "" ? "the robot" : robotName} stands after ${lastedS.toFixed(1)} s: ${endedBecause}${notGivenBack === "" ? "" : `; not given back: ${notGivenBack}`}`;
