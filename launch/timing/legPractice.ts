/** A real servo of a robot on legs with its black box, a Digit in memory and nobody connected: the work of a tick, alone. */
import { type Clock, msToMonotonicNs } from "../../core/clock.js";
import { RingRecorder } from "../../runtime/servo/blackBox/recorder.js";
import { Ring, WORD } from "../../runtime/servo/blackBox/ring.js";
import { LegServoConfig } from "../../runtime/servo/config.js";
import type { Peer } from "../../runtime/servo/link/server.js";
import type { Tick } from "../../runtime/servo/loop.js";
import { Servo } from "../../runtime/servo/servo.js";
import { MemoryLegs } from "./memoryArm.js";

/** As a walking policy's. */
export const LEG_COMMAND_RATE_HZ = 50;
const COMMAND_VALID_MS = 50;
const SWAY_RAD = 0.01;
const SUPERVISOR: Peer = { id: 1, name: "practice", role: "supervisor" };
const COMMANDER: Peer = { id: 2, name: "practice", role: "commander" };

export class LegPractice {
  readonly servo: Servo;
  readonly #clock: Clock;
  readonly #config: LegServoConfig;
  readonly #ring: Ring;
  readonly #targetRad: Float64Array;
  readonly #stiffnessNmPerRad: Float64Array;
  readonly #dampingNmSPerRad: Float64Array;
  #epoch = 0;
  #seq = 0;

  constructor(clock: Clock, config: LegServoConfig = LegServoConfig.parse({})) {
    const { rateHz, stand } = config;
    this.#clock = clock;
    this.#config = config;
    this.#targetRad = Float64Array.from(stand.poseRad);
    this.#stiffnessNmPerRad = Float64Array.from(stand.stiffnessNmPerRad);
    this.#dampingNmSPerRad = Float64Array.from(stand.dampingNmSPerRad);
    const size = { jointCount: stand.poseRad.length, rateHz };
    this.#ring = new Ring(size);
    this.servo = new Servo({
      robot: "practice",
      device: "memory",
      config,
      driver: new MemoryLegs(clock, stand.poseRad),
      clock,
      realtimePriority: 0,
      processId: process.pid,
      blackBox: new RingRecorder(this.#ring, size),
    });
  }

  /** Connected and enabled, in its stand. */
  async start(): Promise<void> {
    await this.servo.connect();
    this.hear();
    await this.servo.enable();
  }

  /** From now on it follows what `command` says. */
  lead(): void {
    this.#epoch = this.servo.acquireLease(COMMANDER, COMMANDER.name).epoch;
  }

  /** One tick; what it writes into the black box is taken out at once, and goes nowhere. */
  tick(tick: Tick): void {
    this.servo.tick(tick);
    this.#ring.set(WORD.rowsDrained, this.#ring.get(WORD.rowsWritten));
    this.#ring.set(WORD.noteBytesDrained, this.#ring.get(WORD.noteBytesWritten));
  }

  /** Signs of life of supervisor and commander. */
  hear(): void {
    this.servo.heard(SUPERVISOR);
    this.servo.heard(COMMANDER);
  }

  /** The next target of a sway about the stand. */
  command(): void {
    this.hear();
    const nowMs = this.#clock.nowMs();
    this.#targetRad[0] = this.#config.stand.poseRad[0]! + SWAY_RAD * Math.sin(nowMs / 200);
    this.servo.command(COMMANDER, {
      epoch: this.#epoch,
      seq: ++this.#seq,
      stampNs: msToMonotonicNs(nowMs),
      expiresNs: msToMonotonicNs(nowMs + COMMAND_VALID_MS),
      speedScale: 1,
      inputAgeMs: 0,
      positionRad: this.#targetRad,
      stiffnessNmPerRad: this.#stiffnessNmPerRad,
      dampingNmSPerRad: this.#dampingNmSPerRad,
    });
  }
}
