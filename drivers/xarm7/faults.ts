/**
 * Vendor codes as faults: what happened, what a person should do, and how grave it is. `stop` may be cleared by an
 * explicit reset; `power` needs the controller or the arm restarted by a person. Meanings: xarm-python-sdk 1.18.4 and
 * the vendor's user manual; severities are ours (issues #32 and #114 of the SDK: which joint errors survive clearing).
 */
import type { Fault } from "../contract.js";
import { JOINT_COUNT } from "./protocol/index.js";

type Severity = Fault["severity"];
type Row = readonly [name: string, severity: Severity, cause: string, remedy: string];

const RESET = "Clear the workspace, then reset and enable again";
const RESTART =
  "Switch the control box off and on, then reset and enable again; if it returns, ask the vendor";
const SLOWER = "Lower the servo's velocity and acceleration limits, then reset and enable again";

/** Error byte of reports and of getErrorCodes. */
const ERRORS: Readonly<Record<number, Row>> = {
  1: [
    "ESTOP_BUTTON",
    "stop",
    "The emergency stop button of the control box is pressed",
    "Release the button, then reset and enable again",
  ],
  2: [
    "ESTOP_INPUT",
    "stop",
    "The emergency input (EI) of the control box is open",
    "Close the safety circuit, then reset and enable again",
  ],
  3: [
    "ENABLE_SWITCH",
    "stop",
    "The three-state enabling switch was released",
    "Hold the switch in its middle position, then reset and enable again",
  ],
  10: ["SERVO", "power", "A joint servo reports an error", RESTART],
  11: ["JOINT_1", "power", "The servo of joint 1 reports an error", RESTART],
  12: ["JOINT_2", "power", "The servo of joint 2 reports an error", RESTART],
  13: ["JOINT_3", "power", "The servo of joint 3 reports an error", RESTART],
  14: ["JOINT_4", "power", "The servo of joint 4 reports an error", RESTART],
  15: ["JOINT_5", "power", "The servo of joint 5 reports an error", RESTART],
  16: ["JOINT_6", "power", "The servo of joint 6 reports an error", RESTART],
  17: ["JOINT_7", "power", "The servo of joint 7 reports an error", RESTART],
  18: [
    "FORCE_SENSOR_LINK",
    "stop",
    "The force sensor does not answer",
    "Check its cable, then reset and enable again",
  ],
  19: [
    "TOOL_LINK",
    "stop",
    "The gripper or tool does not answer on the tool's RS485",
    "Check the tool's cable, then reset and enable again",
  ],
  21: ["KINEMATIC", "stop", "The commanded pose has no joint solution", RESET],
  22: [
    "SELF_COLLISION",
    "stop",
    "The arm would collide with itself",
    "Guide the arm away in teach mode, then reset and enable again",
  ],
  23: [
    "JOINT_LIMIT",
    "stop",
    "A joint left its position range",
    "Guide the joint back in teach mode, then reset and enable again",
  ],
  24: ["JOINT_SPEED", "stop", "A joint was commanded faster than the controller allows", SLOWER],
  25: ["PLANNING", "stop", "The controller could not plan the motion", RESET],
  26: ["LINUX_REALTIME", "power", "The controller's real-time system failed", RESTART],
  27: ["COMMAND_REPLY", "stop", "A command got a wrong reply inside the controller", RESET],
  28: [
    "TOOL_MODULE",
    "stop",
    "The end module of the arm does not answer",
    "Check the tool's cable, then reset and enable again",
  ],
  29: ["OTHER", "stop", "The controller reports an error without further detail", RESET],
  30: ["FEEDBACK_SPEED", "stop", "A joint moved faster than the controller allows", SLOWER],
  31: [
    "COLLISION_CURRENT",
    "stop",
    "Motor currents show a collision, or the configured load is wrong",
    "Look for the obstacle, check toolLoadKg and toolCentreOfMassM, then reset and enable again",
  ],
  32: ["CIRCLE", "stop", "A circular move could not be computed", RESET],
  33: [
    "BOX_IO",
    "stop",
    "The input and output board of the control box reports an error",
    "Check its wiring, then reset and enable again",
  ],
  34: ["RECORD_TIMEOUT", "stop", "Recording a trajectory took too long", RESET],
  35: [
    "SAFETY_BOUNDARY",
    "stop",
    "The tool reached the controller's own safety boundary",
    "Guide the arm back in teach mode or change the boundary, then reset and enable again",
  ],
  36: ["TOO_MANY_DELAYED", "stop", "Too many delayed commands wait in the controller", RESET],
  37: [
    "MANUAL_MOTION",
    "stop",
    "Motion was refused in manual mode",
    "Leave manual mode on the control box, then reset and enable again",
  ],
  38: [
    "JOINT_ANGLE",
    "stop",
    "A joint angle is abnormal",
    "Guide the arm to an ordinary pose; if it returns, restart the control box",
  ],
  39: ["POWER_BOARD", "power", "The control box's power board does not answer", RESTART],
  40: ["NO_INVERSE", "stop", "The pose has no inverse kinematics solution", RESET],
  41: ["FRICTION_FILE", "power", "The controller's friction or calibration data cannot be used", RESTART],
  42: ["CALIBRATION_FILE", "power", "The controller's calibration data cannot be used", RESTART],
  50: [
    "FORCE_SENSOR",
    "stop",
    "The force sensor reports an error",
    "Check the sensor and its cable, then reset and enable again",
  ],
  51: [
    "FORCE_SENSOR_MODE",
    "stop",
    "The force sensor's mode cannot be set",
    "Check the sensor, then reset and enable again",
  ],
  52: [
    "FORCE_SENSOR_ZERO",
    "stop",
    "The force sensor cannot be zeroed",
    "Unload the sensor, then reset and enable again",
  ],
  53: [
    "FORCE_SENSOR_OVERLOAD",
    "stop",
    "The force sensor is overloaded",
    "Unload the sensor, then reset and enable again",
  ],
  60: [
    "SERVO_TOOL_SPEED",
    "stop",
    "The tool moved faster than the controller's limit for streamed setpoints (1.2 m/s unless changed)",
    SLOWER,
  ],
  110: ["BASE_BOARD", "power", "The arm's base board does not answer", RESTART],
  111: [
    "BOX_RS485",
    "stop",
    "The external device on the control box's RS485 does not answer",
    "Check its cable, then reset and enable again",
  ],
};

