/**
 * Carries a plan out: the guarded way to its start pose, then its setpoints into the servo's queue, a little ahead of
 * time, gripper openings at theirs. It cannot be paused: it runs to its end, or it is over. Whatever the servo doubts
 * ends it; then the lease is given back and the arm holds.
 */
import { addNs, type Clock, type MonotonicNs, msToNs, nsToMs } from "../../core/clock.js";
import { CerebellumError, errorText } from "../../core/errors.js";
import { approachPose } from "../policy/approach.js";
import type { Lease, ServoClient, ServoSnapshot } from "../servo/api.js";
import { SETPOINTS_MAX } from "../servo/setpointQueue.js";
import type { ReplayPlan } from "./plan.js";

export interface ReplayOptions {
  /** Share of the limits for the way to the start pose. */
  readonly approachSpeedScale: number;
  /** Longest validity that the servo takes, its `commandExpiryMsMax` [ms]. */
  readonly expiryMsMax: number;
  /** Ends the replay; the arm brakes to a hold. */
  readonly ended: AbortSignal;
  /** The arm has come to the start pose; what this returns is awaited before the stream begins. */
  readonly onStart?: () => Promise<void>;
}

export interface ReplayOutcome {
  /** Setpoints that left for the device unchanged: the servo passes them so or not at all. */
  readonly passed: number;
  readonly ticks: number;
  /** Of these, seen in a snapshot with every bit as planned, and seen with any other. */
  readonly verified: number;
  readonly differing: number;
  /** Why it ended before its end; undefined when it did not. */
  readonly stoppedBecause: string | undefined;
}

/**
 * A setpoint is good for so long after it was handed over [ms], where the servo takes that, and setpoints for this share
 * of it wait in the queue: as much as a busy process may stand still. A longer queue costs no safety: whatever ends the
 * stream, the end of this process too, empties it at once.
 */
const EXPIRY_MS = 1000;
const AHEAD_SHARE = 0.85;
const TOP_UP_MS = 20;
/** Longer without any setpoint that left is trouble [ms], whoever has it. */
const STALLED_MS_MAX = 1500;
/** The start pose is met when the servo sends this place, and nothing else, for so many snapshots. */
const EXACT_RAD = 1e-10;
const EXACT_SNAPSHOTS = 3;
const EXACT_MS_MAX = 5000;
const TARGET_EXPIRY_MS = 250;
const TARGET_MS = 50;

/**
 * @returns also when it did not come to its end, with why
 * @throws CerebellumError TIMED_OUT when the start pose is not reached
 */
export async function runReplay(
  clock: Clock,
  servo: ServoClient,
  lease: Lease,
  plan: ReplayPlan,
  options: ReplayOptions,
): Promise<ReplayOutcome> {
  const ended = AbortSignal.any([options.ended, lease.lost, servo.closed]);
  const startRad = [...plan.positionRad.subarray(0, plan.jointCount)];
  await approachPose(
    clock,
    servo,
    lease,
    {
      positionRad: startRad,
      ...(plan.startOpeningM === undefined ? {} : { gripperOpeningM: plan.startOpeningM }),
      speedScale: options.approachSpeedScale,
    },
    ended,
  );
  if (!ended.aborted) await options.onStart?.();
  await standExactlyAt(clock, servo, lease, startRad, options.approachSpeedScale, ended);
  const stream = new Stream(clock, servo, lease, plan, Math.min(EXPIRY_MS, options.expiryMsMax), ended);
  try {
    return await stream.run();
  } finally {
    stream.close();
    lease.release();
  }
}

/** The servo's setpoint comes to rest at the start pose to the last bits, which a measured arrival does not say. */
async function standExactlyAt(
  clock: Clock,
  servo: ServoClient,
  lease: Lease,
  startRad: readonly number[],
  speedScale: number,
  ended: AbortSignal,
): Promise<void> {
  const limitNs = addNs(clock.nowNs(), msToNs(EXACT_MS_MAX));
  let farthestRad = Number.NaN;
  let seen = 0;
  const off = servo.onSnapshot(({ sentRad }) => {
    farthestRad = Math.max(...startRad.map((value, joint) => Math.abs(value - sentRad[joint]!)));
    seen = farthestRad <= EXACT_RAD ? seen + 1 : 0;
  });
  try {
    while (!ended.aborted && seen < EXACT_SNAPSHOTS) {
      if (clock.nowNs() > limitNs)
        throw new CerebellumError(
          "TIMED_OUT",
          `The start pose was not reached: the setpoint stays ${farthestRad.toExponential(1)} rad away`,
          "See `./cerebellum status` for what limits the motion; start from a nearer pose",
        );
      lease.command({
        positionRad: startRad,
        expiresNs: addNs(clock.nowNs(), msToNs(TARGET_EXPIRY_MS)),
        speedScale,
      });
      await clock.sleepUntil(addNs(clock.nowNs(), msToNs(TARGET_MS)), ended);
    }
  } finally {
    off();
  }
}

