/**
 * One pass of `bench digit`: the servo of a robot on legs at 1 kHz against the emulated Digit over both wires, led by a
 * policy's pace from a thread of its own (digitPace.ts). At the end who leads falls silent without a word.
 */
import { createSocket } from "node:dgram";
import { on } from "node:events";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { type MonotonicNs, nsToMs, sleepMs } from "../../core/clock.js";
import { entryUrl, repositoryRootUrl } from "../../core/entry.js";
import { CerebellumError } from "../../core/errors.js";
import { DigitConfig } from "../../drivers/digit/config.js";
import type { ServoClient, ServoSnapshot } from "../../runtime/servo/api.js";
import { LegServoConfig } from "../../runtime/servo/config.js";
import { LAB_PRIORITY } from "../realtime.js";
import { JsonChild } from "../rig/jsonChild.js";
import { systemClock } from "../systemClock.js";
import type { DigitPaceSetup, FromPace, PacedCommand, ToPace } from "./digitPace.js";
import { type CommandStream, type LoopPass, type LoopRobot, runLoopPass } from "./loopPass.js";
import { type SampleSummary, summariseMs } from "./statistics.js";

/** Ages and late ticks as in the lab's cell: robot and servo share this computer. */
const LAB_DIGIT = { observationAgeMsMax: 50 } as const;
const LAB_SERVO = { stateAgeMsMax: 60, lateTicksMax: 45 } as const;
/** From the last command, for its expiry and what follows it [ms]. */
const SILENCE_MS = 400;

/** How old the observation is at its tick; until the policy has it; what it computes; until the first frame leaves. */
const PARTS = ["observationAge", "untilStep", "step", "untilWire"] as const;

/** `commandToWire`: from when the servo had the observation that a step was made from until its target's first frame left. */
export interface DigitPass extends LoopPass {
  /** Where that time goes: `commandToWire` is the sum of the four. */
  readonly parts: Readonly<Record<(typeof PARTS)[number], SampleSummary | undefined>>;
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
  const bundleDirectory = fileURLToPath(new URL(`policies/bundles/${options.bundle}/`, repositoryRootUrl()));
  const robot = await EmulatedDigit.start(options.realtimePriority);
  try {
    const { pass, stream } = await runLoopPass({
      ...options,
      robot,
      snapshotEvery: 0,
      stream: (_commander, supervisor, socketPath) =>
        new PolicyPace({ socketPath, bundleDirectory }, supervisor, robot),
    });
    return { ...pass, ...stream.results };
  } finally {
    await robot.close();
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

type Results = Omit<DigitPass, keyof LoopPass>;
type Tick = Pick<ServoSnapshot, "state" | "commandSeq" | "commandWireNs" | "tickNs">;

/** The main thread's side of a pass: starts who leads, watches every tick as a recorder does, and joins both at the end. */
class PolicyPace implements CommandStream {
  readonly wireMs: number[] = [];
  readonly #partsMs: Readonly<Record<(typeof PARTS)[number], number[]>> = {
    observationAge: [],
    untilStep: [],
    step: [],
    untilWire: [],
  };
  readonly #worker: Worker;
  readonly #messages: AsyncIterator<[FromPace]>;
  readonly #robot: EmulatedDigit;
  readonly #ticks: Tick[] = [];
  #results: Results | undefined;

  constructor(setup: DigitPaceSetup, supervisor: ServoClient, robot: EmulatedDigit) {
    const entry = entryUrl("../processes/digitPaceWorker.js", import.meta.url);
    this.#worker = new Worker(entry, { workerData: setup });
    this.#messages = on(this.#worker, "message", { close: ["exit"] }) as AsyncIterator<[FromPace]>;
    this.#robot = robot;
    supervisor.onSnapshot(({ state, commandSeq, commandWireNs, tickNs }) =>
      this.#ticks.push({ state, commandSeq, commandWireNs, tickNs }),
    );
  }

  get snapshotCount(): number {
    return this.#ticks.length;
  }

  get results(): Results {
    if (this.#results === undefined) throw new Error("results come after the run");
    return this.#results;
  }

  async run(durationMs: number): Promise<void> {
    await this.#next("ready");
    this.#worker.postMessage({ durationMs } satisfies ToPace);
    const { leases, stops } = await this.#next("ended");
    const { commandGapMsMax } = await this.#robot.status();
    await sleepMs(systemClock, SILENCE_MS);
    const { quietSinceMs, lateUs, skippedMs } = await this.#robot.status();
    this.#worker.postMessage({ close: true } satisfies ToPace);
    const ticksBeyondExpiry = this.#join(leases);
    const commands = leases.flat();
    const last = leases.at(-1)?.at(-1);
    this.#results = {
      parts: {
        observationAge: summariseMs(this.#partsMs.observationAge),
        untilStep: summariseMs(this.#partsMs.untilStep),
        step: summariseMs(this.#partsMs.step),
        untilWire: summariseMs(this.#partsMs.untilWire),
      },
      steps: commands.length,
      stops,
      ticksBeyondExpiry,
      expiryToDampingMs:
        last === undefined ? Number.NaN : (quietSinceMs ?? Number.POSITIVE_INFINITY) - nsToMs(last.expiresNs),
      robot: { commandGapMsMax, lateUs, skippedMs },
    };
  }

  /** @throws CerebellumError NOT_RUNNING when the thread ends before */
  async #next<K extends FromPace["kind"]>(kind: K): Promise<Extract<FromPace, { kind: K }>> {
    const message = (await this.#messages.next()).value?.[0];
    if (message?.kind === kind) return message as Extract<FromPace, { kind: K }>;
    throw new CerebellumError(
      "NOT_RUNNING",
      `Who leads the robot in this bench ended${message?.kind === "failed" ? `: ${message.what}` : " without a word"}`,
      "Repeat the bench; if it stays so, try `./cerebellum policy verify` on its bundle",
    );
  }

  /** Fills `wireMs` and its parts. @returns in how many ticks a target acted beyond its expiry */
  #join(leases: readonly (readonly PacedCommand[])[]): number {
    let beyondExpiry = 0;
    const told = leases.filter((lease) => lease.length > 0);
    for (const [index, lease] of told.entries()) {
      const beginNs = lease[0]!.observedNs;
      const endNs = told[index + 1]?.[0]?.observedNs;
      const commands = new Map(lease.map((command) => [command.seq, command]));
      const seen = new Set<number>();
      let beforeNs = beginNs;
      for (const { state, commandSeq, commandWireNs, tickNs } of this.#ticks) {
        if (tickNs < beginNs || (endNs !== undefined && tickNs >= endNs)) continue;
        const command = commands.get(commandSeq);
        // A tick is stamped at its end, and judges by its begin: that lies after the end of the tick before it.
        if (command !== undefined && state === "following" && beforeNs > command.expiresNs) beyondExpiry++;
        beforeNs = tickNs;
        if (command === undefined || commandWireNs < command.observedNs || seen.has(commandSeq)) continue;
        seen.add(commandSeq);
        this.#note(command, commandWireNs);
      }
    }
    return beyondExpiry;
  }

  #note({ observedNs, tickNs, startNs, stepMs }: PacedCommand, commandWireNs: MonotonicNs): void {
    this.wireMs.push(nsToMs(commandWireNs - observedNs));
    const parts = this.#partsMs;
    parts.observationAge.push(nsToMs(tickNs - observedNs));
    parts.untilStep.push(nsToMs(startNs - tickNs));
    parts.step.push(stepMs);
    parts.untilWire.push(nsToMs(commandWireNs - startNs) - stepMs);
  }
}

async function freeUdpPort(): Promise<number> {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return port;
}
