/** The one snapshot object of a servo, written in place every tick; the link encodes it before the next. */
import { asMonotonicNs, type MonotonicNs } from "../../core/clock.js";
import type { ArmState } from "../../drivers/contract.js";
import type { ServoSnapshot, ServoStateName } from "./api.js";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
export type MutableSnapshot = Mutable<ServoSnapshot>;

export function createSnapshot(jointCount: number): MutableSnapshot {
  const zeros = () => new Float64Array(jointCount);
  const never: MonotonicNs = asMonotonicNs(0n);
  const state: ServoStateName = "disconnected";
  return {
    tick: 0,
    tickNs: never,
    state,
    epoch: 0,
    commander: "",
    stateNs: never,
    stateSequence: 0,
    positionRad: zeros(),
    velocityRadPerS: zeros(),
    effortNm: zeros(),
    requestedRad: zeros(),
    sentRad: zeros(),
    reasons: 0,
    commandSeq: 0,
    commandWireNs: never,
    gripperOpeningM: Number.NaN,
    deviceErrorCode: 0,
  };
}

/** What the device has reported last. */
export function takeDeviceState(snapshot: MutableSnapshot, device: ArmState): void {
  snapshot.stateNs = device.receivedNs;
  snapshot.stateSequence = device.sequence;
  snapshot.positionRad.set(device.positionRad);
  snapshot.velocityRadPerS.set(device.velocityRadPerS);
  snapshot.effortNm.set(device.effortNm);
  snapshot.gripperOpeningM = device.gripper?.openingM ?? Number.NaN;
  snapshot.deviceErrorCode = device.errorCode;
}
