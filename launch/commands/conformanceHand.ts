/**
 * `conformance allegro --device PATH`: the check-list that a laboratory goes through first with a hand of its own. Limp, unless
 * `--enable` is given and a person says yes: then it holds where it stands for a few seconds with a third of its torque.
 */
import { createInterface } from "node:readline";
import { sleepMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import { AllegroConfig } from "../../drivers/allegro/config.js";
import { type FirstContact, lookAtHand } from "../../drivers/allegro/firstContact.js";
import { CanConfig, openCanBus } from "../../drivers/can/config.js";
import { FINGERS } from "../../kinematics/allegro/hand.js";
import { HandServoConfig } from "../../runtime/servo/config.js";
import { allegroDevice } from "../allegro/device.js";
import { makeThisThreadFifo } from "../realtime.js";
import { systemClock } from "../systemClock.js";
import { printer, writeJson } from "./output.js";

export interface HandCheckOptions {
  readonly device?: string;
  readonly interface?: string;
  readonly baudRate?: number;
  readonly seconds: number;
  readonly enable?: boolean;
  readonly json?: string;
}

const HOLD_MS = 3000;
const HOLD_TORQUE_SHARE = 0.3;
const TARGET_EVERY_MS = 3;
/** A joint that leaves its place by more than this does not hold it [rad]; soft gains let it sag. */
const LEFT_RAD_MAX = 0.15;

interface Held {
  readonly seconds: number;
  readonly leftRad: readonly number[];
  readonly reportToCommandP99Us: number;
  readonly faults: readonly string[];
}

/** @throws CHECK_FAILED after printing, when anything is wrong; the bus's reasons when there is none */
export async function checkHand(options: HandCheckOptions): Promise<void> {
  const print = printer(options.json);
  const can = canOf(options);
  print(
    `listening, asking, then watching for ${options.seconds} s; the hand stays limp: bend each finger by hand`,
  );
  // As a servo process has it: what is measured here is what it would see.
  makeThisThreadFifo(HandServoConfig.parse({}).realtimePriority);
  const { signal } = new AbortController();
  const contact = await lookAtHand({
    open: openCanBus(can, systemClock),
    clock: systemClock,
    seconds: options.seconds,
    signal,
  });
  for (const line of describe(contact)) print(line);
  const held = contact.passed && options.enable ? await enable(can, contact, print) : undefined;
  writeJson(options.json, { ...contact, ...(held === undefined ? {} : { held }) });
  const trouble = contact.passed ? troubleOf(held) : "the hand did not pass its first look";
  if (trouble !== undefined)
    throw new CerebellumError("CHECK_FAILED", trouble, "Follow the remedies above, then run it again");
  if (!options.enable) print("Next, with everybody clear of the fingers: the same with --enable");
}

function canOf({ device, interface: name, baudRate }: HandCheckOptions): CanConfig {
  const slcan =
    device === undefined ? {} : { slcan: { path: device, ...(baudRate === undefined ? {} : { baudRate }) } };
  const parsed = CanConfig.safeParse({
    ...slcan,
    ...(name === undefined ? {} : { socketcan: { interface: name } }),
  });
  if (parsed.success) return parsed.data;
  throw new CerebellumError(
    "CONFIG_INVALID",
    `the adapter is not clear: ${parsed.error.issues[0]!.message}`,
    "Give --device /dev/serial/by-id/… or --interface can0",
  );
}

const SIGNS = { ok: "ok   ", weak: "weak ", wrong: "WRONG" } as const;

function describe({ bus, findings, positionRad, framesPerS }: FirstContact): string[] {
  return [
    bus,
    ...findings.flatMap(({ level, text, remedy }) => [
      `${SIGNS[level]}  ${text}`,
      ...(remedy === undefined ? [] : [`       ${remedy}`]),
    ]),
    ...FINGERS.map((finger, index) => {
      const angles = positionRad.slice(4 * index, 4 * index + 4).map((rad) => rad.toFixed(3).padStart(7));
      return `  ${finger.padEnd(7)} ${angles.join(" ")} rad, ${framesPerS[index]!.toFixed(0)} frames/s`;
    }),
  ];
}

async function enable(
  can: CanConfig,
  contact: FirstContact,
  print: (line: string) => void,
): Promise<Held | undefined> {
  const { model, side } = contact;
  if (model === undefined || side === undefined)
    throw new CerebellumError(
      "DEVICE_MISMATCH",
      "the hand does not say which one it is",
      "Write model and side into a cell file and enable it from there",
    );
  print(
    `The hand is going to be powered for ${HOLD_MS / 1000} s, with ${100 * HOLD_TORQUE_SHARE} % of its torque, and to hold where it stands. Clear of the fingers, and a hand on its switch? Type yes:`,
  );
  if ((await readLine()) !== "yes") {
    print("not enabled");
    return undefined;
  }
  const config = AllegroConfig.parse({ can, model, side, torqueShareMax: HOLD_TORQUE_SHARE });
  const servo = HandServoConfig.parse({});
  const { driver } = allegroDevice("check", config, servo);
  const faults: string[] = [];
  driver.onFault(({ severity, cause }) => {
    if (severity !== "warning") faults.push(cause);
  });
  const { signal } = new AbortController();
  try {
    await driver.configure(signal);
    await driver.activate(signal);
    const startRad = Float64Array.from(driver.state().positionRad);
    const leftRad = startRad.map(() => 0);
    const endMs = systemClock.nowMs() + HOLD_MS;
    while (systemClock.nowMs() < endMs && faults.length === 0) {
      driver.command(startRad);
      driver.state().positionRad.forEach((rad, joint) => {
        leftRad[joint] = Math.max(leftRad[joint]!, Math.abs(rad - startRad[joint]!));
      });
      await sleepMs(systemClock, TARGET_EVERY_MS);
    }
    const held = {
      seconds: HOLD_MS / 1000,
      leftRad: [...leftRad],
      reportToCommandP99Us: driver.reportToCommand.percentileUs(0.99),
      faults,
    };
    print(
      `held for ${held.seconds} s: joints left their place by at most ${Math.max(...leftRad).toFixed(3)} rad; torques follow a set within ${held.reportToCommandP99Us.toFixed(0)} us (p99); limp again`,
    );
    return held;
  } finally {
    await driver.close();
  }
}

function troubleOf(held: Held | undefined): string | undefined {
  if (held === undefined) return undefined;
  if (held.faults.length > 0) return held.faults.join("; ");
  const most = Math.max(...held.leftRad);
  return most > LEFT_RAD_MAX
    ? `a joint left its place by ${most.toFixed(3)} rad while it was to hold it`
    : undefined;
}

async function readLine(): Promise<string> {
  const lines = createInterface({ input: process.stdin });
  try {
    for await (const line of lines) return line.trim();
    return "";
  } finally {
    lines.close();
  }
}