const WARNINGS: Readonly<Record<number, Row>> = {
  11: [
    "BUFFER_FULL",
    "warning",
    "The controller's command buffer is full",
    "Another program may send moves; end it",
  ],
  12: [
    "BAD_PARAMETER",
    "warning",
    "The controller got a command with a wrong parameter",
    "Check the firmware version against the tested ones",
  ],
  13: [
    "UNKNOWN_COMMAND",
    "warning",
    "The controller does not know a command",
    "Check the firmware version against the tested ones",
  ],
  14: [
    "NO_SOLUTION",
    "warning",
    "The controller found no solution for a command",
    "No action is needed unless it repeats",
  ],
  15: [
    "MODBUS_QUEUE_FULL",
    "warning",
    "The controller's Modbus queue is full",
    "Another program may use the gripper; end it",
  ],
};

/** Second byte of the rich report's servo pairs, for errors 10 to 17. */
const JOINT_DETAILS: Readonly<Record<number, readonly [cause: string, severity: Severity]>> = {
  10: ["current sensing failed", "power"],
  11: ["overcurrent", "power"],
  12: ["overspeed", "stop"],
  14: ["position command out of range", "stop"],
  15: ["overheated", "stop"],
  16: ["encoder failed", "power"],
  17: ["encoder failed", "power"],
  18: ["encoder failed", "power"],
  19: ["encoder battery is empty", "power"],
  20: ["driver chip failed", "power"],
  21: ["driver chip failed", "power"],
  22: ["encoder failed", "power"],
  23: ["position deviates too far from the command", "stop"],
  26: ["position over its positive range", "stop"],
  27: ["position over its negative range", "stop"],
  28: ["not enabled", "stop"],
  33: ["overloaded", "stop"],
  34: ["overloaded", "stop"],
  39: ["supply voltage too low or too high", "power"],
  40: ["supply voltage too low or too high", "power"],
  49: ["memory failed", "power"],
  52: ["initial angle is wrong", "power"],
};

/** Register 0x000F of the gripper. The arm can go on: the gripper only stops gripping. */
const GRIPPER_ERRORS: Readonly<Record<number, Row>> = {
  9: ["CURRENT_SENSE", "warning", "The gripper's current sensing failed", RESTART],
  11: [
    "OVERCURRENT",
    "warning",
    "The gripper drew too much current",
    "Free the fingers, then reset and enable again",
  ],
  12: [
    "OVERSPEED",
    "warning",
    "The gripper moved too fast",
    "Lower gripperSpeedRPerMin, then reset and enable again",
  ],
  14: ["COMMAND_RANGE", "warning", "The gripper got a position out of range", "Reset and enable again"],
  15: ["MEMORY", "warning", "The gripper's memory failed", RESTART],
  20: ["DRIVER_CHIP", "warning", "The gripper's driver chip failed", RESTART],
  21: ["DRIVER_CHIP", "warning", "The gripper's driver chip failed", RESTART],
  23: [
    "DEVIATION",
    "warning",
    "The gripper cannot reach its position",
    "Free the fingers, then reset and enable again",
  ],
  25: ["SOFT_LIMIT", "warning", "The gripper met its soft limit", "Reset and enable again"],
  26: ["SOFT_LIMIT", "warning", "The gripper met its soft limit", "Reset and enable again"],
  33: ["OVERLOAD", "warning", "The gripper is overloaded", "Free the fingers, then reset and enable again"],
  34: ["OVERLOAD", "warning", "The gripper is overloaded", "Free the fingers, then reset and enable again"],
  36: [
    "DRIVER_TYPE",
    "warning",
    "The gripper's driver is of another type",
    "Ask the vendor for matching firmware",
  ],
};

