/**
 * Several robots as one: their joints follow one another in one vector, their leases are held all or none. Whatever ends
 * one robot's part ends the others' at once, so that an arm never moves on while its hand does not, and the reason
 * names the robot. Policies and teleoperation see a `ServoClient` like any other.
 */
import type { ArmLimits } from "../../core/arm.js";
import type { MonotonicNs } from "../../core/clock.js";
import { CerebellumError, invariant } from "../../core/errors.js";
import type { StopCategory } from "../../drivers/contract.js";
import type { Lease, ServoClient, ServoEvent, ServoInfo, ServoSnapshot } from "./api.js";
import { GroupLease } from "./groupLease.js";
import { joined, type Member, robotFailed } from "./groupMembers.js";

/**
 * @param clients one for each robot, in the order of the group's joints; with them the group is closed too
 * @returns the client itself when there is one only
 */
export function servoGroup(clients: readonly ServoClient[]): ServoClient {
  invariant(clients.length > 0, "a group has members");
  return clients.length === 1 ? clients[0]! : new ServoGroup(clients);
}

/**
 * The robots that `targets` stand for (their sockets, say) as one, in this order.
 *
 * @throws what the first connection that fails says; then none is left open
 */
export async function connectGroup<Target>(
  targets: readonly Target[],
  connect: (target: Target) => Promise<ServoClient>,
): Promise<ServoClient> {
  const asked = await Promise.allSettled(targets.map(connect));
  const connected = asked.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
  const failed = asked.find((answer) => answer.status === "rejected");
  if (failed === undefined) return servoGroup(connected);
  await Promise.all(connected.map((client) => client.close()));
  throw failed.reason;
}

class ServoGroup implements ServoClient {
  readonly #members: readonly Member[];
  readonly #ended = new AbortController();
  #lease: GroupLease | undefined;

