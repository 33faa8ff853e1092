/**
 * Who may command, and what he asks for: the lease, a one-place mailbox between socket and tick, and the command that
 * the arm pursues. A newer command replaces an older one. Only setpoints queue, in `setpoints`; a command replaces
 * their stream, and a stream that begins replaces the command.
 */
import { type GateContext, type Refusal, refusalOf, refusalOfSetpoints } from "./commandGate.js";
import type { CommonServoConfig } from "./config.js";
import type { BodyOf, CommandBody } from "./link/schema.js";
import type { Peer } from "./link/server.js";
import { SetpointQueue } from "./setpointQueue.js";

export interface LeaseHolder {
  readonly peer: Peer;
  readonly name: string;
  /** The epoch in which the lease was granted. */
  readonly epoch: number;
  heardMs: number;
}

/** The servo when something is offered. */
export type ServoMoment = Pick<GateContext, "epoch" | "follows" | "stateIsFresh" | "nowMs">;

/** A command without allocation: fields are overwritten. */
interface CommandSlot {
  isLive: boolean;
  seq: number;
  stampMs: number;
  expiresMs: number;
  /** At `stampMs`; NaN when the commander did not say. */
  inputAgeMs: number;
  speedScale: number;
  readonly positionRad: Float64Array;
  /** Of a robot that takes gains; else unused. */
  readonly stiffnessNmPerRad: Float64Array;
  readonly dampingNmSPerRad: Float64Array;
}

const emptySlot = (jointCount: number): CommandSlot => ({
  isLive: false,
  seq: 0,
  stampMs: 0,
  expiresMs: 0,
  inputAgeMs: Number.NaN,
  speedScale: 1,
  positionRad: new Float64Array(jointCount),
  stiffnessNmPerRad: new Float64Array(jointCount),
  dampingNmSPerRad: new Float64Array(jointCount),
});

export class Commander {
  holder: LeaseHolder | undefined;
  /** The command that is pursued; not live after its expiry or any doubt. */
  readonly pursued: CommandSlot;
  readonly setpoints: SetpointQueue;
  readonly #mailbox: CommandSlot;
  readonly #config: CommonServoConfig;
  readonly #takesGains: boolean;
  #lastSeq = 0;

  constructor(config: CommonServoConfig, jointCount: number, takesGains = false) {
    this.#config = config;
    this.#takesGains = takesGains;
    this.pursued = emptySlot(jointCount);
    this.#mailbox = emptySlot(jointCount);
    this.setpoints = new SetpointQueue(jointCount, config.rateHz);
  }

  get name(): string {
    return this.holder?.name ?? "";
  }

  isHeldBy(peer: Peer): boolean {
    return this.holder?.peer.id === peer.id;
  }

  grant(peer: Peer, name: string, epoch: number, nowMs: number): void {
    this.forgetCommands();
    this.#lastSeq = 0;
    this.holder = { peer, name, epoch, heardMs: nowMs };
  }

  /** Ends the lease and all that was asked for under it. */
  drop(): LeaseHolder | undefined {
    const holder = this.holder;
    this.holder = undefined;
    this.forgetCommands();
    return holder;
  }

  forgetCommands(): void {
    this.#mailbox.isLive = false;
    this.pursued.isLive = false;
    this.setpoints.drop();
  }

  heard(peer: Peer, nowMs: number): void {
    if (this.holder?.peer.id === peer.id) this.holder.heardMs = nowMs;
  }

  /** Since the lease holder was heard [ms]; NaN without one. */
  silentMs(nowMs: number): number {
    return this.holder === undefined ? Number.NaN : nowMs - this.holder.heardMs;
  }

  isSilent(nowMs: number): boolean {
    return this.silentMs(nowMs) > this.#config.leaseSilenceMsMax;
  }

  /** Puts a command into the mailbox, or answers why not. */
  offer(peer: Peer, command: CommandBody, servo: ServoMoment): Refusal | undefined {
    const refusal = refusalOf(command, this.#contextOf(peer, servo));
    if (refusal !== undefined) return refusal;
    this.setpoints.drop();
    this.#lastSeq = command.seq;
    const mailbox = this.#mailbox;
    mailbox.isLive = true;
    mailbox.seq = command.seq;
    mailbox.stampMs = Number(command.stampNs) / 1e6;
    mailbox.expiresMs = Number(command.expiresNs) / 1e6;
    mailbox.inputAgeMs = command.inputAgeMs;
    mailbox.speedScale = command.speedScale;
    mailbox.positionRad.set(command.positionRad);
    if ("stiffnessNmPerRad" in command) {
      mailbox.stiffnessNmPerRad.set(command.stiffnessNmPerRad);
      mailbox.dampingNmSPerRad.set(command.dampingNmSPerRad);
    }
    return undefined;
  }

  /** Appends setpoints to their stream, or begins one, or answers why not. */
  offerSetpoints(peer: Peer, batch: BodyOf<"setpoints">, servo: ServoMoment): Refusal | undefined {
    const context = this.#contextOf(peer, servo);
    const refusal = refusalOfSetpoints(batch, context, this.setpoints);
    if (refusal !== undefined) return refusal;
    if (batch.firstIndex === 0) {
      this.forgetCommands();
      this.setpoints.begin();
    }
    this.#lastSeq = batch.firstSeq + batch.positionRad.length / context.jointCount - 1;
    this.setpoints.append(batch, Number(batch.stampNs) / 1e6, Number(batch.expiresNs) / 1e6);
    return undefined;
  }

  #contextOf(peer: Peer, servo: ServoMoment): GateContext {
    return {
      ...servo,
      isHolder: this.isHeldBy(peer),
      lastSeq: this.#lastSeq,
      jointCount: this.pursued.positionRad.length,
      expiryMsMax: this.#config.commandExpiryMsMax,
      takesGains: this.#takesGains,
    };
  }

  /** Moves the mailbox's command into `pursued`; false when there is none. */
  take(): boolean {
    const { isLive, seq, stampMs, expiresMs, inputAgeMs, speedScale, positionRad } = this.#mailbox;
    if (!isLive) return false;
    this.#mailbox.isLive = false;
    this.pursued.isLive = true;
    this.pursued.seq = seq;
    this.pursued.stampMs = stampMs;
    this.pursued.expiresMs = expiresMs;
    this.pursued.inputAgeMs = inputAgeMs;
    this.pursued.speedScale = speedScale;
    this.pursued.positionRad.set(positionRad);
    this.pursued.stiffnessNmPerRad.set(this.#mailbox.stiffnessNmPerRad);
    this.pursued.dampingNmSPerRad.set(this.#mailbox.dampingNmSPerRad);
    return true;
  }
}
