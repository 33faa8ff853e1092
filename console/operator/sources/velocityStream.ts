/**
 * How fast a walking robot is to go, in shares of what its policy can: said 20 times a second while the dead-man's key is
 * held. The robot's heading is what counts, so it does not matter where the operator stands.
 */
import type { VelocityCommand } from "../../../core/floatingBase.js";
import type { ClientMessage } from "../../../core/gateway/client.js";
import { type SteeringStatus, VELOCITY_FIELDS } from "../../../core/gateway/steering.js";
import type { PageClock } from "../../link/pageClock.js";
import type { DriveInput, DriveSource } from "./driveInput.js";
import { HoldLoop } from "./holdLoop.js";

type Asked = Omit<Extract<ClientMessage, { kind: "velocity" }>, "kind">;

/** Shares of the policy's range; the slowest is still above the cut-offs of one that walks like the paper's. */
export const PACES = {
  slow: { words: "Slow", share: 0.4 },
  normal: { words: "Normal", share: 0.7 },
  full: { words: "Full", share: 1 },
} as const;
export type PaceName = keyof typeof PACES;

export const VELOCITY_HZ = 20;
const STALL_MS_MAX = 150;
/** From standing to all of it; it falls at once. */
const RISE_MS = 500;

export interface VelocityStreamOptions {
  readonly clock: PageClock;
  readonly robot: string;
  readonly input: DriveSource;
  /** What the policy takes now; undefined when none runs that takes any. */
  readonly range: () => SteeringStatus["range"] | undefined;
  readonly send: (asked: Asked) => boolean;
  readonly onChange?: (isHeld: boolean, why: string) => void;
}

type Shares = readonly [forward: number, left: number, yaw: number];

export class VelocityStream {
  pace: PaceName = "normal";
  readonly #options: VelocityStreamOptions;
  readonly #hold: HoldLoop;
  #shares: Shares = [0, 0, 0];

  constructor(options: VelocityStreamOptions) {
    this.#options = options;
    const { clock, input, onChange } = options;
    this.#hold = new HoldLoop({
      clock,
      rateHz: VELOCITY_HZ,
      stallMsMax: STALL_MS_MAX,
      input,
      begin: () => {},
      move: ({ linear, angular }: DriveInput, elapsedMs) => {
        const wanted: Shares = [linear[0], linear[1], angular[2]];
        const step = elapsedMs / RISE_MS;
        this.#shares = this.#shares.map((share, index) => risen(share, wanted[index]!, step)) as never;
      },
      rest: () => {
        this.#shares = [0, 0, 0];
      },
      say: (_nowMs, isHeld) => this.#say(isHeld),
      onChange,
    });
  }

  start(): void {
    this.#hold.start();
  }

  close(): void {
    this.#hold.close();
  }

  /** Ends the hold now, and tells the daemon so. */
  release(why: string): void {
    this.#hold.release(why);
  }

  #say(isHeld: boolean): boolean {
    const { robot, range, send } = this.#options;
    return send({ robot, isHeld, velocity: this.#velocity(isHeld ? range() : undefined) });
  }

  #velocity(range: SteeringStatus["range"] | undefined): VelocityCommand {
    const scale = PACES[this.pace].share;
    const [forwardMPerS, leftMPerS, yawRateRadPerS] = VELOCITY_FIELDS.map((field, index) => {
      const [low, high] = range?.[field] ?? [0, 0];
      const share = scale * this.#shares[index]!;
      // Backward a policy often goes more slowly than forward.
      return share < 0 ? -share * low : share * high;
    });
    return { forwardMPerS: forwardMPerS!, leftMPerS: leftMPerS!, yawRateRadPerS: yawRateRadPerS! };
  }
}

/** Towards the wanted share: up slowly, down and to the other side at once. */
function risen(now: number, wanted: number, step: number): number {
  const from = now * wanted < 0 ? 0 : now;
  return Math.abs(wanted) > Math.abs(from)
    ? from + Math.sign(wanted) * Math.min(step, Math.abs(wanted - from))
    : wanted;
}
