import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SimClock } from "../../core/simClock.js";
import type { Lease, ServoClient, ServoSnapshot } from "../servo/api.js";
import { leaseGone } from "../servo/link/lease.js";
import { RobotLink } from "./robotLink.js";

/** A servo's end that a test plays. */
class PlayedServo {
  readonly #ended = new AbortController();
  readonly leaseLost = new AbortController();
  readonly info = {};
  isClosed = false;
  /** What happens in the turn in which the lease is granted. */
  onGrant = () => {};

  get closed(): AbortSignal {
    return this.#ended.signal;
  }
  latest() {
    return { state: "holding", commander: "", epoch: 1 } as ServoSnapshot;
  }
  onSnapshot() {
    return () => {};
  }
  acquireLease(): Promise<Lease> {
    const granted = Promise.resolve({
      epoch: 2,
      lost: this.leaseLost.signal,
      release: () => {},
    } as unknown as Lease);
    this.onGrant();
    return granted;
  }
  async close(): Promise<void> {
    this.isClosed = true;
    this.#ended.abort(new Error("closed"));
  }
}

let clock: SimClock;
let servos: PlayedServo[];
let failures: string[];
let link: RobotLink;
let onUp: () => void;

const turns = async () => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
};

beforeEach(() => {
  clock = new SimClock();
  servos = [];
  failures = [];
  onUp = () => {};
  link = new RobotLink({
    clock,
    robot: "arm",
    connect: async () => {
      const servo = new PlayedServo();
      servos.push(servo);
      return servo as unknown as ServoClient;
    },
    onUp: () => onUp(),
    onSnapshot: () => {},
    onStanding: () => {},
    onFailed: (code, detail) => void failures.push(`${code}: ${detail}`),
  });
});
afterEach(() => link.close());

describe("the way to a servo", () => {
  it("a lease that is lost in the moment in which it is granted is no lease, and that is said at once", async () => {
    link.open();
    await turns();
    const [servo] = servos;
    servo!.onGrant = () => servo!.leaseLost.abort(leaseGone("stopped: a test"));
    link.acquire("a test");
    await turns();
    expect(failures).toEqual([expect.stringMatching(/^LEASE_LOST: .*stopped: a test/)]);
  });

  it("a robot that nothing can be made of leaves no connection behind, and says why", async () => {
    onUp = () => {
      throw new Error("it has 16 joints");
    };
    link.open();
    await turns();
    for (let time = 0; time < 5; time++) await clock.advance(600);
    await turns();
    expect(servos.length).toBeGreaterThan(3);
    expect(servos.filter(({ isClosed }) => !isClosed).length).toBeLessThanOrEqual(1);
    link.acquire("a test");
    await turns();
    expect(failures).toEqual(["SERVO_GONE: it has 16 joints"]);
  });
});