function faultOf(prefix: string, deviceCode: number, row: Row): Fault {
  const [name, severity, cause, remedy] = row;
  return { code: `XARM_${prefix}${deviceCode}_${name}`, deviceCode, kind: "device", severity, cause, remedy };
}

export const errorFault = (code: number): Fault =>
  faultOf(
    "C",
    code,
    ERRORS[code] ?? [
      "UNKNOWN",
      "stop",
      `The controller reports error ${code}, which this driver does not know`,
      RESTART,
    ],
  );

export const warningFault = (code: number): Fault =>
  faultOf(
    "W",
    code,
    WARNINGS[code] ?? [
      "UNKNOWN",
      "warning",
      `The controller reports warning ${code}`,
      "No action is needed unless it repeats",
    ],
  );

export const gripperFault = (code: number): Fault =>
  faultOf(
    "G",
    code,
    GRIPPER_ERRORS[code] ?? [
      "UNKNOWN",
      "warning",
      `The gripper reports error ${code}`,
      "Free the fingers, then reset and enable again",
    ],
  );

/** @param joint 1..7, base to tool */
export function jointFault(joint: number, code: number): Fault {
  const [detail, severity] = JOINT_DETAILS[code] ?? [`servo error ${code}`, "power" as const];
  return {
    code: `XARM_J${joint}_S${code}`,
    deviceCode: code,
    kind: "device",
    severity,
    cause: `Joint ${joint} of ${JOINT_COUNT}: ${detail}`,
    remedy: severity === "power" ? RESTART : RESET,
  };
}

/** Troubles that have no vendor code. */
export const modeChangedFault = (mode: number, state: number): Fault => ({
  code: "XARM_MODE_CHANGED",
  deviceCode: 0,
  kind: "device",
  severity: "stop",
  cause: `Something else took the arm out of servo mode: it reports mode ${mode}, state ${state}`,
  remedy: "End other programs that use this arm (also the vendor's web page), then reset and enable again",
});

export const reportSilentFault = (silentMs: number, limitMs: number): Fault => ({
  code: "XARM_REPORT_SILENT",
  deviceCode: 0,
  kind: "device",
  severity: "stop",
  cause: `The arm sent no report for ${Math.round(silentMs)} ms (limit ${limitMs} ms)`,
  remedy: "Check the controller's power and cable, then reset and enable again",
});

export const statusSilentFault = (silentMs: number, limitMs: number): Fault => ({
  code: "XARM_STATUS_SILENT",
  deviceCode: 0,
  kind: "device",
  severity: "stop",
  cause: `The arm's report of errors and motors did not come for ${Math.round(silentMs)} ms (limit ${limitMs} ms)`,
  remedy: "Check the cable and the report ports in the cell file, then reset and enable again",
});

export const linkClosedFault = (reason: string): Fault => ({
  code: "XARM_LINK_CLOSED",
  deviceCode: 0,
  kind: "link",
  severity: "stop",
  cause: `The connection to the controller ended: ${reason}`,
  remedy: "Check the controller's power and cable, then reset and enable again",
});

export const gripperSilentFault = (failures: number): Fault => ({
  code: "XARM_GRIPPER_SILENT",
  deviceCode: 0,
  kind: "device",
  severity: "warning",
  cause: `The gripper did not answer ${failures} times in a row`,
  remedy: "Check the tool's cable, or set `gripper: none` in the cell file",
});

/** Every fault with a vendor code, for the manual and for tests. */
export const allFaults = (): Fault[] => [
  ...Object.keys(ERRORS).map((code) => errorFault(Number(code))),
  ...Object.keys(WARNINGS).map((code) => warningFault(Number(code))),
  ...Object.keys(GRIPPER_ERRORS).map((code) => gripperFault(Number(code))),
  ...Object.keys(JOINT_DETAILS).map((code) => jointFault(1, Number(code))),
];
