/** A fake arm and a bench to drive one servo by hand in simulated time; for tests only. */
import type { ArmLimits, DeviceIdentity } from "../../core/arm.js";
import { addNs, msToNs, nsToMs } from "../../core/clock.js";
import { SimClock } from "../../core/simClock.js";
import type { ArmDriver, ArmDriverCounters, ArmState, Fault, StopCategory } from "../../drivers/contract.js";
import type { ServoEvent, ServoSnapshot, SetpointStretch } from "./api.js";
import { ServoConfig } from "./config.js";
import type { ServoOutput } from "./events.js";
import type { Peer } from "./link/server.js";
import { Servo, type ServoOptions } from "./servo.js";
import { SETPOINTS_MAX } from "./setpointQueue.js";
import type { MovingBody } from "./zones.js";

const JOINTS = 7;
export const PERIOD_MS = 4;
export const HOME: readonly number[] = [0.1, -0.3, 0.2, 0.9, 0, 1.2, -0.4];

/** An arm far from everything: its tool hardly moves, so that tests of other things never meet a zone. */
const quietBody: MovingBody = {
  toolM: Float64Array.of(0.3, 0, 0.3),
  elbowM: Float64Array.of(0.1, 0, 0.5),
  capsules: [],
  pairs: [],
  reachM: new Float64Array(JOINTS),
  toolReachM: new Float64Array(JOINTS),
  farM: 0,
  toolStepM: 0,
  update(positionRad) {
    this.toolM[0] = 0.3 + 0.02 * Math.tanh(positionRad[0]!);
  },
  measureHeights: () => {},
  measurePairs: () => {},
  measureToolStep: () => {},
};

/** What the fake driver drives. */
export interface FakeRobot {
  readonly homeRad: readonly number[];
  readonly limits: ArmLimits;
}

const FAKE_ARM: FakeRobot = {
  homeRad: HOME,
  limits: {
    jointNames: Array.from({ length: JOINTS }, (_, joint) => `joint${joint + 1}`),
    positionMinRad: Array(JOINTS).fill(-3),
    positionMaxRad: Array(JOINTS).fill(3),
    velocityMaxRadPerS: Array(JOINTS).fill(Math.PI),
    accelerationMaxRadPerS2: Array(JOINTS).fill(20),
    jerkMaxRadPerS3: Array(JOINTS).fill(500),
    toolSpeedMaxMPerS: 1,
  },
};

/** Does at once what it is told, and reports it with the next `report`. */
export class FakeDriver implements ArmDriver {
  readonly stopMeanings = { 0: "power off", 1: "brake, then power off", 2: "brake and hold" };
  readonly calls: string[] = [];
  /** With where the arm was when it was enabled, and how often it had been. */
  readonly sent: { atMs: number; positionRad: number[]; measuredRad: number[]; activation: number }[] = [];
  #measuredRad: number[] = [];
  #armRad: number[];
  #activations = 0;
  limits: ArmLimits;
  answer: ReturnType<ArmDriver["command"]> = "sent";
  reports = true;
  failWith: Error | undefined;
  /** Held back until the test lets it go. */
  activation: Promise<void> = Promise.resolve();
  deactivation: Promise<void> = Promise.resolve();
  readonly #clock: SimClock;
  readonly #state: ArmState;
  readonly #listeners = new Set<(fault: Fault) => void>();

