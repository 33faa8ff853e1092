/** A fake robot on legs and a bench to drive its servo by hand in simulated time; for tests only. */
import { addNs, msToNs } from "../../core/clock.js";
import { createFloatingBase, type FloatingBase } from "../../core/floatingBase.js";
import { SimClock } from "../../core/simClock.js";
import type { CommandOutcome, ImpedanceGains, LeggedDriver } from "../../drivers/contract.js";
import type { ServoEvent, ServoSnapshot } from "./api.js";
import type { BlackBox } from "./blackBox.js";
import { LegServoConfig } from "./config.js";
import type { Peer } from "./link/server.js";
import type { Balance } from "./options.js";
import { Servo } from "./servo.js";
import { FakeDriver, SUPERVISOR } from "./testing.js";

const JOINTS = 20;
const TICK_MS = 1;
/** Where the fake stands before it is enabled: a little away from the cell's pose. */
export const FOUND_RAD: readonly number[] = LegServoConfig.parse({}).stand.poseRad.map((rad) => rad + 0.03);
export const SOFT: ImpedanceGains = {
  stiffnessNmPerRad: Array(JOINTS).fill(100),
  dampingNmSPerRad: Array(JOINTS).fill(8),
};

export class FakeLegs extends FakeDriver implements LeggedDriver {
  readonly told: { atMs: number; positionRad: number[]; stiffness: number[]; damping: number[] }[] = [];
  readonly base: FloatingBase = createFloatingBase(10);
  /** Its joints stay where they are, whatever they are told. */
  isBlocked = false;
  readonly #simClock: SimClock;

  constructor(clock: SimClock) {
    super(clock, {
      homeRad: FOUND_RAD,
      limits: {
        jointNames: Array.from({ length: JOINTS }, (_, joint) => `motor${joint + 1}`),
        positionMinRad: Array(JOINTS).fill(-1.5),
        positionMaxRad: Array(JOINTS).fill(1.5),
        velocityMaxRadPerS: Array(JOINTS).fill(8),
        accelerationMaxRadPerS2: Array(JOINTS).fill(1000),
        jerkMaxRadPerS3: Array(JOINTS).fill(100_000),
        toolSpeedMaxMPerS: 10,
      },
    });
    this.#simClock = clock;
    Object.assign(this.state(), { base: this.base });
  }

  commandImpedance(positionRad: ArrayLike<number>, gains: ImpedanceGains): CommandOutcome {
    const outcome = this.isBlocked ? "sent" : this.command(Float64Array.from(positionRad));
    if (outcome === "sent")
      this.told.push({
        atMs: this.#simClock.nowMs(),
        positionRad: Array.from(positionRad),
        stiffness: Array.from(gains.stiffnessNmPerRad),
        damping: Array.from(gains.dampingNmSPerRad),
      });
    return outcome;
  }
}

export class LegBench {
  readonly clock = new SimClock();
  readonly driver = new FakeLegs(this.clock);
  readonly events: ServoEvent[] = [];
  readonly config: LegServoConfig;
  readonly servo: Servo;
  readonly blackBox: BlackBox & { failure: string | undefined } = {
    failure: undefined,
    tick: () => {},
    event: () => {},
  };
  last: ServoSnapshot | undefined;
  supervised = true;
  #index = 0;
  #seq = 0;

  constructor(changes: Partial<LegServoConfig> = {}, balance?: Balance) {
    const { stand, ...others } = LegServoConfig.parse({});
    const toThePose = { ...stand, asFoundRadMax: Array(JOINTS).fill(0) };
    this.config = LegServoConfig.parse({ ...others, stand: toThePose, ...changes });
    this.servo = new Servo({
      robot: "legs",
      device: "fake",
      config: this.config,
      driver: this.driver,
      clock: this.clock,
      realtimePriority: 0,
      processId: 1,
      blackBox: this.blackBox,
      balance,
    });
    this.servo.attach({
      broadcastSnapshot: (snapshot) => {
        this.last = {
          ...snapshot,
          requestedRad: snapshot.requestedRad.slice(),
          sentRad: snapshot.sentRad.slice(),
        };
      },
      broadcastEvent: (event) => void this.events.push(event),
      broadcastInfo: () => {},
      leaseLost: () => {},
      snapshotsDropped: () => 0,
    });
  }

  /** Ticks for `ms`, with a device report before each; the first may come late by so many ticks. */
  async run(ms: number, skipped = 0): Promise<void> {
    for (let leftMs = ms; leftMs > 0; leftMs -= TICK_MS) {
      await this.clock.advance(TICK_MS);
      this.tick(leftMs === ms ? skipped : 0);
      for (let turn = 0; turn < 4; turn++) await Promise.resolve();
    }
  }

  tick(skipped = 0): void {
    this.driver.report();
    this.#index += 1 + skipped;
    if (this.supervised) this.servo.heard(SUPERVISOR);
    this.servo.tick({ index: this.#index, nowMs: this.clock.nowMs(), skipped, sendMs: 0 });
  }

  /** Enabled and in the pose of the stand. */
  async toStanding(): Promise<void> {
    await this.servo.connect();
    await this.run(2);
    await this.servo.enable();
    await this.run(120);
  }

  lease(peer: Peer): number {
    this.#seq = 0;
    return this.servo.acquireLease(peer, peer.name).epoch;
  }

  command(
    peer: Peer,
    epoch: number,
    positionRad: ArrayLike<number>,
    { gains = SOFT, validMs = 50 }: { readonly gains?: ImpedanceGains; readonly validMs?: number } = {},
  ): void {
    this.servo.heard(peer);
    const stampNs = this.clock.nowNs();
    this.servo.command(peer, {
      epoch,
      seq: ++this.#seq,
      stampNs,
      expiresNs: addNs(stampNs, msToNs(validMs)),
      speedScale: 1,
      inputAgeMs: 2,
      positionRad: Float64Array.from(positionRad),
      stiffnessNmPerRad: Float64Array.from(gains.stiffnessNmPerRad),
      dampingNmSPerRad: Float64Array.from(gains.dampingNmSPerRad),
    });
  }
}
