/** A real servo on a simulated clock, and the clients that a gateway would have of it, without sockets between. */
import { addNs, type MonotonicNs, msToNs, nsToMs } from "../../../core/clock.js";
import { CerebellumError } from "../../../core/errors.js";
import type { StopCategory } from "../../../drivers/contract.js";
import type {
  Lease,
  ServoClient,
  ServoEvent,
  ServoSnapshot,
  TargetCommand,
} from "../../../runtime/servo/api.js";
import { PositionHistory } from "../../../runtime/servo/link/history.js";
import { leaseGone } from "../../../runtime/servo/link/lease.js";
import type { Peer } from "../../../runtime/servo/link/server.js";
import { PERIOD_MS, ServoBench, SUPERVISOR } from "../../../runtime/servo/testing.js";

/** What a commander has asked for, and when, beside what the servo stood at. */
export interface GivenCommand {
  readonly atMs: number;
  readonly epoch: number;
  readonly seq: number;
  readonly positionRad: readonly number[];
  readonly expiresMs: number;
  /** Setpoint that the servo stood at [rad]. */
  readonly sentRad: readonly number[];
}

export class ServoInProcess {
  readonly bench: ServoBench;
  readonly commands: GivenCommand[] = [];
  readonly grippersM: number[] = [];
  /** A process that nobody reaches. */
  isDown = false;
  #clients: InProcessClient[] = [];
  #peers = 0;
  #lostRead = 0;
  #eventsRead = 0;

  /** @param newest what clients see; the bench's own copies when absent */
  constructor(
    bench = new ServoBench(),
    readonly newest: () => ServoSnapshot = () => bench.last,
  ) {
    this.bench = bench;
  }

  connect(): Promise<ServoClient> {
    if (this.isDown)
      return Promise.reject(new CerebellumError("LINK_CLOSED", "Nobody listens", "Start the servo"));
    const client = new InProcessClient(this, {
      id: ++this.#peers,
      name: `peer${this.#peers}`,
      role: "commander",
    });
    this.#clients.push(client);
    return Promise.resolve(client as unknown as ServoClient);
  }

  /** One tick, and what clients hear of it. */
  async tick(): Promise<void> {
    await this.bench.run(PERIOD_MS);
    await this.#tellClients();
  }

  /** The same where somebody else advances the clock. */
  async tickNow(): Promise<void> {
    await this.bench.tickNow();
    await this.#tellClients();
  }

