/**
 * Who leads the robot in `bench digit`, in a thread of its own as a cell's policy is: at every twentieth snapshot one step
 * of a transformer is computed, and a new target goes out. What the step says is thrown away and the stand's pose swayed,
 * because its weights are random.
 */
import { on } from "node:events";
import type { MessagePort } from "node:worker_threads";
import { addNs, type Clock, type MonotonicNs, msToNs, nsToMs, sleepMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import type { HistoryPipeline } from "../../policies/history/pipeline.js";
import { openHistoryPolicy } from "../../policies/history/verify.js";
import type { ServoClient, ServoSnapshot } from "../../runtime/servo/api.js";
import { LegServoConfig } from "../../runtime/servo/config.js";
import { connectServo } from "../../runtime/servo/link/client.js";

/** 50 Hz of 1000. */
const TICKS_PER_STEP = 20;
const COMMAND_VALID_MS = 50;
const AGAIN_MS = 200;
const SWAY_RAD = 0.03;
const SWAY_HZ = 0.7;

export interface DigitPaceSetup {
  readonly socketPath: string;
  readonly bundleDirectory: string;
}

/** A target that was sent. */
export interface PacedCommand {
  readonly seq: number;
  /** When the servo had the observation that it was made from. */
  readonly observedNs: MonotonicNs;
  readonly expiresNs: MonotonicNs;
  readonly stepMs: number;
}

export type FromPace =
  | { readonly kind: "ready" }
  | {
      readonly kind: "ended";
      /** Of each lease, in order: numbers begin anew with each. */
      readonly leases: readonly (readonly PacedCommand[])[];
      readonly stops: number;
    }
  | { readonly kind: "failed"; readonly what: string };

/** For how long it leads [ms], and then that its silence was long enough: a closed connection would give the lease back. */
export type ToPace = { readonly durationMs: number } | { readonly close: true };

/** Serves one pass: says when it is ready, leads when it is told for how long, and tells what it sent. */
export async function runDigitPace(setup: DigitPaceSetup, port: MessagePort, clock: Clock): Promise<void> {
  const connect = (role: "supervisor" | "commander", snapshotEveryTicks: number) =>
    connectServo(setup.socketPath, { role, name: `bench pace ${role}`, clock, snapshotEveryTicks });
  const { pipeline } = await openHistoryPolicy(setup.bundleDirectory, { intraOpThreads: 1 });
  const supervisor = await connect("supervisor", 0);
  const commander = await connect("commander", TICKS_PER_STEP);
  const messages = on(port, "message") as AsyncIterator<[ToPace]>;
  post(port, { kind: "ready" });
  for (let told = await messages.next(); "durationMs" in told.value[0]; told = await messages.next()) {
    const { durationMs } = told.value[0];
    post(port, await new DigitPace({ clock, commander, supervisor, pipeline }).run(durationMs));
  }
  await Promise.all([commander.close(), supervisor.close(), pipeline.release()]);
  port.close();
}

const post = (port: MessagePort, message: FromPace): void => port.postMessage(message);

interface PaceParts {
  readonly clock: Clock;
  readonly commander: ServoClient;
  readonly supervisor: ServoClient;
  readonly pipeline: HistoryPipeline;
}

class DigitPace {
  readonly #parts: PaceParts;
  readonly #leases: PacedCommand[][] = [];
  #stops = 0;

  constructor(parts: PaceParts) {
    this.#parts = parts;
  }

  async run(durationMs: number): Promise<FromPace> {
    const { clock } = this.#parts;
    const endMs = clock.nowMs() + durationMs;
    while (clock.nowMs() < endMs) {
      await this.#lead(endMs);
      if (clock.nowMs() < endMs) await this.#standAgain(endMs);
    }
    return { kind: "ended", leases: this.#leases, stops: this.#stops };
  }

  /** Until the time is up, or the servo has stopped: a target that came too late ends a lease. */
  async #lead(endMs: number): Promise<void> {
    const { clock, commander, pipeline } = this.#parts;
    const lease = await commander.acquireLease("bench").catch(ignoreRefusal);
    if (lease === undefined) return;
    const sent: PacedCommand[] = [];
    this.#leases.push(sent);
    const { stand } = LegServoConfig.parse({});
    const startMs = clock.nowMs();
    pipeline.reset();
    let waiting: ServoSnapshot | undefined;
    let wake = () => {};
    const unsubscribe = commander.onSnapshot((snapshot) => {
      waiting = snapshot;
      wake();
    });
    while (clock.nowMs() < endMs && !lease.lost.aborted) {
      const snapshot = waiting;
      waiting = undefined;
      if (snapshot === undefined) {
        const come = new Promise<void>((resolve) => {
          wake = resolve;
        });
        await Promise.race([come, sleepMs(clock, COMMAND_VALID_MS)]);
        continue;
      }
      const timeS = (clock.nowMs() - startMs) / 1000;
      const stepMs = await this.#step(snapshot, timeS);
      if (lease.lost.aborted) break;
      const expiresNs = addNs(clock.nowNs(), msToNs(COMMAND_VALID_MS));
      // A robot that hangs still where it is told to be has no motor that drives, and none that stops driving.
      const swayRad = SWAY_RAD * Math.sin(2 * Math.PI * SWAY_HZ * timeS);
      const positionRad = stand.poseRad.map((rad) => rad + swayRad);
      const seq = lease.command({ positionRad, gains: stand, expiresNs });
      sent.push({ seq, observedNs: snapshot.stateNs, expiresNs, stepMs });
    }
    unsubscribe();
  }

  async #standAgain(endMs: number): Promise<void> {
    const { clock, supervisor } = this.#parts;
    this.#stops++;
    while (clock.nowMs() < endMs) {
      try {
        await supervisor.reset();
        await supervisor.enable();
        return;
      } catch (thrown) {
        ignoreRefusal(thrown);
        await sleepMs(clock, AGAIN_MS);
      }
    }
  }

  /** @returns how long it took [ms] */
  async #step(snapshot: ServoSnapshot, timeS: number): Promise<number> {
    const { clock, pipeline } = this.#parts;
    const { positionRad, velocityRadPerS, base } = snapshot;
    if (base === undefined) return Number.NaN;
    const before = clock.nowNs();
    const command = { forwardMPerS: 0, leftMPerS: 0, yawRateRadPerS: 0 };
    await pipeline.step({ timeS, positionRad, velocityRadPerS, base, command });
    return nsToMs(clock.nowNs() - before);
  }
}

/** A servo that has stopped by itself refuses what is asked of it until it stands again. */
function ignoreRefusal(thrown: unknown): undefined {
  if (!(thrown instanceof CerebellumError)) throw thrown;
}
