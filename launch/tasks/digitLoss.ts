/**
 * What happens to a Digit that is commanded when something is lost: the policy, its commands, the servo process, a direction
 * of the link, the JSON interface. Tried in simulated time; how long the motors were still driven is read off their record.
 */
import { addNs, msToNs } from "../../core/clock.js";
import type { ImpedanceGains } from "../../drivers/contract.js";
import type { Peer } from "../../runtime/servo/link/server.js";
import type { DigitServo } from "./digitServo.js";
import { type SafeEnd, safeEnd } from "./safeEnd.js";

/** As a walking policy's. */
const STEP_MS = 20;
const EXPIRY_MS = 50;
/** For so long it is commanded before anything is lost. */
const BEFORE_MS = 300;
const POLICY: Peer = { id: 2, name: "policy", role: "commander" };

/** Step by step a pose is asked for a little this way and that way, so that motors are driven at every moment. */
const SWAY_RAD = 0.01;

/** Holds the lease and asks for one pose in every step, as long as it lives. */
export class StandingPolicy {
  isAlive = true;
  readonly #rig: DigitServo;
  readonly #positionRad: Float64Array;
  readonly #gains: ImpedanceGains;
  readonly #epoch: number;
  #seq = 0;
  #ms = 0;

  /** @throws CerebellumError LEASE_REFUSED */
  constructor(rig: DigitServo, positionRad: ArrayLike<number>, gains: ImpedanceGains) {
    this.#rig = rig;
    this.#positionRad = Float64Array.from(positionRad);
    this.#gains = gains;
    rig.servo.heard(POLICY);
    this.#epoch = rig.servo.acquireLease(POLICY, "standing").epoch;
  }

  /** Once a millisecond, before it passes. */
  beat(): void {
    if (!this.isAlive || !this.#rig.isAlive || this.#ms++ % STEP_MS !== 0) return;
    const { servo, digit } = this.#rig;
    const stampNs = digit.clock.nowNs();
    servo.heard(POLICY);
    servo.command(POLICY, {
      epoch: this.#epoch,
      seq: ++this.#seq,
      stampNs,
      expiresNs: addNs(stampNs, msToNs(EXPIRY_MS)),
      speedScale: 1,
      inputAgeMs: 1,
      positionRad: this.#positionRad.map((rad) => rad + (this.#seq % 2 === 0 ? SWAY_RAD : -SWAY_RAD)),
      stiffnessNmPerRad: Float64Array.from(this.#gains.stiffnessNmPerRad),
      dampingNmSPerRad: Float64Array.from(this.#gains.dampingNmSPerRad),
    });
  }

  /** Its process has ended, and the servo sees the connection close. */
  die(): void {
    this.isAlive = false;
    this.#rig.servo.gone(POLICY);
  }
}

export interface Loss {
  readonly words: string;
  happen(rig: DigitServo, policy: StandingPolicy): void;
  /** From the loss until no motor is driven any more, at most [ms]. */
  readonly quietMsMax: number;
  /** Who lets go: the servo's own commands, or the robot by itself. */
  readonly by: "servo" | "robot";
}

/** The robot's own time-out, and the ticks of both sides in which it is noticed. */
const ROBOT_MS = 52;
/** What the servo sees in one tick leaves in the next at the latest. */
const TICKS_MS = 3;

export const DIGIT_LOSSES = {
  policyDies: {
    words: "the policy's process ends",
    happen: (_rig, policy) => policy.die(),
    quietMsMax: TICKS_MS,
    by: "servo",
  },
  policyHangs: {
    words: "the policy stands still: its last command expires",
    happen: (_rig, policy) => {
      policy.isAlive = false;
    },
    quietMsMax: EXPIRY_MS + TICKS_MS,
    by: "servo",
  },
  servoKilled: {
    words: "the servo process is killed",
    happen: (rig) => rig.kill(),
    quietMsMax: ROBOT_MS,
    by: "robot",
  },
  servoStandsStill: {
    words: "the servo's loop stands still, and its process lives: the driver notices",
    happen: (rig) => {
      rig.isAlive = false;
    },
    quietMsMax: 30,
    by: "servo",
  },
  linkCut: {
    words: "the network is cut, both ways",
    happen: ({ digit }) => {
      digit.network.isCut = true;
    },
    quietMsMax: ROBOT_MS,
    by: "robot",
  },
  commandsLost: {
    words: "commands do not arrive, observations do",
    happen: ({ digit }) => digit.emulator.inject({ loses: { side: "commands", share: 1 } }),
    quietMsMax: ROBOT_MS,
    by: "robot",
  },
  observationsLost: {
    words: "observations do not arrive, commands do",
    happen: ({ digit }) => digit.emulator.inject({ loses: { side: "observations", share: 1 } }),
    quietMsMax: 25,
    by: "servo",
  },
  jsonCloses: {
    words: "the JSON connection closes",
    happen: ({ digit }) => digit.emulator.inject({ jsonCloses: {} }),
    quietMsMax: TICKS_MS,
    by: "servo",
  },
  jsonSilent: {
    words: "the JSON interface says nothing any more",
    happen: ({ digit }) => digit.emulator.inject({ jsonIsSilent: {} }),
    // Of which the robot still does what it is told: silence is known after half a second and a question's turn.
    quietMsMax: 560,
    by: "servo",
  },
  privilegeLost: {
    words: "another client takes the privilege",
    happen: ({ digit }) => digit.emulator.inject({ privilegeIsTaken: {} }),
    quietMsMax: 110,
    by: "servo",
  },
} as const satisfies Readonly<Record<string, Loss>>;
export type DigitLossName = keyof typeof DIGIT_LOSSES;

/**
 * Commands a standing robot, lets it happen, and waits for what comes of it.
 * @param rig enabled, in its stand
 */
export async function tryLoss(
  rig: DigitServo,
  { happen, quietMsMax }: Loss,
  policy: StandingPolicy,
): Promise<SafeEnd> {
  const run = async (ms: number) => {
    for (let passed = 0; passed < ms; passed++) {
      policy.beat();
      await rig.tick();
    }
  };
  await run(BEFORE_MS);
  const { robot } = rig.digit.emulator;
  const momentMs = robot.nowMs;
  happen(rig, policy);
  await run(2 * quietMsMax);
  return safeEnd(robot.motorLog.spans, momentMs);
}
