/**
 * A teleoperation session's way to one servo: a connection that comes back after the servo does, and a lease that is
 * given out only once the arm stands. Nothing survives a disconnect: whoever wants the lease again asks again.
 */
import { type Clock, nsToMs, sleepMs } from "../../core/clock.js";
import { errorText } from "../../core/errors.js";
import type { Lease, ServoClient, ServoInfo, ServoSnapshot, ServoStateName } from "../servo/api.js";
import type { DeadmanCode } from "./deadmanFailures.js";

const RECONNECT_MS = 500;

export interface RobotLinkOptions {
  readonly clock: Clock;
  readonly robot: string;
  /** @throws LINK_CLOSED while nobody listens */
  readonly connect: () => Promise<ServoClient>;
  readonly onUp: (info: ServoInfo) => void;
  readonly onSnapshot: (snapshot: ServoSnapshot) => void;
  /** The lease is ours and the arm stands at `sentRad` [rad]; the memory is the listener's. */
  readonly onStanding: (lease: Lease, sentRad: Float64Array) => void;
  /** What was asked for cannot be, or what was had is gone. */
  readonly onFailed: (code: DeadmanCode, detail: string) => void;
}

const NOT_READY: Readonly<Record<Exclude<ServoStateName, "holding" | "following">, string>> = {
  disconnected: "its device does not answer",
  connected: "it is connected, not enabled",
  stopping: "it is stopping",
  stopped: "it is stopped",
  faulted: "it is faulted",
  teaching: "it is being taught by hand",
};

export class RobotLink {
  readonly #options: RobotLinkOptions;
  readonly #closing = new AbortController();
  #client: ServoClient | undefined;
  #trouble = "it is being connected";
  /** Whoever asked last; an answer to anybody else is given back. */
  #asker = 0;
  #answered: Promise<void> = Promise.resolve();
  #lease: Lease | undefined;
  #isStanding = false;
  #stoodRad: Float64Array | undefined;

  constructor(options: RobotLinkOptions) {
    this.#options = options;
  }

  /** Connects, and goes on connecting until `close`. */
  open(): void {
    void this.#keep();
  }

  /** Newest of a servo that is connected. */
  get snapshot(): ServoSnapshot | undefined {
    return this.#client?.latest();
  }

  /** Since the servo's newest tick that was heard of [ms]. */
  silentMs(nowMs: number): number {
    const snapshot = this.snapshot;
    return snapshot === undefined ? Number.POSITIVE_INFINITY : nowMs - nsToMs(snapshot.tickNs);
  }

  /** Answers with `onStanding` or `onFailed`, unless `letGo` comes before. */
  acquire(name: string): void {
    const asker = ++this.#asker;
    const asked = this.#answered.then(() => this.#ask(name, asker));
    this.#answered = asked;
  }

  /** Gives the lease back, also one that is still to come. */
  letGo(): void {
    this.#asker++;
    const lease = this.#lease;
    this.#lease = undefined;
    this.#isStanding = false;
    this.#stoodRad = undefined;
    lease?.release();
  }

  async close(): Promise<void> {
    this.letGo();
    this.#closing.abort();
    await this.#client?.close();
  }

  async #ask(name: string, asker: number): Promise<void> {
    if (asker !== this.#asker) return;
    const client = this.#client;
    const snapshot = client?.latest();
    if (client === undefined || snapshot === undefined) return this.#fail("SERVO_GONE", this.#trouble);
    const { state, commander } = snapshot;
    if (state === "following")
      return this.#fail("LEASE_REFUSED", `${commander} commands ${this.#options.robot}`);
    if (state !== "holding")
      return this.#fail("ROBOT_NOT_READY", `${this.#options.robot}: ${NOT_READY[state]}`);
    try {
      const lease = await client.acquireLease(name);
      if (asker === this.#asker) this.#has(lease);
      else lease.release();
    } catch (thrown) {
      if (asker === this.#asker) this.#fail("LEASE_REFUSED", errorText(thrown).replace(/\.$/, ""));
    }
  }

  #has(lease: Lease): void {
    this.#lease = lease;
    this.#stoodRad = undefined;
    // It may have been lost before anybody heard of it.
    if (lease.lost.aborted) this.#onLost(lease);
    else lease.lost.addEventListener("abort", () => this.#onLost(lease));
  }

  #onLost(lease: Lease): void {
    if (this.#lease !== lease) return;
    this.letGo();
    // A servo that has gone says so itself.
    if (this.#client !== undefined && !this.#client.closed.aborted)
      this.#fail("LEASE_LOST", errorText(lease.lost.reason).replace(/\.$/, ""));
  }

  #fail(code: DeadmanCode, detail: string): void {
    this.#options.onFailed(code, detail);
  }

  #see(snapshot: ServoSnapshot): void {
    this.#options.onSnapshot(snapshot);
    const lease = this.#lease;
    if (lease === undefined || this.#isStanding || snapshot.epoch !== lease.epoch) return;
    const { sentRad } = snapshot;
    const stood = this.#stoodRad?.every((value, joint) => value === sentRad[joint]) === true;
    this.#stoodRad = Float64Array.from(sentRad);
    if (!stood) return;
    this.#isStanding = true;
    this.#options.onStanding(lease, this.#stoodRad);
  }

  async #keep(): Promise<void> {
    const { clock, connect, onUp } = this.#options;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      let client: ServoClient | undefined;
      try {
        client = await connect();
        if (signal.aborted) {
          await client.close();
          return;
        }
        onUp(client.info);
        this.#client = client;
        client.onSnapshot((snapshot) => {
          if (this.#client === client) this.#see(snapshot);
        });
        await ended(client.closed);
        this.#client = undefined;
        this.#trouble = errorText(client.closed.reason).replace(/\.$/, "");
        this.letGo();
        if (!signal.aborted) this.#fail("SERVO_GONE", this.#trouble);
      } catch (thrown) {
        this.#trouble = errorText(thrown).replace(/\.$/, "");
        await client?.close();
      }
      await sleepMs(clock, RECONNECT_MS, signal);
    }
  }
}

const ended = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
