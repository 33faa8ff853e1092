/**
 * One random life of a teleoperation session, with a real servo, on a simulated clock: poses are lost, late by up to
 * half a second, repeated and overtaken; tracking goes, pages are reloaded, clutches bounce, trackers jump, people press
 * stop. Judged by the setpoints that reached the device, not by what session or servo say of themselves.
 */

import type { ArmLimits } from "../../../core/arm.js";
import { asMonotonicNs } from "../../../core/clock.js";
import type { PoseMessage } from "../../../core/teleop/pose.js";
import { Random } from "../../../lab/world/random.js";
import type { ServoSnapshot } from "../../../runtime/servo/api.js";
import { PERIOD_MS, ServoBench } from "../../../runtime/servo/testing.js";
import { TeleopConfig } from "../../../runtime/teleop/config.js";
import type { HandMapping } from "../../../runtime/teleop/mapping.js";
import type { LeadRules } from "../../../runtime/teleop/poseWatch.js";
import { TeleopSession } from "../../../runtime/teleop/session.js";
import { FakeAlignment, POSE_MS, PoseSource } from "../../../runtime/teleop/testing.js";
import { ServoInProcess } from "./servoInProcess.js";

const config = TeleopConfig.parse({});
const PERIOD_S = PERIOD_MS / 1000;
/** Rounding, as shares of the limits. */
const SLACK = 1 + 1e-3;
/** A third difference of positions of about 1 rad, which are exact to 2e-16, at 4 ms. */
const JERK_SLACK = 1 + 1e-2;
/** Half a milliradian in a tick: what a fresh press may move before the hand does. */
const ENGAGE_RAD_PER_TICK_MAX = 0.5e-3;
/** Smaller differences are no motion. */
const STILL_RAD = 1e-12;

export interface LifeFigures {
  readonly seed: number;
  ticks: number;
  poses: number;
  engagements: number;
  latches: Record<string, number>;
  /** Largest shares of the limits. */
  velocity: number;
  acceleration: number;
  jerk: number;
  /** Largest step of a joint between a press's first command and its second [rad]. */
  engageStepRad: number;
  /** Largest distance of a press's first command from the setpoint that the arm stood at [rad]. */
  engageGapRad: number;
  /** Latest motion after the newest command, beyond its expiry [ms]. */
  afterExpiryMs: number;
  movedRad: number;
}

export interface LifeOptions {
  readonly seed: number;
  readonly seconds: number;
  readonly createMapping: (limits: ArmLimits) => HandMapping;
  /** An arm when absent. */
  readonly bench?: ServoBench;
  /** The leading hand's own clutch when absent. */
  readonly rules?: LeadRules;
  /** What the source says instead of one right hand with a controller. */
  readonly dress?: (message: PoseMessage) => PoseMessage;
}

/** Ten thousand lives would spend their time on copies of snapshots that nobody reads. */
function servoWithoutCopies(bench = new ServoBench()): ServoInProcess {
  let newest: ServoSnapshot | undefined;
  bench.servo.attach({
    broadcastSnapshot: (snapshot) => {
      newest = snapshot;
    },
    broadcastEvent: () => {},
    broadcastInfo: () => {},
    leaseLost: (peerId, epoch, reason) => void bench.lost.push({ peerId, epoch, reason }),
    snapshotsDropped: () => 0,
  });
  return new ServoInProcess(bench, () => newest!);
}

/** What the air between hand and daemon is like, for a while. */
interface Weather {
  readonly lossShare: number;
  readonly delayMs: readonly [number, number];
  readonly repeatShare: number;
}
const WEATHERS: readonly Weather[] = [
  { lossShare: 0, delayMs: [0, 5], repeatShare: 0 },
  { lossShare: 0, delayMs: [5, 25], repeatShare: 0.02 },
  { lossShare: 0.05, delayMs: [0, 60], repeatShare: 0.1 },
  { lossShare: 0.3, delayMs: [0, 30], repeatShare: 0.3 },
  { lossShare: 0.1, delayMs: [0, 500], repeatShare: 0.1 },
  { lossShare: 1, delayMs: [0, 0], repeatShare: 0 },
];
/** Good weather is more frequent, or nothing would ever move. */
const WEATHER_WEIGHTS = [6, 4, 2, 1, 1, 1];

const EVENTS = [
  "untracked",
  "hidden",
  "asleep",
  "newSession",
  "bounce",
  "jump",
  "turn",
  "clockJump",
  "freeze",
  "release",
  "press",
  "press",
  "press",
  "press",
  "press",
  "press",
  "stop",
  "revoke",
  "drop",
  "malformed",
  "notANumber",
] as const;
type LifeEvent = (typeof EVENTS)[number];

