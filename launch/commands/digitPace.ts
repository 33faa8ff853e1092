/**
 * Who leads the robot in `bench digit`: the runner of a cell's policy, in a thread of its own as there. A transformer
 * computes every step; what it says is thrown away and the stand's pose swayed, because its weights are random.
 */
import { on } from "node:events";
import type { MessagePort } from "node:worker_threads";
import { addNs, type Clock, type MonotonicNs, msToNs, sleepMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import { createImpedanceTarget } from "../../policies/history/action.js";
import type { HistoryManifest } from "../../policies/history/manifest.js";
import type { HistoryPipeline, HistoryStep } from "../../policies/history/pipeline.js";
import type { BodyReading } from "../../policies/history/reading.js";
import { openHistoryPolicy } from "../../policies/history/verify.js";
import { type HistoryActor, HistoryRunner, ticksPerStep } from "../../runtime/policy/historyRunner.js";
import { VelocityMailbox } from "../../runtime/policy/velocity.js";
import type { ServoClient } from "../../runtime/servo/api.js";
import { LegServoConfig } from "../../runtime/servo/config.js";
import { connectServo } from "../../runtime/servo/link/client.js";

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
  /** The tick whose snapshot told it. */
  readonly tickNs: MonotonicNs;
  readonly startNs: MonotonicNs;
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
export async function runDigitPace(
  setup: DigitPaceSetup,
  port: MessagePort,
  clock: Clock,
  hurry: (servoPriority: number) => void,
): Promise<void> {
  const connect = (role: "supervisor" | "commander", snapshotEveryTicks: number) =>
    connectServo(setup.socketPath, { role, name: `bench pace ${role}`, clock, snapshotEveryTicks });
  const { pipeline } = await openHistoryPolicy(setup.bundleDirectory, { intraOpThreads: 1 });
  const supervisor = await connect("supervisor", 0);
  hurry(supervisor.info.realtimePriority);
  const everyTicks = ticksPerStep(pipeline.manifest, supervisor.info.rateHz);
  const commander = await connect("commander", everyTicks);
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
  readonly #manifest: HistoryManifest;
  #stops = 0;

  constructor(parts: PaceParts) {
    this.#parts = parts;
    // What the weights answer never moves anything: see `Swaying`.
    this.#manifest = { ...parts.pipeline.manifest, motion: "allowed" };
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
    const sent: PacedCommand[] = [];
    this.#leases.push(sent);
    const { expiryMs } = this.#manifest;
    const hung = new AbortController();
    const ended = new AbortController();
    const runner = new HistoryRunner({
      clock,
      servo: commander,
      actor: new Swaying(pipeline, () => {
        if (clock.nowMs() < endMs) return undefined;
        hung.abort();
        return new Promise<never>(() => {});
      }),
      manifest: this.#manifest,
      velocity: new VelocityMailbox(),
      name: "bench",
      onStep: ({ commandSeq, stateNs, dueNs, startNs, controlMs }) => {
        if (commandSeq === undefined || stateNs === undefined || controlMs === undefined) return;
        sent.push({
          seq: commandSeq,
          observedNs: stateNs,
          tickNs: dueNs,
          startNs,
          expiresNs: addNs(dueNs, msToNs(expiryMs)),
          stepMs: controlMs,
        });
      },
    });
    const silent = new Promise<void>((resolve) => hung.signal.addEventListener("abort", () => resolve()));
    await Promise.race([runner.run(ended.signal).catch(ignoreRefusal), silent]);
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
}

/** Computes every step, and answers with the stand's pose, swayed: the weights are random. */
class Swaying implements HistoryActor {
  readonly #pipeline: HistoryPipeline;
  readonly #hang: () => Promise<never> | undefined;
  readonly #stand = LegServoConfig.parse({}).stand;
  readonly #target = createImpedanceTarget(this.#stand.poseRad.length);

  /** @param hang asked before each step: what it returns is waited for, without end */
  constructor(pipeline: HistoryPipeline, hang: () => Promise<never> | undefined) {
    this.#pipeline = pipeline;
    this.#hang = hang;
  }

  reset(): void {
    this.#pipeline.reset();
  }

  async step(reading: BodyReading): Promise<HistoryStep> {
    await this.#hang();
    const answer = await this.#pipeline.step(reading);
    const { poseRad, stiffnessNmPerRad, dampingNmSPerRad } = this.#stand;
    // A robot that hangs still where it is told to be has no motor that drives, and none that stops driving.
    const swayRad = SWAY_RAD * Math.sin(2 * Math.PI * SWAY_HZ * reading.timeS);
    this.#target.positionRad.set(poseRad.map((rad) => rad + swayRad));
    this.#target.stiffnessNmPerRad.set(stiffnessNmPerRad);
    this.#target.dampingNmSPerRad.set(dampingNmSPerRad);
    return { ...answer, target: this.#target };
  }

  rehearse(): Promise<void> {
    return this.#pipeline.rehearse();
  }
}

/** A servo that has stopped by itself refuses what is asked of it until it stands again. */
function ignoreRefusal(thrown: unknown): undefined {
  if (!(thrown instanceof CerebellumError)) throw thrown;
}