  async #tellClients(): Promise<void> {
    for (const client of this.#clients) this.bench.servo.heard(client.peer);
    for (; this.#lostRead < this.bench.lost.length; this.#lostRead++) {
      const { peerId, epoch, reason } = this.bench.lost[this.#lostRead]!;
      for (const client of this.#clients) if (client.peer.id === peerId) client.lose(epoch, reason);
    }
    for (; this.#eventsRead < this.bench.events.length; this.#eventsRead++)
      for (const client of this.#clients) client.hear(this.bench.events[this.#eventsRead]!);
    for (const client of this.#clients) client.see(this.newest());
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  }

  async run(ms: number): Promise<void> {
    for (let leftMs = ms; leftMs > 0; leftMs -= PERIOD_MS) await this.tick();
  }

  /** The sockets close, as when the process ends. */
  drop(): void {
    for (const client of this.#clients.splice(0)) client.end("the servo closed the connection");
  }

  forget(client: InProcessClient): void {
    this.#clients = this.#clients.filter((one) => one !== client);
  }

  /** After a stop or a fault, as a person does it. */
  async recover(): Promise<void> {
    const { servo } = this.bench;
    servo.heard(SUPERVISOR);
    if (servo.state === "stopped" || servo.state === "faulted") await servo.reset();
    if (servo.state === "connected") await servo.enable();
  }
}

class InProcessClient {
  readonly #ended = new AbortController();
  readonly #listeners = new Set<(snapshot: ServoSnapshot) => void>();
  readonly #ears = new Set<(event: ServoEvent) => void>();
  #history: PositionHistory | undefined;
  #newest: ServoSnapshot | undefined;
  #lease: InProcessLease | undefined;

  constructor(
    readonly owner: ServoInProcess,
    readonly peer: Peer,
  ) {}

  get info() {
    return this.owner.bench.servo.info();
  }
  get closed(): AbortSignal {
    return this.#ended.signal;
  }
  latest(): ServoSnapshot | undefined {
    return this.#newest;
  }
  onSnapshot(listener: (snapshot: ServoSnapshot) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  onEvent(listener: (event: ServoEvent) => void): () => void {
    this.#ears.add(listener);
    return () => this.#ears.delete(listener);
  }
  positionAt(atNs: MonotonicNs): Float64Array | undefined {
    return this.#history?.at(atNs);
  }
  async stop(category: StopCategory, reason: string): Promise<void> {
    await this.owner.bench.servo.stop(category, reason);
  }
  async acquireLease(name: string): Promise<Lease> {
    const { servo } = this.owner.bench;
    const { epoch } = servo.acquireLease(this.peer, name);
    this.#lease = new InProcessLease(this.owner, this.peer, epoch);
    return this.#lease;
  }
  hear(event: ServoEvent): void {
    for (const listener of this.#ears) listener(event);
  }
  see(snapshot: ServoSnapshot): void {
    this.#newest = snapshot;
    this.#history ??= new PositionHistory(snapshot.positionRad.length);
    this.#history.add(snapshot.stateNs, snapshot.positionRad);
    for (const listener of this.#listeners) listener(snapshot);
  }
  lose(epoch: number, reason: string): void {
    if (this.#lease?.epoch === epoch) this.#lease.lose(reason);
  }
  end(why: string): void {
    if (this.closed.aborted) return;
    this.owner.bench.servo.gone(this.peer);
    this.owner.forget(this);
    this.#ended.abort(
      new CerebellumError("LINK_CLOSED", `The connection is closed: ${why}`, "Start the servo"),
    );
    this.#lease?.lose(why);
  }
  async close(): Promise<void> {
    this.#lease?.release();
    this.end("this client closed it");
  }
}

class InProcessLease implements Lease {
  readonly #lost = new AbortController();
  #seq = 0;

  constructor(
    readonly owner: ServoInProcess,
    readonly peer: Peer,
    readonly epoch: number,
  ) {}

  get lost(): AbortSignal {
    return this.#lost.signal;
  }
  command({ positionRad, expiresNs, speedScale = 1, inputAgeMs = Number.NaN }: TargetCommand): number {
    const { bench, commands, newest } = this.owner;
    const seq = ++this.#seq;
    if (this.lost.aborted) return seq;
    const target = Float64Array.from(positionRad);
    commands.push({
      atMs: bench.nowMs,
      epoch: this.epoch,
      seq,
      positionRad: [...target],
      expiresMs: nsToMs(expiresNs),
      sentRad: [...newest().sentRad],
    });
    bench.servo.heard(this.peer);
    const stampNs: MonotonicNs = bench.clock.nowNs();
    bench.servo.command(this.peer, {
      epoch: this.epoch,
      seq,
      stampNs,
      expiresNs,
      speedScale,
      inputAgeMs,
      positionRad: target,
    });
    return seq;
  }
  setpoints(): number {
    throw new Error("teleoperation sends no setpoints");
  }
  gripper(openingM: number): void {
    if (this.lost.aborted) return;
    this.owner.grippersM.push(openingM);
    const { bench } = this.owner;
    const expiresNs = addNs(bench.clock.nowNs(), msToNs(500));
    bench.servo.gripper(this.peer, { epoch: this.epoch, openingM, expiresNs });
  }
  release(): void {
    if (this.lost.aborted) return;
    this.owner.bench.servo.releaseLease(this.peer, this.epoch);
    this.lose("released");
  }
  lose(reason: string): void {
    this.#lost.abort(leaseGone(reason));
  }
}