class Life {
  readonly figures: LifeFigures;
  readonly #random: Random;
  readonly #servo: ServoInProcess;
  readonly #session: TeleopSession;
  readonly #source = new PoseSource();
  readonly #options: LifeOptions;
  /** On their way, with when they arrive. */
  #air: { readonly atMs: number; readonly message: PoseMessage }[] = [];
  #weather: Weather = WEATHERS[0]!;
  #spoilUntilMs = 0;
  #spoilt: LifeEvent | undefined;
  #freezeUntilMs = 0;
  #clockAheadMs = 0;
  #velocityM: [number, number, number] = [0, 0, 0];
  /** State of the session after each tick, by its time [ms]. */
  readonly #stateAt = new Map<number, string>();
  #told = "";

  constructor(options: LifeOptions) {
    this.#options = options;
    this.#servo = servoWithoutCopies(options.bench);
    this.#random = new Random(options.seed);
    this.figures = {
      seed: options.seed,
      ticks: 0,
      poses: 0,
      engagements: 0,
      latches: {},
      velocity: 0,
      acceleration: 0,
      jerk: 0,
      engageStepRad: 0,
      engageGapRad: 0,
      afterExpiryMs: 0,
      movedRad: 0,
    };
    this.#session = new TeleopSession({
      clock: this.#servo.bench.clock,
      config,
      robot: "arm",
      operator: "proof",
      hand: "right",
      scales: { translationScale: 1, rotationScale: 1 },
      connect: () => this.#servo.connect(),
      createMapping: options.createMapping,
      ...(options.rules === undefined ? {} : { rules: options.rules }),
      alignment: new FakeAlignment(),
      onChange: () => this.#onChange(),
      onPulse: () => {},
      onInput: () => {},
    });
  }

  async run(): Promise<LifeFigures> {
    const { bench } = this.#servo;
    await bench.toHolding();
    this.#session.open();
    await this.#servo.run(20);
    const endMs = bench.nowMs + 1000 * this.#options.seconds;
    let nextPoseMs = bench.nowMs;
    let nextEventMs = bench.nowMs + this.#random.uniform(100, 400);
    this.#source.clutch = 0;
    while (bench.nowMs < endMs) {
      if (bench.nowMs >= nextEventMs) {
        await this.#happen();
        nextEventMs =
          bench.nowMs +
          (this.#spoilt === "press" ? this.#random.uniform(100, 1500) : this.#random.uniform(20, 500));
      }
      for (; nextPoseMs <= bench.nowMs; nextPoseMs += POSE_MS) this.#emit(bench.nowMs);
      this.#deliver(bench.nowMs);
      await this.#tick();
    }
    // Everything comes to rest when nothing more arrives.
    for (let tick = 0; tick < 1000 / PERIOD_MS; tick++) await this.#tick();
    await this.#session.close();
    this.#judge();
    return this.figures;
  }

  async #tick(): Promise<void> {
    await this.#servo.tick();
    this.#stateAt.set(this.#servo.bench.nowMs, this.#session.state);
    this.figures.ticks++;
  }

  #onChange(): void {
    const { state, why } = this.#session;
    const now = `${state} ${why?.code ?? ""}`;
    if (state === "engaged" && !this.#told.startsWith("engaged")) this.figures.engagements++;
    if (state === "latched" && why !== undefined && now !== this.#told)
      this.figures.latches[why.code] = (this.figures.latches[why.code] ?? 0) + 1;
    this.#told = now;
  }

  /** A hand that accelerates at random, up to 1.5 m/s. */
  #emit(nowMs: number): void {
    const random = this.#random;
    const source = this.#source;
    if (nowMs >= this.#freezeUntilMs) {
      for (let axis = 0; axis < 3; axis++) {
        const speed = 0.96 * this.#velocityM[axis]! + random.uniform(-0.12, 0.12);
        this.#velocityM[axis] = Math.max(-1.5, Math.min(1.5, speed));
        source.atM[axis] = Math.max(
          -3,
          Math.min(3, source.atM[axis]! + (this.#velocityM[axis]! * POSE_MS) / 1000),
        );
      }
    }
    const isSpoilt = nowMs < this.#spoilUntilMs ? this.#spoilt : undefined;
    const plain = source.next(nowMs + this.#clockAheadMs, {
      ...(isSpoilt === "hidden" ? { visibility: "hidden" as const } : {}),
      ...(nowMs < this.#freezeUntilMs ? { atM: [0.2, 1, 0] as [number, number, number] } : {}),
      hand: {
        gripper: random.uniform(),
        ...(isSpoilt === "untracked" ? { tracked: false } : {}),
        ...(isSpoilt === "asleep" ? { hand: "left" as const } : {}),
        ...(isSpoilt === "bounce" ? { clutch: random.uniform() } : {}),
      },
    });
    const message = this.#options.dress?.(plain) ?? plain;
    const { lossShare, delayMs, repeatShare } = this.#weather;
    if (random.uniform() < lossShare) return;
    const copies = random.uniform() < repeatShare ? 2 : 1;
    for (let copy = 0; copy < copies; copy++)
      this.#air.push({ atMs: nowMs + random.uniform(...delayMs), message });
  }

  #deliver(nowMs: number): void {
    const due = this.#air.filter(({ atMs }) => atMs <= nowMs).sort((one, other) => one.atMs - other.atMs);
    if (due.length === 0) return;
    this.#air = this.#air.filter(({ atMs }) => atMs > nowMs);
    for (const { message } of due) {
      this.figures.poses++;
      this.#session.receive(message, this.#servo.bench.clock.nowNs());
    }
  }

  async #happen(): Promise<void> {
    const random = this.#random;
    const { bench } = this.#servo;
    const event = random.pick(EVENTS);
    this.#weather = this.#pickWeather();
    this.#spoilt = event;
    this.#spoilUntilMs = bench.nowMs + random.uniform(5, 300);
    const source = this.#source;
    switch (event) {
      case "newSession":
        source.session = `session-${Math.floor(random.uniform(1, 1e9))}`;
        source.seq = Math.floor(random.uniform(0, 5));
        break;
      case "jump":
        source.atM = [random.uniform(-2, 2), random.uniform(0, 2), random.uniform(-2, 2)];
        break;
      case "turn":
        source.changes = {
          quatXyzw: source.changes.quatXyzw === undefined ? [0, Math.SQRT1_2, 0, Math.SQRT1_2] : [0, 0, 0, 1],
        };
        break;
      case "clockJump":
        this.#clockAheadMs += random.uniform(-3000, 5000);
        break;
      case "freeze":
        this.#freezeUntilMs = bench.nowMs + random.uniform(100, 600);
        break;
      case "release":
        source.clutch = 0;
        break;
      case "press":
        await this.#press();
        break;
      case "stop":
        void bench.servo.stop(2, "a person pressed stop");
        break;
      case "revoke":
        bench.servo.revokeLease({ id: 1000, name: "daemon", role: "supervisor" }, "a test");
        break;
      case "drop":
        this.#servo.drop();
        break;
      case "malformed":
        this.#session.malformed("it is not JSON");
        break;
      case "notANumber":
        this.#session.receive(
          source.next(bench.nowMs, { atM: [Number.NaN, 1, 0] }),
          asMonotonicNs(bench.clock.nowNs()),
        );
        break;
    }
  }

  /** A person who wants to go on: recovers the robot, opens the clutch in good weather, and presses. */
  async #press(): Promise<void> {
    const { bench } = this.#servo;
    if (this.#random.uniform() < 0.8 && bench.servo.state !== "stopping")
      await this.#servo.recover().catch(() => {});
    this.#source.clutch = 0;
    this.#weather = WEATHERS[0]!;
    this.#spoilUntilMs = 0;
    for (let ticks = Math.floor(this.#random.uniform(2, 30)); ticks > 0; ticks--) {
      if (ticks % 3 === 0) this.#emit(bench.nowMs);
      this.#deliver(bench.nowMs);
      await this.#tick();
    }
    this.#source.clutch = 1;
  }

  #pickWeather(): Weather {
    const total = WEATHER_WEIGHTS.reduce((sum, weight) => sum + weight, 0);
    let at = this.#random.uniform(0, total);
    for (const [index, weight] of WEATHER_WEIGHTS.entries()) {
      at -= weight;
      if (at <= 0) return WEATHERS[index]!;
    }
    return WEATHERS[0]!;
  }

  #judge(): void {
    this.#judgeLimits();
    this.#judgeEngagements();
    this.#judgeRest();
  }

  /** Finite differences of what reached the device, never across an enabling. */
  #judgeLimits(): void {
    const { config: limits, driver } = this.#servo.bench;
    const { velocityMaxRadPerS, accelerationMaxRadPerS2, jerkMaxRadPerS3 } = limits;
    let first = 0;
    for (const [index, { positionRad, activation, measuredRad }] of driver.sent.entries()) {
      if (index === 0 || activation !== driver.sent[index - 1]!.activation) {
        first = index;
        this.#require(
          same(positionRad, measuredRad),
          "the first setpoint after enabling is the measured pose",
        );
        continue;
      }
      const at = (back: number) => driver.sent[Math.max(first, index - back)]!.positionRad;
      const [p0, p1, p2, p3] = [at(3), at(2), at(1), positionRad];
      for (let joint = 0; joint < positionRad.length; joint++) {
        const [a, b, c, d] = [p0[joint]!, p1[joint]!, p2[joint]!, p3[joint]!];
        this.#most("velocity", Math.abs(d - c) / PERIOD_S / velocityMaxRadPerS[joint]!, SLACK);
        this.#most(
          "acceleration",
          Math.abs(d - 2 * c + b) / PERIOD_S ** 2 / accelerationMaxRadPerS2[joint]!,
          SLACK,
        );
        this.#most(
          "jerk",
          Math.abs(d - 3 * c + 3 * b - a) / PERIOD_S ** 3 / jerkMaxRadPerS3[joint]!,
          JERK_SLACK,
        );
        this.figures.movedRad += Math.abs(d - c);
      }
    }
  }

  /** The first command of each lease is where the arm stands, and nothing moves until the second. */
  #judgeEngagements(): void {
    const { commands, bench } = this.#servo;
    for (const [index, { seq, atMs, positionRad, sentRad }] of commands.entries()) {
      if (seq !== 1) continue;
      this.#most("engageGapRad", largest(positionRad, sentRad), 0);
      const second = commands[index + 1];
      const untilMs = Math.min(second?.atMs ?? Number.POSITIVE_INFINITY, atMs + config.deadman.poseAgeMsMax);
      const sent = bench.driver.sent.filter((one) => one.atMs > atMs && one.atMs <= untilMs);
      for (const [tick, one] of sent.entries())
        this.#most(
          "engageStepRad",
          largest(one.positionRad, sent[tick - 1]?.positionRad ?? sentRad),
          ENGAGE_RAD_PER_TICK_MAX,
        );
    }
  }

  /** Motion begins only while engaged, and has ended by the braking time after the newest command's expiry. */
  #judgeRest(): void {
    const { commands, bench } = this.#servo;
    const { driver } = bench;
    const brakeMs = brakingMsMax(bench.config);
    let next = 0;
    let wasStill = true;
    let engagedMs = Number.NEGATIVE_INFINITY;
    for (const [index, { atMs, positionRad, activation }] of driver.sent.entries()) {
      while (next < commands.length && commands[next]!.atMs < atMs) next++;
      const before = driver.sent[index - 1];
      const moved =
        before !== undefined && before.activation === activation
          ? largest(positionRad, before.positionRad) > STILL_RAD
          : false;
      const state = this.#stateAt.get(atMs);
      // A tick's state is read after it: what was engaged before it may have ended within it.
      if (state === "engaged" || this.#stateAt.get(atMs - PERIOD_MS) === "engaged") engagedMs = atMs;
      if (moved) {
        const newest = commands[next - 1];
        this.#require(newest !== undefined, `motion without any command at ${atMs} ms`);
        const lateMs = atMs - newest!.expiresMs;
        this.#most("afterExpiryMs", lateMs, brakeMs);
        if (wasStill)
          this.#require(atMs - engagedMs <= PERIOD_MS, `motion begins at ${atMs} ms in state ${state}`);
        this.#require(
          atMs - engagedMs <= brakeMs,
          `motion at ${atMs} ms, ${atMs - engagedMs} ms after the hold`,
        );
      }
      wasStill = !moved;
    }
  }

  #most(
    what: "velocity" | "acceleration" | "jerk" | "engageStepRad" | "engageGapRad" | "afterExpiryMs",
    value: number,
    max: number,
  ): void {
    this.figures[what] = Math.max(this.figures[what], value);
    this.#require(value <= max, `${what} ${value} is above ${max}`);
  }

  #require(holds: boolean, what: string): void {
    if (!holds) throw new Error(`seed ${this.#options.seed}: ${what}`);
  }
}

/** Turning a full acceleration round, losing the speed, and losing the acceleration; and the ticks of both ends. */
function brakingMsMax(limits: {
  readonly velocityMaxRadPerS: readonly number[];
  readonly accelerationMaxRadPerS2: readonly number[];
  readonly jerkMaxRadPerS3: readonly number[];
}): number {
  const [v, a, j] = [
    limits.velocityMaxRadPerS[0]!,
    limits.accelerationMaxRadPerS2[0]!,
    limits.jerkMaxRadPerS3[0]!,
  ];
  return 1000 * (v / a + (4 * a) / j) + 3 * PERIOD_MS;
}

const largest = (one: readonly number[], other: readonly number[]): number =>
  Math.max(...one.map((value, joint) => Math.abs(value - other[joint]!)));
const same = (one: readonly number[], other: readonly number[]): boolean => largest(one, other) === 0;

/** @throws Error with the seed, where a rule was broken */
export const liveOnce = (options: LifeOptions): Promise<LifeFigures> => new Life(options).run();
