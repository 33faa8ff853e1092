/** A client's end of one lease. Commands are stamped and numbered here; after `lost` nothing more is written. */
import { addNs, type Clock, type MonotonicNs, msToNs } from "../../../core/clock.js";
import { CerebellumError } from "../../../core/errors.js";
import type { Lease, SetpointStretch, TargetCommand } from "../api.js";
import { encode } from "./codec.js";

/** What a hand or a replay asks for is as short-lived as a policy's step. */
const GRIPPER_EXPIRY_MS = 500;

export class SocketLease implements Lease {
  readonly #lost = new AbortController();
  readonly #clock: Clock;
  readonly #write: (bytes: Buffer) => void;
  #seq = 0;

  constructor(
    readonly epoch: number,
    clock: Clock,
    write: (bytes: Buffer) => void,
  ) {
    this.#clock = clock;
    this.#write = write;
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  command(target: TargetCommand): number {
    const seq = ++this.#seq;
    if (this.lost.aborted) return seq;
    const { expiresNs, speedScale = 1, inputAgeMs = Number.NaN } = target;
    const positionRad = Float64Array.from(target.positionRad);
    const stampNs = this.#clock.nowNs();
    const command = { epoch: this.epoch, seq, stampNs, expiresNs, speedScale, inputAgeMs, positionRad };
    if (target.gains === undefined) this.#write(encode("command", command));
    else {
      const stiffnessNmPerRad = Float64Array.from(target.gains.stiffnessNmPerRad);
      const dampingNmSPerRad = Float64Array.from(target.gains.dampingNmSPerRad);
      this.#write(encode("impedance", { ...command, stiffnessNmPerRad, dampingNmSPerRad }));
    }
    return seq;
  }

  setpoints(stretch: SetpointStretch): number {
    const firstSeq = this.#seq + 1;
    const { firstIndex, expiresNs, isLast, jointCount } = stretch;
    this.#seq += stretch.positionRad.length / jointCount;
    if (this.lost.aborted) return firstSeq;
    const positionRad = Float64Array.from(stretch.positionRad);
    const accelerationRadPerS2 = Float64Array.from(stretch.accelerationRadPerS2);
    const stampNs = this.#clock.nowNs();
    this.#write(
      encode("setpoints", {
        epoch: this.epoch,
        firstIndex,
        firstSeq,
        stampNs,
        expiresNs,
        isLast,
        positionRad,
        accelerationRadPerS2,
      }),
    );
    return firstSeq;
  }

  gripper(openingM: number, expiresNs?: MonotonicNs): void {
    if (this.lost.aborted) return;
    const untilNs = expiresNs ?? addNs(this.#clock.nowNs(), msToNs(GRIPPER_EXPIRY_MS));
    this.#write(encode("gripper", { epoch: this.epoch, expiresNs: untilNs, openingM }));
  }

  release(): void {
    if (this.lost.aborted) return;
    this.#write(encode("leaseRelease", { epoch: this.epoch }));
    this.lose("released");
  }

  lose(reason: string): void {
    this.#lost.abort(leaseGone(reason));
  }
}

export const leaseGone = (reason: string) =>
  new CerebellumError(
    "LEASE_REFUSED",
    `The lease is gone: ${reason}`,
    "Ask for a new one once the servo is holding",
  );
