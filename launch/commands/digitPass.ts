/**
 * One pass of `bench digit`: the servo of a robot on legs at 1 kHz against the emulated Digit over both wires, led by a
 * policy's pace: at every twentieth snapshot one step of a transformer is computed, and a new target goes out. What the step
 * says is thrown away and the stand's pose commanded, because its weights are random. At the end the commander falls
 * silent without a word.
 */
import { createSocket } from "node:dgram";
import { fileURLToPath } from "node:url";
import { addNs, msToNs, NS_PER_MS, nsToMs, sleepMs } from "../../core/clock.js";
import { entryUrl, repositoryRootUrl } from "../../core/entry.js";
import { CerebellumError } from "../../core/errors.js";
import { DigitConfig } from "../../drivers/digit/config.js";
import type { HistoryPipeline } from "../../policies/history/pipeline.js";
import { openHistoryPolicy } from "../../policies/history/verify.js";
import type { ServoClient, ServoSnapshot } from "../../runtime/servo/api.js";
import { LegServoConfig } from "../../runtime/servo/config.js";
import { LAB_PRIORITY } from "../realtime.js";
import { JsonChild } from "../rig/jsonChild.js";
import { systemClock } from "../systemClock.js";
import { type CommandStream, type LoopPass, type LoopRobot, runLoopPass } from "./loopPass.js";
import { type SampleSummary, summariseMs } from "./statistics.js";

export const TICKS_PER_STEP = 20;
const COMMAND_VALID_MS = 50;
/** Ages and late ticks as in the lab's cell: robot and servo share this computer. */
const LAB_DIGIT = { observationAgeMsMax: 50 } as const;
const LAB_SERVO = { stateAgeMsMax: 60, lateTicksMax: 45 } as const;
/** From the last command, for its expiry and what follows it [ms]. */
const SILENCE_MS = 400;
const AGAIN_MS = 200;

/** `commandToWire`: from when the servo had the observation that a step was made from until its target's first frame left. */
export interface DigitPass extends LoopPass {
  readonly policyStep: SampleSummary | undefined;
  readonly steps: number;
  /** How often the servo stopped by itself and was led back: 0 on a computer that is quick enough. */
  readonly stops: number;
  /** Ticks in which a target acted beyond its expiry: must be 0. */
  readonly ticksBeyondExpiry: number;
  /** Robot's record: from the last command's expiry until no motor was driven any more [ms]; NaN where a stop came first. */
  readonly expiryToDampingMs: number;
  readonly robot: {
    /** Longest time between two commands that reached it [ms]; its time-out is 50. */
    readonly commandGapMsMax: number;
    /** How late its own loop was, which is no servo's fault [µs]. */
    readonly lateUs: Readonly<Record<string, number>>;
    readonly skippedMs: number;
  };
}

/** @throws CerebellumError NOT_RUNNING, DEVICE_REFUSED, or the servo's own when it cannot be enabled */
export async function runDigitPass(options: {
  readonly seconds: number;
  readonly realtimePriority: number;
  readonly referenceProgram: string;
  /** Of policies/bundles. */
  readonly bundle: string;
}): Promise<DigitPass> {
  const folder = fileURLToPath(new URL(`policies/bundles/${options.bundle}/`, repositoryRootUrl()));
  const { pipeline } = await openHistoryPolicy(folder, { intraOpThreads: 1 });
  const robot = await EmulatedDigit.start(options.realtimePriority);
  try {
    const { pass, stream } = await runLoopPass({
      ...options,
      robot,
      snapshotEvery: TICKS_PER_STEP,
      stream: (commander, supervisor) => new PolicyPace(commander, supervisor, pipeline, robot),
    });
    return { ...pass, ...stream.results };
  } finally {
    await robot.close();
    await pipeline.release();
  }
}

class EmulatedDigit implements LoopRobot {
  readonly servo: LoopRobot["servo"];
  readonly #process: JsonChild;

  static async start(realtimePriority: number): Promise<EmulatedDigit> {
    const observation = await freeUdpPort();
    const process = new JsonChild("digit", entryUrl("../processes/digitEmulatorMain.js", import.meta.url), [
      JSON.stringify({
        body: "ideal",
        ports: { command: 0, observation, json: 0 },
        realtimePriority: realtimePriority > 0 ? LAB_PRIORITY : 0,
      }),
    ]);
    const { ports } = (await process.read()) as { ports: { command: number; json: number } };
    return new EmulatedDigit(process, {
      device: "digit",
      digit: DigitConfig.parse({
        host: "127.0.0.1",
        commandPort: ports.command,
        observationPort: observation,
        jsonPort: ports.json,
        frames: { linearVelocity: "world", imu: "mount" },
        ...LAB_DIGIT,
      }),
      servo: LegServoConfig.parse({ realtimePriority, ...LAB_SERVO }),
    });
  }

  private constructor(process: JsonChild, servo: LoopRobot["servo"]) {
    this.#process = process;
    this.servo = servo;
  }

  async status() {
    return (await this.#process.ask({ do: "status" })) as unknown as {
      commandGapMsMax: number;
      skippedMs: number;
      quietSinceMs: number | null;
      lateUs: Record<string, number>;
    };
  }

  close(): Promise<void> {
    return this.#process.end();
  }
}

const SWAY_RAD = 0.03;
const SWAY_HZ = 0.7;

type Results = Omit<DigitPass, keyof LoopPass>;

