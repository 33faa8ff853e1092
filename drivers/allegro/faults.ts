/**
 * Troubles of a running hand: what happened, what a person should do, how grave it is. Whatever is not a warning has
 * made the hand limp by the time it is told. Motor error bits: manual of the V5, error message 0xEE; the rest is ours.
 */
import { ALLEGRO_JOINT_NAMES, FINGERS } from "../../kinematics/allegro/hand.js";
import type { Fault } from "../contract.js";
import { MOTOR_ERROR_BITS, type MotorError, motorErrorsOf } from "./protocol/index.js";

type Row = readonly [severity: Fault["severity"], cause: string, remedy: string];

const RESET = "Look at the hand, then reset and enable again";
const COOL = "Let the hand cool down, lower torqueShareMax or the gains, then reset and enable again";
const WIRES = "Check the hand's supply and the CAN wires, then reset and enable again";

/** `{}` stands for what was found. */
const ROWS = {
  FINGER_SILENT: ["stop", "The {}", WIRES],
  SETS_INCOMPLETE: [
    "stop",
    "For {} no positions of all four fingers came together, although no finger was silent for long",
    WIRES,
  ],
  LATE: [
    "stop",
    "The driver was not run for {}; the hand kept its last torque meanwhile",
    "Give the servo process real-time priority and a CPU of its own, then reset and enable again",
  ],
  COMMANDS_SILENT: ["stop", "No setpoint came for {} while the hand was powered", RESET],
  NOT_FINITE: [
    "stop",
    "The control law gave something that is no number",
    "Check the gains in the cell file, then reset and enable again",
  ],
  POSITION_JUMP: [
    "stop",
    "{} between two position frames, further than a joint can turn",
    "Switch the hand off and on; if it returns, its encoder needs service",
  ],
  ADAPTER_BEHIND: [
    "stop",
    "The CAN adapter did not take torque frames {} times in a row",
    "Use a faster serial rate or another adapter, see drivers/can/README.md, then reset and enable again",
  ],
  SERVO_OFF: [
    "stop",
    "The hand says that its servo is off, and nobody here has switched it off",
    "End other programs that use this bus, then reset and enable again",
  ],
  OVER_TEMPERATURE: ["stop", "The hand reports its over-temperature fault", COOL],
  COMMUNICATION: [
    "power",
    "The hand reports its internal communication fault",
    "Switch the hand off and on, then reset and enable again; if it returns, ask the vendor",
  ],
  WARM: ["warning", "{}", "Give the hand a rest, or lower torqueShareMax"],
  HOT: ["stop", "{}", COOL],
  INFO_SILENT: ["stop", "The hand has not answered for its temperature and fault bits for {}", WIRES],
  INFO_UNANSWERED: [
    "warning",
    "This hand does not answer for its information, as V5 firmware often does not: model and firmware are believed, temperature and fault bits are not watched",
    "Check `model` and `side` in the cell file against the label on the hand",
  ],
  PERIOD_SHORT: [
    "stop",
    "The hand sends positions every {}: its speeds, and with them the damping, would be wrong",
    "Set `periodMs` in the cell file to what the hand does, or switch the hand off and on, then enable again",
  ],
  TEMPERATURE_SILENT: [
    "stop",
    "The hand has not answered for the temperature of {} for some seconds, as it did before",
    WIRES,
  ],
  TEMPERATURE_UNANSWERED: [
    "warning",
    "This hand does not answer for the temperature of {}: it is not watched",
    "Let the hand rest now and then, and feel whether it gets hot",
  ],
  OTHER_HAND: [
    "stop",
    "A second hand sends on this bus, identifier {}: both would obey one host",
    "Give each hand a bus of its own, then reset and enable again",
  ],
  SECOND_COMMANDER: [
    "stop",
    "A frame with identifier {} came from the bus: somebody else commands this hand",
    "End the other program or take its adapter off the bus, then reset and enable again",
  ],
  STRANGER: [
    "warning",
    "Another device sends on the hand's bus, identifier {}",
    "Give the hand a bus of its own",
  ],
  STOP_UNHEARD: [
    "power",
    "The hand still sends positions after it was told {} times to be off",
    "Switch the hand's power off",
  ],
  GUARDIAN_GONE: [
    "stop",
    "The guardian process cannot watch over this hand: {}",
    "Reset and enable again: that starts it anew",
  ],
} as const satisfies Record<string, Row>;

