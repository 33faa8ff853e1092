/** A replay through a whole servo in simulated time: to its end, or ended, and then with its reason. */
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { asMonotonicNs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import type { Lease, ServoClient, ServoEvent, ServoSnapshot, SetpointStretch } from "../servo/api.js";
import { splineAccelerations } from "../servo/splineAccelerations.js";
import { HOME, PERIOD_MS, peerOf, ServoBench, SUPERVISOR } from "../servo/testing.js";
import type { ReplayPlan } from "./plan.js";
import { type ReplayOptions, type ReplayOutcome, runReplay } from "./replayer.js";

const JOINTS = 7;
const peer = peerOf(1);
const START = HOME.map((value) => value + 0.1);

/** There and back again on a smooth way. */
function planOf(ticks = 600, openings: ReplayPlan["openings"] = []): ReplayPlan {
  const positionRad = Float64Array.from({ length: ticks * JOINTS }, (_, i) => {
    const share = Math.min(1, Math.max(0, (Math.floor(i / JOINTS) - 20) / (ticks - 40)));
    const half = share < 0.5 ? 2 * share : 2 - 2 * share;
    return START[i % JOINTS]! + 0.2 * half ** 3 * (10 - 15 * half + 6 * half * half);
  });
  return {
    jointCount: JOINTS,
    periodS: PERIOD_MS / 1000,
    positionRad,
    accelerationRadPerS2: splineAccelerations(positionRad, JOINTS, PERIOD_MS / 1000),
    ticks,
    startOpeningM: undefined,
    openings,
    isExact: true,
    remarks: [],
  };
}

/** The bench's servo as a client sees it, without a socket. */
class BenchClient {
  readonly bench = new ServoBench({ leaseSilenceMsMax: 5000 });
  readonly lost = new AbortController();
  readonly #snapshots = new Set<(snapshot: ServoSnapshot) => void>();
  readonly #events = new Set<(event: ServoEvent) => void>();
  #seq = 0;
  /** Setpoints no longer arrive. */
  deaf = false;

  async follow(): Promise<Lease> {
    await this.bench.toHolding();
    const epoch = this.bench.lease(peer);
    return {
      epoch,
      command: ({ positionRad, expiresNs, speedScale }) => {
        this.#seq++;
        const validMs = Number(expiresNs - this.bench.clock.nowNs()) / 1e6;
        this.bench.command(peer, epoch, positionRad, validMs, speedScale);
        return this.#seq;
      },
      setpoints: (stretch: SetpointStretch) => {
        const first = this.#seq + 1;
        this.#seq += stretch.positionRad.length / JOINTS;
        const validMs = Number(stretch.expiresNs - this.bench.clock.nowNs()) / 1e6;
        if (!this.deaf) this.bench.setpoints(peer, epoch, { ...stretch, validMs });
        return first;
      },
      gripper: (openingM) =>
        this.bench.servo.gripper(peer, {
          epoch,
          openingM,
          expiresNs: asMonotonicNs(this.bench.clock.nowNs() + 500_000_000n),
        }),
      release: () => this.bench.servo.releaseLease(peer, epoch),
      lost: this.lost.signal,
    };
  }

  client(): ServoClient {
    const { bench } = this;
    const listen =
      <T>(set: Set<T>) =>
      (listener: T) => {
        set.add(listener);
        return () => void set.delete(listener);
      };
    return {
      info: bench.servo.info(),
      latest: () => bench.last,
      onSnapshot: listen(this.#snapshots),
      onEvent: listen(this.#events),
      closed: new AbortController().signal,
    } as unknown as ServoClient;
  }

  /** Runs ticks until `work` has ended; what the servo tells arrives between them. */
  async until<T>(work: Promise<T>, between: (atMs: number) => void = () => {}): Promise<T> {
    let isDone = false;
    const done = work.finally(() => {
      isDone = true;
    });
    done.catch(() => {});
    let seen = this.bench.events.length;
    for (let tick = 0; tick < 10_000 && !isDone; tick++) {
      await this.bench.run(PERIOD_MS);
      this.bench.servo.heard(peer);
      for (const event of this.bench.events.slice(seen)) for (const listener of this.#events) listener(event);
      seen = this.bench.events.length;
      for (const listener of this.#snapshots) listener(this.bench.last);
      for (const { reason } of this.bench.lost)
        this.lost.abort(new CerebellumError("LEASE_REFUSED", `The lease is gone: ${reason}`, "None"));
      between(Number(this.bench.last.tickNs) / 1e6);
      await turn();
    }
    return done;
  }
}

async function replay(
  plan: ReplayPlan,
  options: Partial<ReplayOptions> = {},
  between: (rig: BenchClient, passed: number) => void = () => {},
): Promise<{ rig: BenchClient; outcome: ReplayOutcome; firstSeq: number }> {
  const rig = new BenchClient();
  const lease = await rig.follow();
  let firstSeq = Number.NaN;
  const watched: Lease = {
    ...lease,
    setpoints: (stretch) => {
      const seq = lease.setpoints(stretch);
      if (stretch.firstIndex === 0) firstSeq = seq;
      return seq;
    },
  };
  const outcome = await rig.until(
    runReplay(rig.bench.clock, rig.client(), watched, plan, {
      approachSpeedScale: 0.5,
      expiryMsMax: 1000,
      ended: new AbortController().signal,
      ...options,
    }),
    () => between(rig, rig.bench.last.commandSeq - firstSeq + 1),
  );
  await rig.bench.run(400);
  return { rig, outcome, firstSeq };
}

describe("a replay", () => {
  it("goes to the start pose, passes every setpoint unchanged, and gives the lease back", async () => {
    const openings = [{ tick: 200, openingM: 0.03 }];
    const plan = planOf(600, openings);
    const started: number[] = [];
    const { rig, outcome } = await replay(plan, { onStart: async () => void started.push(1) });
    expect(outcome).toEqual({
      passed: 600,
      ticks: 600,
      verified: 600,
      differing: 0,
      stoppedBecause: undefined,
    });
    expect(started).toHaveLength(1);
    const sent = rig.bench.driver.sent.map(({ positionRad }) => positionRad.join());
    const last = sent.lastIndexOf([...plan.positionRad.slice(-JOINTS)].join());
    const wanted = Array.from({ length: 600 }, (_, tick) =>
      [...plan.positionRad.slice(7 * tick, 7 * tick + 7)].join(),
    );
    const at = sent.findIndex((row, i) => row === wanted[0] && sent[i + 300] === wanted[300]);
    expect(sent.slice(at, at + 600)).toEqual(wanted);
    expect(last).toBeGreaterThanOrEqual(at + 599);
    expect(rig.bench.driver.calls.filter((call) => call.startsWith("gripper"))).toEqual(["gripper 0.03"]);
    expect(rig.bench.last.state).toBe("holding");
    expect(rig.bench.servo.statistics().triggers).toMatchObject({ setpointRejected: 0, setpointsRanDry: 0 });
  });

  it.each<[string, (rig: BenchClient) => void, RegExp]>([
    ["a stop", ({ bench }) => void bench.servo.stop(2, "enough"), /stopRequested: .*enough|stopped: enough/],
    ["a fault", ({ bench }) => bench.driver.fault("FAKE_COLLISION"), /FAKE_COLLISION/],
    ["a lease that is taken away", ({ bench }) => bench.servo.revokeLease(SUPERVISOR, "my turn"), /my turn/],
    ["an old device state", ({ bench }) => void (bench.driver.reports = false), /deviceStateOld/],
    ["setpoints that do not arrive", (rig) => void (rig.deaf = true), /setpointsRanDry/],
    [
      "a device that takes nothing",
      ({ bench }) => void (bench.driver.answer = "busy"),
      /setpointRejected|deviceBusy|no setpoint has left|commandExpired/,
    ],
  ])("is ended by %s, with that as its reason, and the arm rests", async (_what, strike, reason) => {
    let struck = false;
    const { rig, outcome } = await replay(planOf(), {}, (all, passed) => {
      if (struck || !(passed > 250)) return;
      struck = true;
      strike(all);
    });
    expect(outcome.stoppedBecause).toMatch(reason);
    expect(outcome.passed).toBeGreaterThan(250);
    expect(outcome.passed).toBeLessThan(600);
    expect(outcome.differing).toBe(0);
    expect(rig.bench.last.commander).toBe("");
    const stands = [...rig.bench.last.sentRad];
    await rig.bench.run(400);
    expect([...rig.bench.last.sentRad]).toEqual(stands);
  });

  it("is ended by whoever runs it, and its queue is gone", async () => {
    const ended = new AbortController();
    const { rig, outcome } = await replay(planOf(), { ended: ended.signal }, (_, passed) => {
      if (passed > 250) ended.abort(new CerebellumError("COMMAND_REFUSED", "It was interrupted", "None"));
    });
    expect(outcome.stoppedBecause).toBe("It was interrupted");
    expect(outcome.passed).toBeLessThan(300);
    expect(rig.bench.last.state).toBe("holding");
  });

  it("does not begin where the start pose cannot be reached to the last bit", async () => {
    const rig = new BenchClient();
    const lease = await rig.follow();
    const plan = planOf();
    plan.positionRad[0] = 3;
    plan.positionRad[7] = 3;
    const running = runReplay(rig.bench.clock, rig.client(), lease, plan, {
      approachSpeedScale: 1,
      expiryMsMax: 1000,
      ended: new AbortController().signal,
    });
    await expect(rig.until(running)).rejects.toMatchObject({ code: "TIMED_OUT" });
    expect(rig.bench.servo.statistics().triggers.setpointRejected).toBe(0);
  });
});
