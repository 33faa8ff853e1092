/**
 * A real servo with its black box, an arm or a hand in memory and nobody connected, which follows a slow swing: the work of
 * a tick, alone.
 */
import { type Clock, msToMonotonicNs } from "../../core/clock.js";
import { AllegroConfig } from "../../drivers/allegro/config.js";
import { limitsOf } from "../../drivers/allegro/limits.js";
import { TOOL_POINT_FLANGE_M } from "../../kinematics/xarm7.js";
import { xarm7Body } from "../../kinematics/xarm7Collision.js";
import { RingRecorder } from "../../runtime/servo/blackBox/recorder.js";
import { Ring, WORD } from "../../runtime/servo/blackBox/ring.js";
import { ServoConfig } from "../../runtime/servo/config.js";
import type { Peer } from "../../runtime/servo/link/server.js";
import type { Tick } from "../../runtime/servo/loop.js";
import { Servo } from "../../runtime/servo/servo.js";
import type { MovingBody } from "../../runtime/servo/zones.js";
import { HandBody } from "../allegro/handBody.js";
import { MemoryArm } from "./memoryArm.js";

/** Inside of the workspace, above the table. */
export const HOME_RAD: readonly number[] = [0, -0.3, 0, 0.9, 0, 1.2, 0];
export const SWING_RAD = 0.15;
export const SWING_PERIOD_S = 4;
export const COMMAND_RATE_HZ = 5;
const COMMAND_VALID_MS = 500;

const SUPERVISOR: Peer = { id: 1, name: "practice", role: "supervisor" };
const COMMANDER: Peer = { id: 2, name: "practice", role: "commander" };

/** What swings. */
interface PracticeRobot {
  readonly driver: MemoryArm;
  readonly body: MovingBody;
  readonly homeRad: readonly number[];
  readonly swingRad: number;
}

function armOf(clock: Clock, { selfCollision: { attached } }: ServoConfig): PracticeRobot {
  const body = xarm7Body({ gripper: "xarm", toolPointM: TOOL_POINT_FLANGE_M, attached });
  return { driver: new MemoryArm(clock, HOME_RAD), body, homeRad: HOME_RAD, swingRad: SWING_RAD };
}

/** One of a hand's models is as much work as another. */
export function practiceHand(clock: Clock, { workspace }: ServoConfig): PracticeRobot {
  const limits = limitsOf(
    AllegroConfig.parse({ model: "v4", side: "right", can: { socketcan: { interface: "none" } } }),
  );
  const homeRad = limits.positionMinRad.map((min, joint) => (min + limits.positionMaxRad[joint]!) / 2);
  const driver = new MemoryArm(clock, homeRad, limits);
  return { driver, body: new HandBody(workspace), homeRad, swingRad: SWING_RAD };
}

export class Practice {
  readonly servo: Servo;
  readonly #clock: Clock;
  readonly #ring: Ring;
  readonly #robot: PracticeRobot;
  readonly #targetRad: Float64Array;
  #epoch = 0;
  #seq = 0;

  constructor(clock: Clock, config: ServoConfig = ServoConfig.parse({}), robot = armOf(clock, config)) {
    const { driver, body, homeRad } = robot;
    const size = { jointCount: homeRad.length, rateHz: config.rateHz };
    this.#ring = new Ring(size);
    this.#clock = clock;
    this.#robot = robot;
    this.#targetRad = Float64Array.from(homeRad);
    this.servo = new Servo({
      robot: "practice",
      device: "memory",
      config,
      driver,
      body,
      clock,
      realtimePriority: 0,
      processId: process.pid,
      blackBox: new RingRecorder(this.#ring, size),
    });
  }

  /** One tick; what it writes into the black box is taken out at once, and goes nowhere. */
  tick(tick: Tick): void {
    this.servo.tick(tick);
    this.#ring.set(WORD.rowsDrained, this.#ring.get(WORD.rowsWritten));
    this.#ring.set(WORD.noteBytesDrained, this.#ring.get(WORD.noteBytesWritten));
  }

  /** Connected and enabled, with a lease: `following` without a command yet. */
  async start(): Promise<void> {
    await this.servo.connect();
    this.hear();
    await this.servo.enable();
    this.#epoch = this.servo.acquireLease(COMMANDER, COMMANDER.name).epoch;
  }

  /** Signs of life of supervisor and commander. */
  hear(): void {
    this.servo.heard(SUPERVISOR);
    this.servo.heard(COMMANDER);
  }

  /** The next target of the swing. */
  command(): void {
    this.hear();
    const nowMs = this.#clock.nowMs();
    const phase = (2 * Math.PI * nowMs) / (1000 * SWING_PERIOD_S);
    const { homeRad, swingRad } = this.#robot;
    for (let joint = 0; joint < homeRad.length; joint++)
      this.#targetRad[joint] = homeRad[joint]! + swingRad * Math.sin(phase);
    this.servo.command(COMMANDER, {
      epoch: this.#epoch,
      seq: ++this.#seq,
      stampNs: msToMonotonicNs(nowMs),
      expiresNs: msToMonotonicNs(nowMs + COMMAND_VALID_MS),
      speedScale: 1,
      inputAgeMs: 0,
      positionRad: this.#targetRad,
    });
  }
}
