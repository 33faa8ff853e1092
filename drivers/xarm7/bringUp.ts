/**
 * The sequences that make an arm ready, each step read back with a bounded wait: who it is, settings that must be in
 * the device, and the vendor's order into servo or teach mode. Settings, enable, mode and clearing each reset the
 * controller (state 5), so they come first and mode and state last.
 */
import type { DeviceIdentity } from "../../core/arm.js";
import { type Clock, sleepMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import type { ArmReports } from "./armReports.js";
import type { XArm7Config } from "./config.js";
import { errorFault } from "./faults.js";
import { type CommandLink, pollUntil } from "./link.js";
import {
  ALL_AXES,
  type CommandReply,
  FIRMWARE_PROTOCOL_3,
  FIRMWARE_SERVO_250_HZ,
  FIRMWARE_TWO_BYTE_MODE,
  firmwareAtLeast,
  JOINT_COUNT,
  type MessageName,
  MODE,
  PROTOCOL_ID,
  parseSerials,
  parseVersion,
  SET_STATE,
  STATE,
  STATE_BYTE,
  type Version,
} from "./protocol/index.js";

/** What all sequences work with. */
export interface Bench {
  readonly config: XArm7Config;
  readonly clock: Clock;
  readonly link: CommandLink;
  readonly reports: ArmReports;
}

export interface Introduction {
  readonly identity: DeviceIdentity;
  readonly version: Version;
}

/** Device type number of the xArm7; other seven-axis types have mirrored joints and other limits. */
const XARM7_TYPE = 7;
const VERSION_TRIES = 20;
const ENABLE_MS_MAX = 5000;
const SETTLE_MS_MAX = 2000;
/** Pause of the vendor's examples after the state is set. */
const PAUSE_MS = 100;

/** Version and serial number; switches to protocol id 3 where the firmware speaks it. Refuses another arm. */
export async function introduce(bench: Bench, signal: AbortSignal): Promise<Introduction> {
  const { config, link } = bench;
  const version = await readVersion(bench, signal);
  const { axes, type, firmware, text } = version;
  if (axes !== JOINT_COUNT || type !== XARM7_TYPE)
    throw mismatch(
      `the controller says "${text}": ${axes} axes of type ${type}, but an xArm7 has 7 axes of type 7`,
      "Check `host` in the cell file: it leads to another arm",
    );
  if (!firmwareAtLeast(firmware, ...FIRMWARE_SERVO_250_HZ))
    throw mismatch(
      `the controller has firmware ${firmware.join(".")}; streaming needs ${FIRMWARE_SERVO_250_HZ.join(".")} or newer`,
      "Update the firmware with the vendor's tool",
    );
  if (firmwareAtLeast(firmware, ...FIRMWARE_PROTOCOL_3)) link.protocolId = PROTOCOL_ID.current;
  const serials = parseSerials((await ask(bench, "getSerial")).values);
  const serial = serials.arm === "" ? version.armModel : serials.arm;
  if (config.expectSerial !== undefined && serial !== config.expectSerial)
    throw mismatch(
      `the arm's serial number is ${serial}, but the cell file expects ${config.expectSerial}`,
      "Connect the right arm, or correct `expectSerial` after calibrating this one",
    );
  return { version, identity: { model: "xArm7", serial, firmware: firmware.join(".") } };
}

/** The controller may answer with an empty text while it starts. */
async function readVersion(bench: Bench, signal: AbortSignal): Promise<Version> {
  for (let attempt = 0; attempt < VERSION_TRIES; attempt++) {
    const { values } = await ask(bench, "getVersion");
    const version = parseVersion(values);
    if (version !== undefined) return version;
    const text = String.fromCharCode(...values).replace(/\0.*$/s, "");
    if (text !== "")
      throw mismatch(
        `the device at this address introduces itself as "${text}", not in the shape "7,7,XS1305,AC1304,v2.7.1"`,
        "Check `host` and `commandPort` in the cell file, and that the firmware is 1.5 or newer",
      );
    await sleepMs(bench.clock, 100, signal);
    throwIfAborted(signal);
  }
  throw new CerebellumError(
    "LINK_SILENT",
    `the controller told no version in ${VERSION_TRIES} tries`,
    "Wait until the control box has started, then try again",
  );
}

/** Writes load, tool offset and sensitivities where the device has others, and reads them back from its report. */
export async function assertSettings(bench: Bench, signal: AbortSignal): Promise<void> {
  const { config, reports } = bench;
  const millimetres = (metres: readonly number[]) => metres.map((value) => value * 1000);
  const load = [config.toolLoadKg, ...millimetres(config.toolCentreOfMassM)];
  const offset = [...millimetres(config.toolPointM), 0, 0, 0];
  const settings: readonly (readonly [MessageName, readonly number[], () => ArrayLike<number>])[] = [
    ["setToolLoad", load, () => reports.normal.toolLoadKgMm],
    ["setToolOffset", offset, () => reports.normal.toolOffsetMmRad],
    ["setCollisionSensitivity", [config.collisionSensitivity], () => [reports.normal.collisionSensitivity]],
    ["setTeachSensitivity", [config.teachSensitivity], () => [reports.normal.teachSensitivity]],
  ];
  const differing = settings.filter(([, wanted, found]) => !isNear(wanted, found()));
  for (const [name, wanted] of differing) {
    await ask(bench, name, wanted);
    throwIfAborted(signal);
  }
  for (const [name, wanted, found] of differing) {
    const isSet = () => (isNear(wanted, found()) ? true : undefined);
    if ((await pollUntil(bench.clock, isSet, 20, SETTLE_MS_MAX, signal)) !== undefined) continue;
    throwIfAborted(signal);
    throw new CerebellumError(
      "DEVICE_REFUSED",
      `${name}: the controller reports ${Array.from(found()).join(", ")} instead of ${wanted.join(", ")}`,
      "End other programs that set up this arm, then try again",
    );
  }
}

/** Clears errors and warnings; refuses with the fault's own cause while one remains. */
export async function clearErrors(bench: Bench, signal: AbortSignal): Promise<void> {
  const readError = async () => (await ask(bench, "getErrorCodes")).values[0] ?? 0;
  if ((await readError()) !== 0) await ask(bench, "clearError");
  await ask(bench, "clearWarning");
  let left = 0;
  const isClear = async () => ((left = await readError()) === 0 ? true : undefined);
  if ((await pollUntil(bench.clock, isClear, 50, 500, signal)) !== undefined) return;
  throwIfAborted(signal);
  const fault = errorFault(left);
  throw new CerebellumError("DEVICE_FAULT", `the arm keeps error ${left}: ${fault.cause}`, fault.remedy);
}

/** Motors on, then the wanted mode, then ready; resolves when reports show all of it. */
export async function enterMode(
  bench: Bench,
  mode: number,
  firmware: readonly [number, number, number],
  signal: AbortSignal,
): Promise<void> {
  const { clock, reports } = bench;
  await ask(bench, "motionEnable", [ALL_AXES, 1], ENABLE_MS_MAX);
  throwIfAborted(signal);
  const twoBytes = firmwareAtLeast(firmware, ...FIRMWARE_TWO_BYTE_MODE);
  const setMode = (next: number) => ask(bench, "setMode", twoBytes ? [next, 0] : [next]);
  // From one special mode straight into another, controllers were seen to end in mode 0 (SDK issue #141).
  const isSpecial = reports.state.deviceMode !== MODE.position && reports.state.deviceMode !== mode;
  if (isSpecial && mode !== MODE.position) {
    await setMode(MODE.position);
    throwIfAborted(signal);
    await ask(bench, "setState", [SET_STATE.ready]);
    await sleepMs(clock, PAUSE_MS, signal);
    throwIfAborted(signal);
  }
  await setMode(mode);
  throwIfAborted(signal);
  await ask(bench, "setState", [SET_STATE.ready]);
  const normalBefore = reports.normalSequence;
  await sleepMs(clock, PAUSE_MS, signal);
  const answered = await pollUntil(
    clock,
    async () => {
      const [state = 0] = (await ask(bench, "getState")).values;
      return executes(state) ? state : undefined;
    },
    20,
    SETTLE_MS_MAX,
    signal,
  );
  const shown = () =>
    answered !== undefined &&
    reports.state.deviceMode === mode &&
    executes(reports.state.deviceState) &&
    reports.normalSequence > normalBefore &&
    reports.normal.errorCode === 0 &&
    reports.motorsOn
      ? true
      : undefined;
  if ((await pollUntil(clock, shown, 10, SETTLE_MS_MAX, signal)) !== undefined) return;
  throwIfAborted(signal);
  const { deviceMode, deviceState } = reports.state;
  const { errorCode, enableBits, brakeBits } = reports.normal;
  if (errorCode !== 0) {
    const fault = errorFault(errorCode);
    throw new CerebellumError(
      "DEVICE_FAULT",
      `error ${errorCode} while enabling: ${fault.cause}`,
      fault.remedy,
    );
  }
  throw new CerebellumError(
    "DEVICE_REFUSED",
    `the arm did not reach mode ${mode} and state 1 or 2 in ${SETTLE_MS_MAX} ms: it reports mode ${deviceMode}, ` +
      `state ${deviceState}, motor bits 0x${enableBits.toString(16)}, brake bits 0x${brakeBits.toString(16)}`,
    "End other programs that use this arm, release the emergency stop, then enable again",
  );
}

/** The device takes motion in these states. */
export const executes = (state: number): boolean => state === STATE.moving || state === STATE.ready;

/** A slow request whose reply must not be marked invalid. Error and warning bits are read elsewhere. */
export async function ask(
  { link, config }: Bench,
  name: MessageName,
  values: readonly number[] = [],
  timeoutMs = config.replyTimeoutMs,
): Promise<CommandReply> {
  const reply = await link.request(name, values, timeoutMs);
  if (reply.stateByte & STATE_BYTE.invalid)
    throw new CerebellumError(
      "DEVICE_REFUSED",
      `the controller marked its answer to ${name} invalid`,
      "Check the firmware version against the tested ones",
    );
  return reply;
}

/** @throws the reason of whoever aborted, where that says what happened and what to do */
export function throwIfAborted(signal: AbortSignal): void {
  if (!signal.aborted) return;
  if (signal.reason instanceof CerebellumError) throw signal.reason;
  throw new CerebellumError("TIMED_OUT", "bringing up the arm was cancelled", "Try again");
}

const mismatch = (happened: string, remedy: string): CerebellumError =>
  new CerebellumError("DEVICE_MISMATCH", happened, remedy);

/** Equal as far as float32 and the device's own rounding keep numbers. */
const isNear = (wanted: readonly number[], found: ArrayLike<number>): boolean =>
  wanted.every((value, i) => Math.abs(value - (found[i] ?? Number.NaN)) <= 1e-3 + 1e-5 * Math.abs(value));
