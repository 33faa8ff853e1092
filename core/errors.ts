/** Expected trouble, always with what happened and what to do. Callers branch on `code`, never on text. */

export type ErrorCode =
  | "CONFIG_INVALID"
  | "FILE_UNREADABLE"
  | "PREPARATION_MISSING"
  | "ROS_UNAVAILABLE"
  | "PORT_IN_USE"
  | "ALREADY_RUNNING"
  | "NOT_RUNNING"
  | "DEVICE_UNREACHABLE"
  | "DEVICE_MISMATCH"
  | "DEVICE_REFUSED"
  | "DEVICE_FAULT"
  | "LINK_SILENT"
  | "LINK_CLOSED"
  | "WIRE_CORRUPT"
  | "LEASE_REFUSED"
  | "NOT_ENABLED"
  | "COMMAND_REFUSED"
  | "CAMERA_MISSING"
  | "CAMERA_MISMATCH"
  | "FRAME_STALE"
  | "CLOCK_STEPPED"
  | "BUNDLE_INVALID"
  | "BUNDLE_MISMATCH"
  | "POLICY_INPUT_INVALID"
  | "POLICY_OUTPUT_INVALID"
  | "ILLEGAL_TRANSITION"
  | "TIMED_OUT"
  | "LAB_REFUSED"
  | "RECORDING_FAILED"
  | "EPISODE_INVALID"
  | "BAG_INVALID"
  | "EXPORT_FAILED"
  | "CHECK_FAILED"
  | "NOT_AUTHORISED"
  | "MESSAGE_INVALID"
  | "TELEOP_REFUSED"
  | "DEADMAN"
  | "CALIBRATION_INVALID"
  | "CERTIFICATE_INVALID";

export class CerebellumError extends Error {
  constructor(
    readonly code: ErrorCode,
    /** What happened, with the number or name found and the limit or name expected; no final full stop. */
    readonly happened: string,
    /** What the reader should do; no final full stop. */
    readonly remedy: string,
    cause?: unknown,
  ) {
    super(`${happened}. ${remedy}.`, cause === undefined ? undefined : { cause });
    this.name = code;
  }
}

/** A broken assumption of our own: a defect, not expected trouble. On in production. */
export function invariant(condition: unknown, broken: string): asserts condition {
  if (!condition) throw new Error(`Broken invariant: ${broken}`);
}

/** The text of anything thrown, without its stack, cut to a length fit for one log line. */
export function errorText(thrown: unknown, lengthMax = 500): string {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return text.length > lengthMax ? `${text.slice(0, lengthMax)}…` : text;
}
