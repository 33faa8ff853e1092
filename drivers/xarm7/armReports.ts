/**
 * Report frames into the one ArmState object that the servo tick reads: units, finite numbers, velocity. Positions come
 * from the fast stream (30000, or 30003 on older firmware), errors and motor bits from the normal one (30001).
 */
import type { Clock } from "../../core/clock.js";
import type { ArmState } from "../contract.js";
import { createReport, JOINT_COUNT, modeOf, type ReportOf, readReport, stateOf } from "./protocol/index.js";

/** All seven joints, bit per joint. */
const ALL_JOINTS = 0x7f;
/** Reports over which velocity is estimated where the stream has none; the estimate lags half of their span (10 ms). */
const VELOCITY_SPAN_REPORTS = 2;

export type FastKind = "highRate" | "realTime";

export class ArmReports {
  readonly state: ArmState = {
    sequence: 0,
    receivedMs: 0,
    deviceTimeUs: 0,
    positionRad: new Float64Array(JOINT_COUNT),
    velocityRadPerS: new Float64Array(JOINT_COUNT),
    effortNm: new Float64Array(JOINT_COUNT),
    toolPoseBase: new Float64Array(6),
    ready: false,
    errorCode: 0,
    warningCode: 0,
    deviceMode: 0,
    deviceState: 0,
    gripper: undefined,
  };
  /** Newest normal report, and how many came. */
  readonly normal: ReportOf<"normal"> = createReport("normal");
  normalSequence = 0;
  normalReceivedMs = 0;
  /** Frames that were whole but held numbers that cannot be. */
  refused = 0;
  /** Frames of the 250 Hz stream that carried the time of the one before: they are no newer, so they do not count. */
  repeated = 0;
  readonly #clock: Clock;
  readonly #highRate = createReport("highRate");
  readonly #realTime = createReport("realTime");
  readonly #spare = createReport("normal");
  readonly #pastRad = Array.from({ length: VELOCITY_SPAN_REPORTS }, () => new Float64Array(JOINT_COUNT));
  readonly #pastMs = new Float64Array(VELOCITY_SPAN_REPORTS);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Motors of all joints enabled and their brakes released, by the newest normal report. */
  get motorsOn(): boolean {
    const { brakeBits, enableBits } = this.normal;
    return (brakeBits & enableBits & ALL_JOINTS) === ALL_JOINTS;
  }

  /** Answers whether the frame was taken; `state` is unchanged otherwise. */
  takeFast(kind: FastKind, view: DataView, offset: number, frameBytes: number): boolean {
    const report = kind === "highRate" ? this.#highRate : this.#realTime;
    const reason =
      kind === "highRate"
        ? readReport("highRate", view, offset, frameBytes, this.#highRate)
        : readReport("realTime", view, offset, frameBytes, this.#realTime);
    if (reason !== "" || !isFinite7(report.positionRad)) {
      this.refused++;
      return false;
    }
    const { state } = this;
    // Only the 250 Hz stream has a time; on the 100 Hz one a repeated frame cannot be told from an arm that stands.
    const isRepeated =
      kind === "highRate" && this.#highRate.timeUs === state.deviceTimeUs && state.sequence > 0;
    if (isRepeated && state.deviceTimeUs !== 0) {
      this.repeated++;
      return false;
    }
    const nowMs = this.#clock.nowMs();
    if (kind === "highRate") copyFinite(this.#highRate.velocityRadPerS, state.velocityRadPerS);
    else this.#estimateVelocity(report.positionRad, nowMs, state.sequence);
    state.positionRad.set(report.positionRad);
    copyFinite(report.effortNm, state.effortNm);
    for (let i = 0; i < 6; i++) state.toolPoseBase[i] = (report.toolPoseMmRad[i] ?? 0) * (i < 3 ? 0.001 : 1);
    state.deviceMode = modeOf(report.modeState);
    state.deviceState = stateOf(report.modeState);
    state.deviceTimeUs = kind === "highRate" ? this.#highRate.timeUs : 0;
    state.receivedMs = nowMs;
    state.sequence++;
    return true;
  }

  takeNormal(view: DataView, offset: number, frameBytes: number): boolean {
    if (readReport("normal", view, offset, frameBytes, this.#spare) !== "") {
      this.refused++;
      return false;
    }
    readReport("normal", view, offset, frameBytes, this.normal);
    this.normalSequence++;
    this.normalReceivedMs = this.#clock.nowMs();
    this.state.errorCode = this.normal.errorCode;
    this.state.warningCode = this.normal.warningCode;
    return true;
  }

  /** Mean slope over the last reports, by the time of their arrival: lags 10 ms at 100 Hz, and needs three reports. */
  #estimateVelocity(positionRad: Float64Array, nowMs: number, sequence: number): void {
    const slot = sequence % VELOCITY_SPAN_REPORTS;
    const past = this.#pastRad[slot] as Float64Array;
    const spanS = (nowMs - (this.#pastMs[slot] ?? 0)) / 1e3;
    const usable = sequence >= VELOCITY_SPAN_REPORTS && spanS > 0.002 && spanS < 0.2;
    for (let joint = 0; joint < JOINT_COUNT; joint++)
      this.state.velocityRadPerS[joint] = usable
        ? ((positionRad[joint] ?? 0) - (past[joint] ?? 0)) / spanS
        : 0;
    past.set(positionRad);
    this.#pastMs[slot] = nowMs;
  }
}

function isFinite7(values: Float64Array): boolean {
  for (let i = 0; i < JOINT_COUNT; i++) if (!Number.isFinite(values[i])) return false;
  return true;
}

/** A number that is not finite leaves the previous one, as in the vendor's client. */
function copyFinite(from: Float64Array, to: Float64Array): void {
  for (let i = 0; i < to.length; i++) {
    const value = from[i] ?? 0;
    if (Number.isFinite(value)) to[i] = value;
  }
}