class PolicyPace implements CommandStream {
  readonly wireMs: number[] = [];
  snapshotCount = 0;
  readonly #commander: ServoClient;
  readonly #supervisor: ServoClient;
  readonly #pipeline: HistoryPipeline;
  readonly #robot: EmulatedDigit;
  readonly #stepMs: number[] = [];
  /** Commands that have not acted yet: when the servo had their observation. */
  readonly #observedNs = new Map<number, bigint>();
  readonly #expiresNs = new Map<number, bigint>();
  #ticksBeyondExpiry = 0;
  #beforeNs = 0n;
  #stops = 0;
  /** Of the last command, where the servo was led to the end of the pass. */
  #lastExpiresMs = Number.NaN;
  #results: Results | undefined;

  constructor(
    commander: ServoClient,
    supervisor: ServoClient,
    pipeline: HistoryPipeline,
    robot: EmulatedDigit,
  ) {
    this.#commander = commander;
    this.#pipeline = pipeline;
    this.#robot = robot;
    this.#supervisor = supervisor;
    supervisor.onSnapshot((snapshot) => this.#watch(snapshot));
  }

  get results(): Results {
    if (this.#results === undefined) throw new Error("results come after the run");
    return this.#results;
  }

  async run(durationMs: number): Promise<void> {
    const endMs = systemClock.nowMs() + durationMs;
    while (systemClock.nowMs() < endMs) {
      await this.#lead(endMs);
      if (systemClock.nowMs() < endMs) await this.#standAgain(endMs);
    }
    const { commandGapMsMax } = await this.#robot.status();
    await sleepMs(systemClock, SILENCE_MS);
    const { quietSinceMs, lateUs, skippedMs } = await this.#robot.status();
    this.#results = {
      policyStep: summariseMs(this.#stepMs),
      steps: this.#stepMs.length,
      stops: this.#stops,
      ticksBeyondExpiry: this.#ticksBeyondExpiry,
      expiryToDampingMs: (quietSinceMs ?? Number.POSITIVE_INFINITY) - this.#lastExpiresMs,
      robot: { commandGapMsMax, lateUs, skippedMs },
    };
  }

  /** Until the time is up, or the servo has stopped: a target that came too late ends a lease. */
  async #lead(endMs: number): Promise<void> {
    const lease = await this.#commander.acquireLease("bench");
    const { stand } = LegServoConfig.parse({});
    const startMs = systemClock.nowMs();
    this.#pipeline.reset();
    let waiting: ServoSnapshot | undefined;
    let wake = () => {};
    const unsubscribe = this.#commander.onSnapshot((snapshot) => {
      waiting = snapshot;
      wake();
    });
    while (systemClock.nowMs() < endMs && !lease.lost.aborted) {
      const snapshot = waiting;
      waiting = undefined;
      if (snapshot === undefined) {
        const come = new Promise<void>((resolve) => {
          wake = resolve;
        });
        await Promise.race([come, sleepMs(systemClock, COMMAND_VALID_MS)]);
        continue;
      }
      const timeS = (systemClock.nowMs() - startMs) / 1000;
      await this.#step(snapshot, timeS);
      if (lease.lost.aborted) break;
      const expiresNs = addNs(systemClock.nowNs(), msToNs(COMMAND_VALID_MS));
      // A robot that hangs still where it is told to be has no motor that drives, and none that stops driving.
      const swayRad = SWAY_RAD * Math.sin(2 * Math.PI * SWAY_HZ * timeS);
      const positionRad = stand.poseRad.map((rad) => rad + swayRad);
      const seq = lease.command({ positionRad, gains: stand, expiresNs });
      this.#observedNs.set(seq, snapshot.stateNs);
      this.#expiresNs.set(seq, expiresNs);
      this.#lastExpiresMs = nsToMs(expiresNs);
    }
    unsubscribe();
  }

  async #standAgain(endMs: number): Promise<void> {
    this.#stops++;
    this.#lastExpiresMs = Number.NaN;
    this.#observedNs.clear();
    this.#expiresNs.clear();
    while (systemClock.nowMs() < endMs) {
      try {
        await this.#supervisor.reset();
        await this.#supervisor.enable();
        return;
      } catch (thrown) {
        if (!(thrown instanceof CerebellumError)) throw thrown;
        await sleepMs(systemClock, AGAIN_MS);
      }
    }
  }

  async #step(snapshot: ServoSnapshot, timeS: number): Promise<void> {
    const { positionRad, velocityRadPerS, base } = snapshot;
    if (base === undefined) return;
    const beforeMs = systemClock.nowMs();
    const command = { forwardMPerS: 0, leftMPerS: 0, yawRateRadPerS: 0 };
    await this.#pipeline.step({ timeS, positionRad, velocityRadPerS, base, command });
    this.#stepMs.push(systemClock.nowMs() - beforeMs);
  }

  /** Every tick, as the recorder sees it. */
  #watch({ state, commandSeq, commandWireNs, tickNs }: ServoSnapshot): void {
    this.snapshotCount++;
    const expiresNs = this.#expiresNs.get(commandSeq);
    // A tick is stamped at its end, and judges by its begin: that lies after the end of the tick before it.
    if (state === "following" && expiresNs !== undefined && this.#beforeNs > expiresNs)
      this.#ticksBeyondExpiry++;
    this.#beforeNs = tickNs;
    const observedNs = this.#observedNs.get(commandSeq);
    if (observedNs === undefined) return;
    this.#observedNs.delete(commandSeq);
    this.#expiresNs.delete(commandSeq - TICKS_PER_STEP);
    this.wireMs.push(Number(commandWireNs - observedNs) / Number(NS_PER_MS));
  }
}

async function freeUdpPort(): Promise<number> {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return port;
}
