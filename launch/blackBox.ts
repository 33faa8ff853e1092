/** Starts the black box of a servo process: shared memory, the thread that writes it, and where the files lie. */
import { readFileSync } from "node:fs";
import { Worker } from "node:worker_threads";
import type { ArmLimits } from "../core/arm.js";
import { type Clock, nsToMs, sleepMs } from "../core/clock.js";
import { entryUrl } from "../core/entry.js";
import { errorText } from "../core/errors.js";
import { BASE_NUMBERS } from "../runtime/servo/blackBox/format.js";
import { RingRecorder } from "../runtime/servo/blackBox/recorder.js";
import { Ring, type RingSize, WORD } from "../runtime/servo/blackBox/ring.js";
import { sessionStem } from "../runtime/servo/blackBox/segmentName.js";
import type { SessionInfo } from "../runtime/servo/blackBox/session.js";
import type { CommonServoConfig } from "../runtime/servo/config.js";
import { blackBoxFolder } from "./runFolder.js";

/** What the thread is started with. */
export interface BlackBoxWorkerData {
  readonly memory: SharedArrayBuffer;
  readonly size: RingSize;
  readonly folder: string;
  readonly stem: string;
  readonly session: string;
}

export interface RunningBlackBox {
  readonly recorder: RingRecorder;
  /** Writes what is left and the orderly end; gives up after `CLOSE_MS_MAX`. */
  close(): Promise<void>;
}

const READY_MS_MAX = 5000;
const CLOSE_MS_MAX = 90;
const POLL_MS = 2;
/** The thread needs a few megabytes; the limits keep its heap from growing into the servo process's budget. */
const LIMITS = { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 };

/** Of the kernel's present run: tells whether monotonic times of a file are this run's. */
export function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "unknown";
  }
}

/** Resolves when the first segment is on disk, or with the recorder's `failure` set. Never rejects. */
export async function startBlackBox(options: {
  readonly robot: string;
  readonly device: string;
  readonly socketPath: string;
  readonly servo: CommonServoConfig;
  readonly limits: ArmLimits;
  /** Of a robot on legs: joints without motor. */
  readonly passiveCount?: number | undefined;
  readonly clock: Clock;
}): Promise<RunningBlackBox> {
  const { robot, device, servo, limits, clock } = options;
  const isOnLegs = "stand" in servo;
  const baseCount = isOnLegs ? BASE_NUMBERS + (options.passiveCount ?? 0) : 0;
  const size = { jointCount: limits.jointNames.length, rateHz: servo.rateHz, baseCount };
  const ring = new Ring(size);
  const recorder = new RingRecorder(ring, size, isOnLegs);
  const stem = sessionStem(nsToMs(clock.epochNs()), process.pid);
  const session: SessionInfo = {
    id: stem,
    robot,
    device,
    processId: process.pid,
    bootId: bootId(),
    rateHz: servo.rateHz,
    jointNames: [...limits.jointNames],
    positionMinRad: [...limits.positionMinRad],
    positionMaxRad: [...limits.positionMaxRad],
    servo,
    ...(isOnLegs && { isOnLegs }),
  };
  const workerData: BlackBoxWorkerData = {
    memory: ring.memory,
    size,
    folder: blackBoxFolder(options.socketPath),
    stem,
    session: JSON.stringify(session),
  };
  const worker = new Worker(entryUrl("./processes/blackBoxWorker.js", import.meta.url), {
    workerData,
    resourceLimits: LIMITS,
  });
  let ended = false;
  const onEnd = (why: string) => {
    ended = true;
    if (!ring.isClosing)
      recorder.broken(
        `the black box's thread ended (${why}); expected it to run as long as the servo. Start the cell again`,
      );
  };
  worker.once("error", (error) => onEnd(errorText(error, 200)));
  worker.once("exit", (code) => onEnd(`exit code ${code}`));
  worker.unref();

  const until = async (word: number, withinMs: number) => {
    for (let waitedMs = 0; ring.get(word) === 0 && !ended && waitedMs < withinMs; waitedMs += POLL_MS)
      await sleepMs(clock, POLL_MS);
    return ring.get(word) !== 0;
  };
  if (!(await until(WORD.ready, READY_MS_MAX)) && !ended)
    recorder.broken(
      `the black box's thread did not start; expected its first segment within ${READY_MS_MAX} ms. Start the cell again`,
    );
  return {
    recorder,
    close: async () => {
      ring.close();
      await until(WORD.closed, CLOSE_MS_MAX);
    },
  };
}
