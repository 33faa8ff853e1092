/** A policy of either kind as its worker sees it: verified, connected to what it moves, ready for run after run. */
import { type Clock, measureMapping } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import { takesHistory } from "../../policies/anyBundle.js";
import type { CommandRule } from "../../policies/history/manifest.js";
import { openHistoryPolicy } from "../../policies/history/verify.js";
import { openPolicy } from "../../policies/verify.js";
import type { ServoClient } from "../servo/api.js";
import { connectGroup } from "../servo/group.js";
import { PolicyActor } from "./actor.js";
import { FrameReader } from "./frameSlots.js";
import { HistoryRunner, ticksPerStep } from "./historyRunner.js";
import type { WorkerSetup } from "./messages.js";
import { PolicyRunner, type RunPhase } from "./runner.js";
import type { StepRecord, StepStatistics } from "./steps.js";
import type { VelocityMailbox } from "./velocity.js";

export interface LoadParts {
  readonly clock: Clock;
  /** @param snapshotEveryTicks one snapshot in so many servo ticks; every one when left out */
  readonly connect: (socketPath: string, name: string, snapshotEveryTicks?: number) => Promise<ServoClient>;
  /**
   * Has this thread served sooner than others, where the system permits it.
   * @param servoPriority SCHED_FIFO priority of the servo's loop, 0 for none
   */
  readonly hurry?: (servoPriority: number) => void;
}

export interface Run {
  run(signal: AbortSignal): Promise<void>;
  statistics(): StepStatistics;
}

export interface RunListeners {
  readonly cancelled: () => boolean;
  readonly onPhase: (phase: RunPhase) => void;
  readonly onStep: (record: StepRecord) => void;
}

export interface LoadedPolicy {
  readonly manifest: { readonly name: string; readonly task: string; readonly rateHz: number };
  readonly manifestSha256: string;
  /** Velocities that it takes; null for a policy that takes none. */
  readonly command: CommandRule | null;
  readonly precision: "fp32" | "int8";
  readonly rejected: readonly { readonly precision: string; readonly reason: string }[];
  /** Of the robots that it moves; replaced by a new connection where the servo has been restarted. */
  servo: ServoClient;
  reconnect(): Promise<void>;
  newRun(listeners: RunListeners): Run;
  release(): Promise<void>;
}

/** @throws BUNDLE_INVALID, BUNDLE_MISMATCH, LINK_CLOSED and what else opening and connecting throw */
export async function loadPolicy(
  setup: WorkerSetup,
  parts: LoadParts,
  velocity: VelocityMailbox,
): Promise<LoadedPolicy> {
  return (await takesHistory(setup.bundleDirectory))
    ? loadHistory(setup, parts, velocity)
    : loadPictures(setup, parts);
}

async function loadPictures(setup: WorkerSetup, { clock, connect }: LoadParts): Promise<LoadedPolicy> {
  const { view, socketPaths, name } = setup;
  if (view === undefined) {
    throw new CerebellumError(
      "BUNDLE_MISMATCH",
      `Policy bundle ${setup.bundleDirectory} sees pictures, and the cell names no camera for it`,
      "Set `policy.camera` of the cell file to the camera that the policy was trained with",
    );
  }
  const { widthPx, heightPx } = view.format;
  const { fovYDeg, ...mount } = view.camera;
  const connectAll = () => connectGroup(socketPaths, (socketPath) => connect(socketPath, name));
  const servo = await connectAll();
  try {
    const opened = await openPolicy(setup.bundleDirectory, {
      intraOpThreads: setup.intraOpThreads,
      jointNames: servo.info.limits.jointNames,
      camera: { widthPx, heightPx, fovYDeg, mount },
    });
    const { manifest, variant } = opened.pipeline;
    const frames = new FrameReader(view.frames, view.format);
    const loaded: LoadedPolicy = {
      manifest,
      manifestSha256: opened.bundle.manifestSha256,
      command: null,
      precision: variant.precision,
      rejected: opened.rejected,
      servo,
      async reconnect() {
        this.servo = await connectAll();
      },
      newRun(listeners) {
        return new PolicyRunner({
          clock,
          servo: this.servo,
          frames,
          actor: new PolicyActor(opened.pipeline, clock),
          // Anew for each run: the clock may have been stepped since the last one.
          mapping: measureMapping(clock),
          name,
          rateHz: manifest.rateHz,
          expiryMs: manifest.expiryMs,
          bounds: manifest.action,
          frameAgeMsMax: setup.frameAgeMsMax,
          approach: { ...manifest.start, speedScale: setup.approachSpeedScale },
          letInputIn: () => new Promise((resolve) => setImmediate(resolve)),
          ...listeners,
        });
      },
      release: () => opened.pipeline.release(),
    };
    return loaded;
  } catch (thrown) {
    await servo.close();
    throw thrown;
  }
}

async function loadHistory(
  setup: WorkerSetup,
  { clock, connect, hurry }: LoadParts,
  velocity: VelocityMailbox,
): Promise<LoadedPolicy> {
  const { socketPaths, name } = setup;
  if (socketPaths.length !== 1) {
    throw new CerebellumError(
      "BUNDLE_MISMATCH",
      `Policy bundle ${setup.bundleDirectory} moves one robot on legs; the cell gives it ${socketPaths.length} robots`,
      "Name one robot as `policy.robot` of the cell file",
    );
  }
  // A first connection without snapshots says how fast the servo is: the second one asks for one in so many.
  const asking = await connect(socketPaths[0]!, name, 0);
  const { info } = asking;
  await asking.close();
  const { pipeline, bundle } = await openHistoryPolicy(setup.bundleDirectory, {
    intraOpThreads: setup.intraOpThreads,
    jointNames: info.limits.jointNames,
  });
  const { manifest } = bundle;
  // A step is a millisecond of work that is wanted at once; an encoder's would keep others waiting for long.
  hurry?.(info.realtimePriority);
  try {
    const everyTicks = ticksPerStep(manifest, info.rateHz);
    const servo = await connect(socketPaths[0]!, name, everyTicks);
    const loaded: LoadedPolicy = {
      manifest,
      manifestSha256: bundle.manifestSha256,
      command: manifest.command ?? null,
      precision: "fp32",
      rejected: [],
      servo,
      async reconnect() {
        this.servo = await connect(socketPaths[0]!, name, everyTicks);
      },
      newRun(listeners) {
        return new HistoryRunner({
          clock,
          servo: this.servo,
          actor: pipeline,
          manifest,
          velocity,
          name,
          ...listeners,
        });
      },
      release: () => pipeline.release(),
    };
    return loaded;
  } catch (thrown) {
    await pipeline.release();
    throw thrown;
  }
}
