/** Stand-ins for tests of the policy loop: a servo that moves as told, and frames made by hand. */
import { type Clock, type ClockMapping, type MonotonicNs, toEpochNs } from "../../../core/clock.js";
import type { Frame, FrameSource } from "../../../runtime/policy/frameSlots.js";
import type {
  Lease,
  ServoClient,
  ServoSnapshot,
  ServoStateName,
  TargetCommand,
} from "../../../runtime/servo/api.js";

export class FakeServo implements ServoClient {
  readonly commands: (TargetCommand & { readonly seq: number; readonly atNs: MonotonicNs })[] = [];
  readonly openingsM: number[] = [];
  readonly openingExpiresNs: (MonotonicNs | undefined)[] = [];
  /** An opening that was asked for is in force at once. */
  takesOpenings = true;
  positionRad = [0, 0];
  velocityRadPerS = [0, 0];
  state: ServoStateName = "holding";
  gripperOpeningM = 0.08;
  /** Makes the servo jump to each target at once. */
  follows = true;
  /** Measured position as a function of time; undefined = outside of what is kept. */
  history: (atNs: MonotonicNs) => number[] | undefined = () => this.positionRad;
  leaseLost = new AbortController();
  releasedCount = 0;
  refuseLease: Error | undefined;
  readonly #clock: Clock;
  readonly #closed = new AbortController();
  readonly #listeners = new Set<(snapshot: ServoSnapshot) => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  readonly info = {
    robot: "arm",
    device: "fake",
    rateHz: 250,
    limits: {
      jointNames: ["joint1", "joint2"],
      positionMinRad: [-3, -3],
      positionMaxRad: [3, 3],
      velocityMaxRadPerS: [1, 1],
      accelerationMaxRadPerS2: [5, 5],
      jerkMaxRadPerS3: [60, 60],
      toolSpeedMaxMPerS: 0.5,
    },
    identity: undefined,
    realtimePriority: 0,
    processId: 1,
    supervisorSilenceMsMax: 1000,
  };
  readonly closed = this.#closed.signal;

  latest(): ServoSnapshot {
    const newest = this.commands.at(-1);
    return {
      tick: 1,
      tickNs: this.#clock.nowNs(),
      state: this.state,
      epoch: 1,
      commander: "",
      stateNs: this.#clock.nowNs(),
      stateSequence: 1,
      positionRad: Float64Array.from(this.positionRad),
      velocityRadPerS: Float64Array.from(this.velocityRadPerS),
      effortNm: new Float64Array(2),
      requestedRad: Float64Array.from(this.positionRad),
      limitedRad: Float64Array.from(this.positionRad),
      sentRad: Float64Array.from(newest?.positionRad ?? this.positionRad),
      reasons: 0,
      commandSeq: newest?.seq ?? 0,
      commandWireNs: (newest === undefined ? 0n : newest.atNs + 2_000_000n) as MonotonicNs,
      gripperCommandM: this.takesOpenings ? (this.openingsM.at(-1) ?? Number.NaN) : Number.NaN,
      gripperOpeningM: this.gripperOpeningM,
      deviceTimeUs: 0,
      deviceErrorCode: 0,
    };
  }

  positionAt(atNs: MonotonicNs): Float64Array | undefined {
    const found = this.history(atNs);
    return found === undefined ? undefined : Float64Array.from(found);
  }

  /** Sends the newest state to all listeners, as every tick of a real servo does. */
  publish(): void {
    for (const listener of this.#listeners) listener(this.latest());
  }

  onSnapshot(listener: (snapshot: ServoSnapshot) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onEvent(): () => void {
    return () => {};
  }

  acquireLease(): Promise<Lease> {
    if (this.refuseLease !== undefined) return Promise.reject(this.refuseLease);
    this.leaseLost = new AbortController();
    return Promise.resolve({
      epoch: 1,
      command: (target) => {
        const seq = this.commands.length + 1;
        // A lease copies what it is given.
        const { positionRad, gains } = target;
        const gainsCopied = gains && {
          stiffnessNmPerRad: Array.from(gains.stiffnessNmPerRad),
          dampingNmSPerRad: Array.from(gains.dampingNmSPerRad),
        };
        this.commands.push({
          ...target,
          positionRad: Array.from(positionRad),
          ...(gainsCopied && { gains: gainsCopied }),
          seq,
          atNs: this.#clock.nowNs(),
        });
        if (this.follows)
          this.positionRad = [...(target.positionRad as ArrayLike<number> & Iterable<number>)];
        return seq;
      },
      setpoints: () => this.commands.length + 1,
      gripper: (openingM, expiresNs) => {
        this.openingsM.push(openingM);
        this.openingExpiresNs.push(expiresNs);
      },
      release: () => void this.releasedCount++,
      lost: this.leaseLost.signal,
    });
  }

  enable = (): Promise<void> => Promise.resolve();
  stop = (): Promise<void> => Promise.resolve();
  reset = (): Promise<void> => Promise.resolve();
  teach = (): Promise<void> => Promise.resolve();
  revokeLease = (): Promise<void> => Promise.resolve();
  statistics = (): Promise<never> => Promise.reject(new Error("not kept"));
  close(): Promise<void> {
    this.#closed.abort();
    return Promise.resolve();
  }
}

/** One-pixel frames; each `push` is newer and looks different unless told otherwise. */
export class FakeFrames implements FrameSource {
  missedCount = 0;
  #newest: Frame | undefined;
  readonly #clock: Clock;
  readonly #mapping: ClockMapping;

  constructor(clock: Clock, mapping: ClockMapping) {
    this.#clock = clock;
    this.#mapping = mapping;
  }

  newest(): Frame | undefined {
    return this.#newest;
  }

  push(change: Partial<Frame> = {}): Frame {
    const nowNs = this.#clock.nowNs();
    const sequence = change.sequence ?? (this.#newest?.sequence ?? 0) + 1;
    this.#newest = {
      widthPx: 1,
      heightPx: 1,
      encoding: "rgb8",
      sequence,
      stampNs: toEpochNs(this.#mapping, nowNs),
      receivedNs: nowNs,
      pixels: Uint8Array.of(sequence % 256, 0, 0),
      ...change,
    };
    return this.#newest;
  }
}
