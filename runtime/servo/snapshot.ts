/**
 * The one snapshot object of a servo, written in place every tick; the link encodes it before the next. Inside of the
 * tick times are numbers, because a bigint is a new object each time; who wants nanoseconds reads the getters.
 */
import { type MonotonicNs, msToMonotonicNs } from "../../core/clock.js";
import type { FloatingBase } from "../../core/floatingBase.js";
import type { ArmState } from "../../drivers/contract.js";
import type { ServoSnapshot, ServoStateName } from "./api.js";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Moments = "tickNs" | "stateNs" | "commandWireNs";
/** `Ms` fields are written, `Ns` fields computed from them when read. CLOCK_MONOTONIC, 0 for never. */
export type MutableSnapshot = Mutable<Omit<ServoSnapshot, Moments>> &
  Pick<ServoSnapshot, Moments> & { tickMs: number; stateMs: number; commandWireMs: number };

/** @param base of a robot on legs: the driver's own object, which it updates in place */
export function createSnapshot(jointCount: number, base?: FloatingBase): MutableSnapshot {
  const zeros = () => new Float64Array(jointCount);
  const state: ServoStateName = "disconnected";
  return {
    tick: 0,
    tickMs: 0,
    get tickNs(): MonotonicNs {
      return msToMonotonicNs(this.tickMs);
    },
    state,
    epoch: 0,
    commander: "",
    stateMs: 0,
    get stateNs(): MonotonicNs {
      return msToMonotonicNs(this.stateMs);
    },
    stateSequence: 0,
    positionRad: zeros(),
    velocityRadPerS: zeros(),
    effortNm: zeros(),
    requestedRad: zeros(),
    limitedRad: zeros(),
    sentRad: zeros(),
    reasons: 0,
    commandSeq: 0,
    commandWireMs: 0,
    get commandWireNs(): MonotonicNs {
      return msToMonotonicNs(this.commandWireMs);
    },
    gripperCommandM: Number.NaN,
    gripperOpeningM: Number.NaN,
    deviceTimeUs: 0,
    deviceErrorCode: 0,
    ...(base === undefined ? {} : { base }),
  };
}

/** What the device has reported last. */
export function takeDeviceState(snapshot: MutableSnapshot, device: ArmState): void {
  snapshot.stateMs = device.receivedMs;
  snapshot.stateSequence = device.sequence;
  snapshot.positionRad.set(device.positionRad);
  snapshot.velocityRadPerS.set(device.velocityRadPerS);
  snapshot.effortNm.set(device.effortNm);
  snapshot.gripperOpeningM = device.gripper?.openingM ?? Number.NaN;
  snapshot.deviceTimeUs = device.deviceTimeUs;
  snapshot.deviceErrorCode = device.errorCode;
}