  constructor(clock: SimClock, { homeRad, limits }: FakeRobot = FAKE_ARM) {
    this.#clock = clock;
    this.#armRad = [...homeRad];
    this.limits = limits;
    this.#state = {
      sequence: 0,
      receivedMs: 0,
      deviceTimeUs: 0,
      positionRad: Float64Array.from(homeRad),
      velocityRadPerS: new Float64Array(homeRad.length),
      effortNm: new Float64Array(homeRad.length),
      toolPoseBase: new Float64Array(6),
      ready: false,
      errorCode: 0,
      warningCode: 0,
      deviceMode: 0,
      deviceState: 0,
      gripper: undefined,
    };
  }

  async configure(): Promise<DeviceIdentity> {
    this.calls.push("configure");
    if (this.failWith) throw this.failWith;
    return { model: "fake", serial: "F1", firmware: "1" };
  }

  async activate(signal: AbortSignal): Promise<void> {
    this.calls.push("activate");
    if (this.failWith) throw this.failWith;
    await this.activation;
    signal.throwIfAborted();
    this.#state.ready = true;
    this.#activations++;
    this.#measuredRad = [...this.#state.positionRad];
  }

  async deactivate(category: StopCategory): Promise<void> {
    this.calls.push(`deactivate ${category}`);
    this.#state.ready = false;
    await this.deactivation;
  }

  state(): ArmState {
    return this.#state;
  }

  command(positionRad: Float64Array): ReturnType<ArmDriver["command"]> {
    if (this.answer !== "sent") return this.answer;
    if (!this.#state.ready) return "notReady";
    this.#armRad = [...positionRad];
    this.sent.push({
      atMs: nsToMs(this.#clock.nowNs()),
      positionRad: [...positionRad],
      measuredRad: this.#measuredRad,
      activation: this.#activations,
    });
    return "sent";
  }

  stopNow(category: StopCategory): boolean {
    this.calls.push(`stopNow ${category}`);
    this.#state.ready = false;
    return true;
  }

  setGripper(openingM: number): void {
    this.calls.push(`gripper ${openingM}`);
  }

  async setTeachMode(on: boolean): Promise<void> {
    this.calls.push(`teach ${on ? "on" : "off"}`);
    if (this.failWith) throw this.failWith;
    await this.activation;
  }

  counters(): ArmDriverCounters {
    return { sent: this.sent.length, replied: 0, unanswered: 0, reports: 0, corrupt: 0, reconnects: 0 };
  }

  onFault(listener: (fault: Fault) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.calls.push("close");
  }

  fault(code: string, severity: Fault["severity"] = "stop", kind: Fault["kind"] = "device"): void {
    if (severity !== "warning") this.#state.ready = false;
    for (const listener of this.#listeners)
      listener({ code, deviceCode: 1, kind, severity, cause: "a test wants it", remedy: "none" });
  }

  moveByHand(byRad: number): void {
    this.#armRad[1]! += byRad;
  }

  /** What the next reports say of every joint. */
  turnByHand(velocityRadPerS: number): void {
    this.#state.velocityRadPerS.fill(velocityRadPerS);
  }

  /** A device report: the arm is where the newest setpoint says. */
  report(): void {
    if (!this.reports) return;
    this.#state.sequence++;
    this.#state.receivedMs = this.#clock.nowMs();
    this.#state.positionRad.set(this.#armRad);
  }
}

export const SUPERVISOR: Peer = { id: 1000, name: "daemon", role: "supervisor" };

/** One servo, its fake arm, and everything it told. */
export class ServoBench {
  readonly clock: SimClock;
  readonly driver: FakeDriver;
  readonly events: ServoEvent[] = [];
  readonly snapshots: ServoSnapshot[] = [];
  readonly lost: { peerId: number; epoch: number; reason: string }[] = [];
  readonly config: ServoConfig;
  readonly servo: Servo;
  /** A supervisor that is heard before every tick. */
  supervised = true;
  readonly #ticks = { index: 0 };
  #seq = 0;

  /** @param clock of its own when absent; whoever shares one advances it and calls `tickNow` */
  constructor(
    changes: Partial<ServoConfig> = {},
    options: Partial<ServoOptions> = {},
    robot = FAKE_ARM,
    clock = new SimClock(),
  ) {
    this.clock = clock;
    this.driver = new FakeDriver(this.clock, robot);
    this.config = options.config ?? ServoConfig.parse({ ...ServoConfig.parse({}), ...changes });
    this.servo = new Servo({
      robot: "arm",
      device: "fake",
      config: this.config,
      driver: this.driver,
      body: quietBody,
      clock: this.clock,
      realtimePriority: 0,
      processId: 1,
      ...options,
    });
    const output: ServoOutput = {
      broadcastSnapshot: (snapshot) =>
        void this.snapshots.push({
          ...snapshot,
          positionRad: snapshot.positionRad.slice(),
          requestedRad: snapshot.requestedRad.slice(),
          sentRad: snapshot.sentRad.slice(),
        }),
      broadcastEvent: (event) => void this.events.push(event),
      broadcastInfo: () => {},
      leaseLost: (peerId, epoch, reason) => void this.lost.push({ peerId, epoch, reason }),
      snapshotsDropped: () => 0,
    };
    this.servo.attach(output);
  }

  get nowMs(): number {
    return nsToMs(this.clock.nowNs());
  }

  get last(): ServoSnapshot {
    return this.snapshots.at(-1)!;
  }

  /** Runs the loop for `ms`, with a device report before each tick; the first tick may come late. */
  async run(ms: number, skipped = 0): Promise<void> {
    for (let leftMs = ms; leftMs > 0; leftMs -= PERIOD_MS) {
      await this.clock.advance(PERIOD_MS);
      await this.tickNow(leftMs === ms ? skipped : 0);
    }
  }

  async tickNow(late = 0): Promise<void> {
    this.driver.report();
    this.#ticks.index += 1 + late;
    if (this.supervised) this.servo.heard(SUPERVISOR);
    this.servo.tick({ index: this.#ticks.index, nowMs: this.nowMs, skipped: late, sendMs: 0 });
    // Answers of the device arrive between ticks.
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  }

  /** Connected, enabled and ticking. */
  async toHolding(): Promise<void> {
    await this.servo.connect();
    await this.run(8);
    await this.servo.enable();
    await this.run(8);
  }

  /** @returns the lease's epoch */
  lease(peer: Peer): number {
    const { epoch } = this.servo.acquireLease(peer, peer.name);
    this.#seq = 0;
    return epoch;
  }

  /** Hands setpoints over in messages of up to 64, tick by tick from `firstIndex` of their stream. */
  setpoints(
    peer: Peer,
    epoch: number,
    stretch: Pick<SetpointStretch, "positionRad" | "accelerationRadPerS2"> &
      Partial<Pick<SetpointStretch, "firstIndex" | "isLast">> & { readonly validMs?: number },
  ): void {
    const { firstIndex = 0, isLast = true, validMs = 900 } = stretch;
    const positionRad = Array.from(stretch.positionRad);
    const accelerationRadPerS2 = Array.from(stretch.accelerationRadPerS2);
    this.servo.heard(peer);
    const stampNs = this.clock.nowNs();
    for (let at = 0; at < positionRad.length; at += SETPOINTS_MAX * JOINTS) {
      const end = at + SETPOINTS_MAX * JOINTS;
      this.servo.setpoints(peer, {
        epoch,
        firstIndex: firstIndex + at / JOINTS,
        firstSeq: this.#seq + 1,
        stampNs,
        expiresNs: addNs(stampNs, msToNs(validMs)),
        isLast: isLast && end >= positionRad.length,
        positionRad: Float64Array.from(positionRad.slice(at, end)),
        accelerationRadPerS2: Float64Array.from(accelerationRadPerS2.slice(at, end)),
      });
      this.#seq += Math.ceil((Math.min(end, positionRad.length) - at) / JOINTS);
    }
  }

  command(peer: Peer, epoch: number, positionRad: ArrayLike<number>, validMs = 500, speedScale = 1): void {
    this.servo.heard(peer);
    const stampNs = this.clock.nowNs();
    this.servo.command(peer, {
      epoch,
      seq: ++this.#seq,
      stampNs,
      expiresNs: addNs(stampNs, msToNs(validMs)),
      speedScale,
      inputAgeMs: 20,
      positionRad: Float64Array.from(positionRad),
    });
  }
}

export const peerOf = (id: number, role: Peer["role"] = "commander"): Peer => ({
  id,
  name: `peer${id}`,
  role,
});