  constructor(clients: readonly ServoClient[]) {
    let jointCount = 0;
    this.#members = clients.map((client) => {
      const firstJoint = jointCount;
      jointCount += client.info.limits.jointNames.length;
      return { client, firstJoint, endJoint: jointCount };
    });
    for (const { client } of this.#members) {
      const onClosed = () => this.#end(client);
      if (client.closed.aborted) onClosed();
      else client.closed.addEventListener("abort", onClosed, { once: true });
    }
  }

  get #clients(): ServoClient[] {
    return this.#members.map(({ client }) => client);
  }

  get info(): ServoInfo {
    const members = this.#clients.map(({ info }) => info);
    const least = (of: (info: ServoInfo) => number) => Math.min(...members.map(of));
    return {
      robot: members.map(({ robot }) => robot).join("+"),
      device: members.map(({ device }) => device).join("-"),
      rateHz: least(({ rateHz }) => rateHz),
      limits: limitsOf(members),
      identity: undefined,
      realtimePriority: least(({ realtimePriority }) => realtimePriority),
      processId: members[0]!.processId,
      supervisorSilenceMsMax: least(({ supervisorSilenceMsMax }) => supervisorSilenceMsMax),
      members,
    };
  }

  get closed(): AbortSignal {
    return this.#ended.signal;
  }

  latest(): ServoSnapshot | undefined {
    const parts = allOf(this.#clients.map((client) => client.latest()));
    return parts && joined(parts, this.#lease?.progress(parts));
  }

  /** Undefined when the moment is outside of what any robot remembers. */
  positionAt(atNs: MonotonicNs): Float64Array | undefined {
    const parts = allOf(this.#clients.map((client) => client.positionAt(atNs)));
    return parts && Float64Array.from(parts.flatMap((part) => [...part]));
  }

  /** In step with the slowest robot. */
  onSnapshot(listener: (snapshot: ServoSnapshot) => void): () => void {
    const slowest = this.#clients.reduce((a, b) => (b.info.rateHz < a.info.rateHz ? b : a));
    return slowest.onSnapshot(() => {
      const snapshot = this.latest();
      if (snapshot !== undefined) listener(snapshot);
    });
  }

  onEvent(listener: (event: ServoEvent) => void): () => void {
    const undo = this.#clients.map((client) =>
      client.onEvent((event) => listener({ ...event, text: `${client.info.robot}: ${event.text}` })),
    );
    return () => undo.forEach((unsubscribe) => void unsubscribe());
  }

  /** @throws what the first robot that gives none says, with its name; then none is held */
  async acquireLease(name: string): Promise<Lease> {
    const answers = await Promise.allSettled(this.#clients.map((client) => client.acquireLease(name)));
    const granted = answers.map((answer) => (answer.status === "fulfilled" ? answer.value : undefined));
    const leases = allOf(granted);
    if (leases === undefined) {
      for (const lease of granted) lease?.release();
      throw this.#firstFailure(answers)!;
    }
    const lease = new GroupLease(this.#members, leases);
    if (lease.lost.aborted) throw lease.lost.reason;
    this.#lease = lease;
    return lease;
  }

  enable(): Promise<void> {
    return this.#each((client) => client.enable());
  }

  stop(category: StopCategory, reason: string): Promise<void> {
    return this.#each((client) => client.stop(category, reason));
  }

  revokeLease(reason: string): Promise<void> {
    return this.#each((client) => client.revokeLease(reason));
  }

  teach(on: boolean): Promise<void> {
    return this.#each((client) => client.teach(on));
  }

  reset(): Promise<void> {
    return this.#each((client) => client.reset());
  }

  statistics(): Promise<never> {
    const what = `${this.info.robot} has no loop of its own`;
    return Promise.reject(new CerebellumError("NOT_RUNNING", what, "Ask each of its robots"));
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
  }

  /** Asks all at once and waits for all. @throws what the first robot that fails says, with its name */
  async #each(work: (client: ServoClient) => Promise<void>): Promise<void> {
    const failure = this.#firstFailure(await Promise.allSettled(this.#clients.map(work)));
    if (failure !== undefined) throw failure;
  }

  #firstFailure(answers: readonly PromiseSettledResult<unknown>[]): CerebellumError | undefined {
    for (const [place, answer] of answers.entries())
      if (answer.status === "rejected") return robotFailed(this.#clients[place]!, answer.reason);
    return undefined;
  }

  /** With one connection all end: whoever connects anew begins with all of them anew. */
  #end(gone: ServoClient): void {
    if (this.#ended.signal.aborted) return;
    const reason = robotFailed(gone, gone.closed.reason);
    this.#lease?.end(reason);
    this.#ended.abort(reason);
    for (const client of this.#clients) if (client !== gone) void client.close();
  }
}

/** Robots have joints of the same names: each is called `<device>/<joint>`, or `<robot>/<joint>` of equal devices. */
function limitsOf(members: readonly ServoInfo[]): ArmLimits {
  const hasEqualDevices = new Set(members.map(({ device }) => device)).size < members.length;
  const all = <T>(of: (limits: ArmLimits, owner: string) => readonly T[]): T[] =>
    members.flatMap(({ limits, robot, device }) => [...of(limits, hasEqualDevices ? robot : device)]);
  return {
    jointNames: all(({ jointNames }, owner) => jointNames.map((joint) => `${owner}/${joint}`)),
    positionMinRad: all((limits) => limits.positionMinRad),
    positionMaxRad: all((limits) => limits.positionMaxRad),
    velocityMaxRadPerS: all((limits) => limits.velocityMaxRadPerS),
    accelerationMaxRadPerS2: all((limits) => limits.accelerationMaxRadPerS2),
    jerkMaxRadPerS3: all((limits) => limits.jerkMaxRadPerS3),
    toolSpeedMaxMPerS: Math.min(...members.map(({ limits }) => limits.toolSpeedMaxMPerS)),
  };
}

/** All of them, or undefined when one is missing. */
function allOf<T>(values: readonly (T | undefined)[]): T[] | undefined {
  return values.every((value) => value !== undefined) ? (values as T[]) : undefined;
}