/** Troubles of the connection: the driver can neither command nor read the hand. */
const LINK_ROWS = {
  BUS_OFF: [
    "stop",
    "The CAN bus went off: {}",
    "Check the hand's supply, the wires and the terminators, then reset and enable again",
  ],
  BUS_LOST: ["stop", "The CAN adapter is gone: {}", "Plug the adapter in again, then reset and enable again"],
} as const satisfies Record<string, Row>;

const MOTOR_ROWS: Readonly<Record<MotorError, Row>> = {
  voltage: [
    "power",
    "supply voltage out of range",
    "Check the supply (24 V), then switch the hand off and on",
  ],
  overheat: ["stop", "overheated", COOL],
  electricalShock: [
    "power",
    "electrical shock",
    "Check the supply and its earth, then switch the hand off and on",
  ],
  overload: ["stop", "overloaded", "Free the finger, then reset and enable again"],
};

export type FaultName = keyof typeof ROWS;
export type LinkFaultName = keyof typeof LINK_ROWS;

export const handFault = (name: FaultName, found = ""): Fault => faultOf(name, "device", ROWS[name], found);
export const linkFault = (name: LinkFaultName, found: string): Fault =>
  faultOf(name, "link", LINK_ROWS[name], found);

/** @param finger 0 index to 3 thumb; its name is part of the code, so that each finger's silence is told */
export const fingerFault = (finger: number, silentMs: number): Fault => ({
  ...handFault("FINGER_SILENT", `${FINGERS[finger]} finger sent no positions for ${silentMs.toFixed(1)} ms`),
  code: `ALLEGRO_FINGER_SILENT_${FINGERS[finger]!.toUpperCase()}`,
  deviceCode: finger,
});

/** @param motor as the hand counts them; @param bits of its error message: one fault for each, one for those unknown */
export function motorFaults(motor: number, bits: number): Fault[] {
  const fault = (name: string, [severity, detail, remedy]: Row): Fault => ({
    code: `ALLEGRO_M${motor}_${name}`,
    deviceCode: bits,
    kind: "device",
    severity,
    cause: `Motor ${motor} of the hand: ${detail}`,
    remedy,
  });
  const known = motorErrorsOf(bits);
  const unknownBits = known.reduce((left, name) => left & ~(1 << MOTOR_ERROR_BITS[name]), bits);
  const faults = known.map((name) => fault(name.toUpperCase(), MOTOR_ROWS[name]));
  if (unknownBits === 0) return faults;
  return [
    ...faults,
    fault("UNKNOWN", ["stop", `error bits 0x${unknownBits.toString(16)}, not known here`, RESET]),
  ];
}

export const jumpText = (joint: number, jumpRad: number): string =>
  `${ALLEGRO_JOINT_NAMES[joint]} moved ${jumpRad.toFixed(2)} rad`;

function faultOf(name: string, kind: Fault["kind"], [severity, cause, remedy]: Row, found: string): Fault {
  return {
    code: `ALLEGRO_${name}`,
    deviceCode: 0,
    kind,
    severity,
    cause: cause.replace("{}", found),
    remedy,
  };
}

/** Every fault there is, for the manual and for tests. */
export const allFaults = (): Fault[] => [
  ...(Object.keys(ROWS) as FaultName[])
    .filter((name) => name !== "FINGER_SILENT")
    .map((name) => handFault(name, "(what was found)")),
  ...FINGERS.map((_, finger) => fingerFault(finger, 7)),
  ...(Object.keys(LINK_ROWS) as LinkFaultName[]).map((name) => linkFault(name, "(what was found)")),
  ...motorFaults(1, 0xff),
];
