/** A servo for the recorder's tests: ticks with given numbers, counts missed ones, tells events, closes when told. */
import type { Clock } from "../../../core/clock.js";
import { XARM7_HOME_RAD } from "../../../kinematics/xarm7.js";
import { FakeServo } from "../../../runtime/ros/testing.js";
import type { ServoClient, ServoEvent, ServoSnapshot } from "../../../runtime/servo/api.js";
import { NO_STATISTICS } from "../../../runtime/servo/link/schema.js";

export class TapServo implements ServoClient {
  readonly #base: FakeServo;
  readonly #closed = new AbortController();
  readonly #snapshotListeners = new Set<(snapshot: ServoSnapshot) => void>();
  readonly #eventListeners = new Set<(event: ServoEvent) => void>();
  #held: Promise<void> | undefined;
  missed = 0;
  /** Its requests are not answered any more. */
  isMute = false;

  constructor(clock: Clock) {
    this.#base = new FakeServo(clock, XARM7_HOME_RAD);
  }

  get info() {
    return this.#base.info;
  }
  get closed(): AbortSignal {
    return this.#closed.signal;
  }
  latest = (): ServoSnapshot => this.#base.latest();
  positionAt = () => undefined;
  onSnapshot = (listener: (snapshot: ServoSnapshot) => void) => {
    this.#snapshotListeners.add(listener);
    return () => void this.#snapshotListeners.delete(listener);
  };
  onEvent = (listener: (event: ServoEvent) => void) => {
    this.#eventListeners.add(listener);
    return () => void this.#eventListeners.delete(listener);
  };
  tickAt(tick: number): void {
    for (const listener of this.#snapshotListeners) listener({ ...this.latest(), tick });
  }
  tell(text: string): void {
    const event: ServoEvent = { atNs: this.#base.clock.nowNs(), kind: "state", text };
    for (const listener of this.#eventListeners) listener(event);
  }
  /** Keeps the next answers back until the returned function is called. */
  hold(): () => void {
    let release = () => {};
    this.#held = new Promise((resolve) => {
      release = resolve;
    });
    return release;
  }
  statistics = async () => {
    await this.#held;
    if (this.isMute) throw new Error("mute");
    return { ...NO_STATISTICS, missed: { lateWake: this.missed } };
  };
  close = async () => this.#closed.abort(new Error("closed"));
  acquireLease = () => Promise.reject(new Error("a recorder commands nothing"));
  enable = () => this.acquireLease();
  stop = () => this.acquireLease();
  reset = () => this.acquireLease();
  teach = () => this.acquireLease();
  revokeLease = () => this.acquireLease();
}

/** Lets promises that are ready run. */
export const turns = async (count = 20): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await Promise.resolve();
};
