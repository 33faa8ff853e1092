/** Troubles of a running Digit: what happened, what a person should do. Every one but a warning has ended in damping. */
import type { Fault } from "../contract.js";

type Row = readonly [
  kind: Fault["kind"],
  severity: Fault["severity"],
  /** `{}` stands for what was found. */
  cause: string,
  remedy: string,
];

const RESET = "Look at the robot and hang it or stand it up, then reset and enable again";
const NETWORK = "Check the network to the robot and its load, then reset and enable again";
const SENSORS = "Start the robot anew; if it returns, ask the vendor";

const ROWS = {
  FALLEN: ["device", "stop", "The base {}: the robot falls", RESET],
  ERROR_FLAG: [
    "device",
    "stop",
    "The robot has set its error flag: reduced performance, or a fault that is coming ({})",
    "See the robot's own interface, then reset and enable again",
  ],
  OBSERVATION_OLD: ["device", "stop", "No observation came for {}", NETWORK],
  OBSERVATION_FROZEN: ["device", "stop", "Observations come, and their time stands still for {}", SENSORS],
  NOT_FINITE: ["device", "stop", "An observation holds a number that is none: {}", SENSORS],
  QUATERNION: ["device", "stop", "The base's orientation is no unit quaternion: {}", SENSORS],
  ENCODER: [
    "device",
    "stop",
    "{}: an encoder has slipped, or a reading is wrong",
    "Hang the robot, turn the joint by hand and compare with `./cerebellum status`; have it calibrated, then reset and enable",
  ],
  TORQUE: ["device", "stop", "{}, more than the motor announced", RESET],
  SPEED: ["device", "stop", "{}, faster than the motor announced", RESET],
  POSITION: ["device", "stop", "{}, beyond its range", RESET],
  BATTERY_LOW: ["device", "warning", "The battery has {} left", "Charge it soon"],
  BATTERY_EMPTY: ["device", "stop", "The battery has {} left", "Charge it"],
  COMMANDS_SILENT: ["device", "stop", "No command came for {} although the robot was driven", RESET],
  MODE_LOST: ["device", "stop", "The robot has left low-level control: {}", RESET],
  PRIVILEGE_LOST: [
    "device",
    "stop",
    "Another client has taken the robot's actions: {}",
    "End the other client, then reset and enable again",
  ],
  STREAM_LOST: ["link", "stop", "Observations come no more: {}", NETWORK],
  JSON_LOST: ["link", "stop", "The robot's JSON interface is gone: {}", NETWORK],
} as const satisfies Record<string, Row>;
export type DigitFaultName = keyof typeof ROWS;

/** @param found what was found, with its unit and its limit */
export function digitFault(name: DigitFaultName, found: string): Fault {
  const [kind, severity, cause, remedy] = ROWS[name];
  return { code: `DIGIT_${name}`, deviceCode: 0, kind, severity, cause: cause.replace("{}", found), remedy };
}

/** Every fault there is, for the manual and for tests. */
export const allDigitFaults = (): Fault[] =>
  (Object.keys(ROWS) as DigitFaultName[]).map((name) => digitFault(name, "(what was found)"));
