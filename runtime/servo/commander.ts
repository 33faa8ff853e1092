/**
 * Who may command, and what he asks for: the lease, a one-place mailbox between socket and tick, and the command that
 * the arm pursues. A newer command replaces an older one; nothing queues.
 */
import { type Refusal, refusalOf } from "./commandGate.js";
import type { ServoConfig } from "./config.js";
import type { BodyOf } from "./link/schema.js";
import type { Peer } from "./link/server.js";

export interface LeaseHolder {
  readonly peer: Peer;
  readonly name: string;
  /** The epoch in which the lease was granted. */
  readonly epoch: number;
  heardMs: number;
}

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
}

const emptySlot = (jointCount: number): CommandSlot => ({
  isLive: false,
  seq: 0,
  stampMs: 0,
  expiresMs: 0,
  inputAgeMs: Number.NaN,
  speedScale: 1,
  positionRad: new Float64Array(jointCount),
});

export class Commander {
  holder: LeaseHolder | undefined;
  /** The command that is pursued; not live after its expiry or any doubt. */
  readonly pursued: CommandSlot;
  readonly #mailbox: CommandSlot;
  readonly #config: ServoConfig;
  #lastSeq = 0;

  constructor(config: ServoConfig, jointCount: number) {
    this.#config = config;
    this.pursued = emptySlot(jointCount);
    this.#mailbox = emptySlot(jointCount);
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
  offer(
    peer: Peer,
    command: BodyOf<"command">,
    servo: { epoch: number; follows: boolean; stateIsFresh: boolean; nowMs: number },
  ): Refusal | undefined {
    const refusal = refusalOf(command, {
      ...servo,
      isHolder: this.isHeldBy(peer),
      lastSeq: this.#lastSeq,
      jointCount: this.pursued.positionRad.length,
      expiryMsMax: this.#config.commandExpiryMsMax,
    });
    if (refusal !== undefined) return refusal;
    this.#lastSeq = command.seq;
    const mailbox = this.#mailbox;
    mailbox.isLive = true;
    mailbox.seq = command.seq;
    mailbox.stampMs = Number(command.stampNs) / 1e6;
    mailbox.expiresMs = Number(command.expiresNs) / 1e6;
    mailbox.inputAgeMs = command.inputAgeMs;
    mailbox.speedScale = command.speedScale;
    mailbox.positionRad.set(command.positionRad);
    return undefined;
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
    return true;
  }
}