class Stream {
  readonly #clock: Clock;
  readonly #lease: Lease;
  readonly #plan: ReplayPlan;
  readonly #ended: AbortSignal;
  readonly #undo: (() => void)[] = [];
  readonly #aheadTicks: number;
  readonly #expiryMs: number;
  #handedOver = 0;
  #firstSeq = Number.NaN;
  #passed = 0;
  #passedNs: MonotonicNs;
  #verified = 0;
  #differing = 0;
  #nextOpening = 0;
  #doubt: string | undefined;

  constructor(
    clock: Clock,
    servo: ServoClient,
    lease: Lease,
    plan: ReplayPlan,
    expiryMs: number,
    ended: AbortSignal,
  ) {
    this.#clock = clock;
    this.#lease = lease;
    this.#plan = plan;
    this.#ended = ended;
    this.#expiryMs = expiryMs;
    this.#aheadTicks = Math.ceil((AHEAD_SHARE * expiryMs) / 1000 / plan.periodS);
    this.#passedNs = clock.nowNs();
    this.#undo.push(
      servo.onSnapshot((snapshot) => this.#see(snapshot)),
      servo.onEvent(({ trigger, text }) => {
        if (trigger !== undefined) this.#doubt ??= `${trigger}: ${text}`;
      }),
    );
  }

  close(): void {
    for (const undo of this.#undo.splice(0)) undo();
  }

  async run(): Promise<ReplayOutcome> {
    while (!this.#ended.aborted && this.#doubt === undefined && this.#passed < this.#plan.ticks) {
      this.#topUp();
      if (nsToMs(this.#clock.nowNs() - this.#passedNs) > STALLED_MS_MAX) {
        this.#doubt = `no setpoint has left for ${STALLED_MS_MAX} ms`;
        break;
      }
      await this.#clock.sleepUntil(addNs(this.#clock.nowNs(), msToNs(TOP_UP_MS)), this.#ended);
    }
    const isWhole = this.#passed >= this.#plan.ticks;
    return {
      passed: this.#passed,
      ticks: this.#plan.ticks,
      verified: this.#verified,
      differing: this.#differing,
      stoppedBecause: isWhole ? undefined : this.#whyStopped(),
    };
  }

  #whyStopped(): string {
    if (this.#doubt !== undefined) return this.#doubt;
    const reason: unknown = this.#ended.reason;
    return reason instanceof CerebellumError ? reason.happened : `it was ended (${errorText(reason)})`;
  }

  #topUp(): void {
    const plan = this.#plan;
    const wanted = Math.min(plan.ticks, this.#passed + this.#aheadTicks);
    while (this.#handedOver < wanted) this.#handOver(Math.min(wanted, this.#handedOver + SETPOINTS_MAX));
  }

  #handOver(until: number): void {
    const plan = this.#plan;
    const [from, to] = [this.#handedOver * plan.jointCount, until * plan.jointCount];
    const firstSeq = this.#lease.setpoints({
      firstIndex: this.#handedOver,
      jointCount: plan.jointCount,
      positionRad: plan.positionRad.subarray(from, to),
      accelerationRadPerS2: plan.accelerationRadPerS2.subarray(from, to),
      expiresNs: addNs(this.#clock.nowNs(), msToNs(this.#expiryMs)),
      isLast: until === plan.ticks,
    });
    if (this.#handedOver === 0) this.#firstSeq = firstSeq;
    this.#handedOver = until;
  }

  #see({ commandSeq, epoch, sentRad, tickNs }: ServoSnapshot): void {
    const passed = commandSeq - this.#firstSeq + 1;
    if (epoch !== this.#lease.epoch || !(passed > this.#passed)) return;
    const { jointCount, positionRad, openings } = this.#plan;
    const from = (passed - 1) * jointCount;
    if (sentRad.every((value, joint) => Object.is(value, positionRad[from + joint]))) this.#verified++;
    else this.#differing++;
    this.#passed = passed;
    this.#passedNs = tickNs;
    // The opening belongs to the next tick: it is asked for as soon as the one before has left.
    for (; (openings[this.#nextOpening]?.tick ?? Number.POSITIVE_INFINITY) <= passed; this.#nextOpening++)
      this.#lease.gripper(openings[this.#nextOpening]!.openingM);
  }
}
