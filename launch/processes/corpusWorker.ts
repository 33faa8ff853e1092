/** Worker thread of `lab render-corpus`: renders its share of the pictures and writes each block at its own place. */
import { closeSync, openSync, writeSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { z } from "zod";
import { Corpus, OBSERVATION_BYTES } from "../../lab/camera/corpus.js";
import { WorldPartsSchema } from "../../lab/world/parts.js";

export const CorpusJob = z.strictObject({
  file: z.string(),
  headBytes: z.int(),
  seed: z.int(),
  /** Blocks of pictures are dealt out in turn: this worker takes blocks `first`, `first + step`, ... */
  count: z.int(),
  blockPictures: z.int(),
  first: z.int(),
  step: z.int(),
  parts: WorldPartsSchema,
  window: z.strictObject({ leftPx: z.int(), topPx: z.int(), widthPx: z.int(), heightPx: z.int() }),
});
export type CorpusJob = z.infer<typeof CorpusJob>;

async function work(job: CorpusJob): Promise<void> {
  const corpus = await Corpus.open(job.parts, job.window);
  const file = openSync(job.file, "r+");
  const block = new Uint8Array(job.blockPictures * OBSERVATION_BYTES);
  for (let start = job.first * job.blockPictures; start < job.count; start += job.step * job.blockPictures) {
    const pictures = Math.min(job.blockPictures, job.count - start);
    for (let i = 0; i < pictures; i++) {
      corpus.render(job.seed, start + i, block.subarray(i * OBSERVATION_BYTES, (i + 1) * OBSERVATION_BYTES));
    }
    writeSync(file, block, 0, pictures * OBSERVATION_BYTES, job.headBytes + start * OBSERVATION_BYTES);
    parentPort!.postMessage({ pictures });
  }
  closeSync(file);
  corpus.close();
}

await work(CorpusJob.parse(workerData));
