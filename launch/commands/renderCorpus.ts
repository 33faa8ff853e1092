/** `lab render-corpus`: many random pictures of the simulated cell as one NumPy file, for pre-training an encoder. */
import { closeSync, ftruncateSync, openSync, renameSync, writeSync } from "node:fs";
import { Worker } from "node:worker_threads";
import type { Clock } from "../../core/clock.js";
import { nsToMs } from "../../core/clock.js";
import { entryUrl } from "../../core/entry.js";
import { CerebellumError, errorText } from "../../core/errors.js";
import { npyHeader, OBSERVATION_BYTES } from "../../lab/camera/corpus.js";
import { OBSERVATION_PX, type ObservationWindow } from "../../lab/camera/worldView.js";
import type { WorldParts } from "../../lab/world/parts.js";
import type { CorpusJob } from "../processes/corpusWorker.js";

export interface CorpusRequest {
  readonly file: string;
  readonly count: number;
  readonly seed: number;
  readonly parts: WorldParts;
  /** Part of the camera's picture that is kept. */
  readonly window: ObservationWindow;
  readonly clock: Clock;
  readonly workers?: number;
  readonly onProgress?: (done: number, count: number) => void;
}

export interface CorpusResult {
  readonly file: string;
  readonly count: number;
  readonly shape: readonly number[];
  readonly wallS: number;
  readonly picturesPerS: number;
}

const BLOCK_PICTURES = 64;

/**
 * Writes `count` pictures [count, 112, 112, 3] of bytes to a `.npy` file, which appears only when it is complete.
 * @throws CerebellumError FILE_UNREADABLE when the file cannot be written
 */
export async function renderCorpus(request: CorpusRequest): Promise<CorpusResult> {
  const { file, count, seed, parts, window, clock, workers = 2, onProgress } = request;
  const shape = [count, OBSERVATION_PX, OBSERVATION_PX, 3];
  const header = npyHeader(shape);
  const partial = `${file}.partial`;
  reserve(partial, header, count * OBSERVATION_BYTES);
  const startNs = clock.nowNs();
  let done = 0;
  const jobs = Array.from({ length: workers }, (_, first) => {
    const job: CorpusJob = {
      file: partial,
      headBytes: header.length,
      seed,
      count,
      blockPictures: BLOCK_PICTURES,
      first,
      step: workers,
      parts,
      window,
    };
    return runWorker(job, (pictures) => {
      done += pictures;
      onProgress?.(done, count);
    });
  });
  await Promise.all(jobs);
  renameSync(partial, file);
  const wallS = nsToMs(clock.nowNs() - startNs) / 1000;
  return { file, count, shape, wallS, picturesPerS: count / wallS };
}

function reserve(file: string, header: Buffer, dataBytes: number): void {
  try {
    const descriptor = openSync(file, "w");
    writeSync(descriptor, header);
    ftruncateSync(descriptor, header.length + dataBytes);
    closeSync(descriptor);
  } catch (cause) {
    throw new CerebellumError(
      "FILE_UNREADABLE",
      `Cannot write ${file}: ${errorText(cause)}`,
      "Choose a folder that exists, may be written and has room",
      cause,
    );
  }
}

function runWorker(job: CorpusJob, onPictures: (pictures: number) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(entryUrl("../processes/corpusWorker.js", import.meta.url), { workerData: job });
    worker.on("message", ({ pictures }: { pictures: number }) => onPictures(pictures));
    worker.once("error", reject);
    worker.once("exit", (code) =>
      code === 0
        ? resolve()
        : reject(
            new CerebellumError(
              "CHECK_FAILED",
              `A corpus worker ended with code ${code}`,
              "Read its output above",
            ),
          ),
    );
  });
}
