/** The lease on a group's robots. It is lost with the first robot that loses its own, falls silent or takes no command. */
import type { MonotonicNs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import type { Lease, ServoSnapshot, TargetCommand } from "./api.js";
import { inTime, leaseOver, type Member, NO_PROGRESS, type Progress, robotFailed } from "./groupMembers.js";

/**
 * A robot whose newest tick is older than another's by more has fallen silent [ms]. No shorter than a servo waits for a
 * silent lease holder: below it a thread that was held up may have read one robot's socket and not yet the other's.
 * Long before, there is no command any more: what a silent robot's joints are at an image's time is not known.
 */
const SILENCE_MS_MAX = 1000;
/** Commands of which it is remembered who has taken them: more than are ever under way. */
const REMEMBERED = 64;

interface Issued {
  readonly seq: number;
  readonly memberSeqs: readonly number[];
  readonly expiresNs: MonotonicNs;
}

export class GroupLease implements Lease {
  readonly epoch: number;
  readonly #members: readonly Member[];
  readonly #leases: readonly Lease[];
  readonly #lost = new AbortController();
  readonly #undo: (() => void)[] = [];
  readonly #issued: Issued[] = [];
  #isOver = false;
  #seq = 0;

  /** @param leases one for each member; when one is lost already, this one is from the start */
  constructor(members: readonly Member[], leases: readonly Lease[]) {
    this.#members = members;
    this.#leases = leases;
    this.epoch = leases.reduce((sum, { epoch }) => sum + epoch, 0);
    members.forEach(({ client }, place) => {
      const { lost } = leases[place]!;
      this.#endWith(lost, () => robotFailed(client, lost.reason));
      this.#undo.push(
        client.onSnapshot((snapshot) => this.#watch(place, snapshot)),
        client.onEvent(({ kind, text }) => {
          if (kind === "refused") this.end(leaseOver(client.info.robot, `refused a command (${text})`));
        }),
      );
    });
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** To all robots or to none. */
  command(target: TargetCommand): number {
    const seq = ++this.#seq;
    if (this.#isOver) return seq;
    const positionRad = Float64Array.from(target.positionRad);
    const jointCount = this.#members.at(-1)!.endJoint;
    if (positionRad.length !== jointCount || !positionRad.every(Number.isFinite)) {
      const robots = this.#members.map(({ client }) => client.info.robot).join("+");
      this.end(leaseOver(robots, `a command must have ${jointCount} finite numbers, not ${positionRad}`));
      return seq;
    }
    const memberSeqs = this.#members.map(({ firstJoint, endJoint }, place) =>
      this.#leases[place]!.command({ ...target, positionRad: positionRad.slice(firstJoint, endJoint) }),
    );
    this.#issued.push({ seq, memberSeqs, expiresNs: target.expiresNs });
    if (this.#issued.length > REMEMBERED) this.#issued.shift();
    return seq;
  }

  /** @throws LEASE_REFUSED always: the robots' ticks have different rates */
  setpoints(): never {
    throw new CerebellumError(
      "LEASE_REFUSED",
      `${this.#members.map(({ client }) => client.info.robot).join("+")} take no common stream of setpoints`,
      "Stream to each robot by a lease of its own, or command targets",
    );
  }

  gripper(openingM: number, expiresNs?: MonotonicNs): void {
    if (this.#isOver) return;
    this.#members.forEach(({ client }, place) => {
      if (Number.isFinite(client.latest()?.gripperOpeningM))
        this.#leases[place]!.gripper(openingM, expiresNs);
    });
  }

  release(): void {
    this.end(new CerebellumError("LEASE_REFUSED", "The lease is gone: released", "Ask for a new one"));
  }

  /** @param parts the newest snapshot of each member */
  progress(parts: readonly ServoSnapshot[]): Progress {
    if (this.#isOver) return NO_PROGRESS;
    const isTaken = ({ memberSeqs }: Issued) =>
      parts.every(({ commandSeq }, place) => commandSeq >= memberSeqs[place]!);
    const newest = this.#issued.findLast(isTaken);
    if (newest === undefined) return NO_PROGRESS;
    const commandWireNs = inTime(parts.map((part) => part.commandWireNs)).at(-1)!;
    return { commandSeq: newest.seq, commandWireNs };
  }

  #watch(place: number, { tickNs, commandSeq }: ServoSnapshot): void {
    const overdue = this.#issued.findLast(({ expiresNs }) => expiresNs <= tickNs);
    if (overdue !== undefined && commandSeq < overdue.memberSeqs[place]!) {
      this.end(leaseOver(this.#robot(place), `has not taken command ${overdue.seq} before it expired`));
      return;
    }
    this.#members.forEach(({ client }, other) => {
      const behindMs = Number(tickNs - (client.latest()?.tickNs ?? tickNs)) / 1e6;
      if (behindMs > SILENCE_MS_MAX)
        this.end(leaseOver(this.#robot(other), `sent no state for ${behindMs.toFixed(0)} ms`));
    });
  }

  #robot(place: number): string {
    return this.#members[place]!.client.info.robot;
  }

  #endWith(signal: AbortSignal, why: () => CerebellumError): void {
    const end = () => this.end(why());
    if (signal.aborted) end();
    else signal.addEventListener("abort", end, { once: true });
    this.#undo.push(() => signal.removeEventListener("abort", end));
  }

  /** Every robot is let go first: with its lease gone it brakes to a hold. */
  end(reason: CerebellumError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const lease of this.#leases) if (!lease.lost.aborted) lease.release();
    for (const undo of this.#undo.splice(0)) undo();
    this.#lost.abort(reason);
  }
}
