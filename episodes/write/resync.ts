/**
 * Finds where a damaged file becomes sound again: first by the lengths that records state, which are right when only
 * contents are damaged; else by looking at every byte for a chunk whose frame and CRC are right, or for the end record.
 */
import { END_RECORD } from "../format.js";
import { chunkFrame, parseChunk, parseMetadata } from "./parse.js";
import { CHUNK_HEAD_BYTES, LEFT_OUT_OPCODE, Opcode, RECORD_HEAD_BYTES } from "./records.js";
import type { FileWindow } from "./window.js";

/**
 * @param damagedAt begin of a record that is not sound
 * @param fromAt earliest place that counts
 * @returns where a sound record begins, far enough from `fromAt` that a record fits between; undefined without one
 */
export async function nextSound(
  window: FileWindow,
  damagedAt: number,
  fromAt: number,
): Promise<number | undefined> {
  const fits = (at: number) => at === fromAt || at >= fromAt + RECORD_HEAD_BYTES;
  const counts = async (at: number) => fits(at) && at > damagedAt && (await isSound(window, at));
  if (await counts(fromAt)) return fromAt;
  for (let at = damagedAt; ; ) {
    const record = await window.record(at);
    if (typeof record === "string") break;
    const { opcode, bytes } = record;
    at += bytes.length;
    if (await counts(at)) return at;
    // Indexes of a chunk that is left out go with it.
    if (at > fromAt && opcode !== Opcode.MESSAGE_INDEX && opcode !== Opcode.CHUNK) break;
  }
  return search(window, Math.max(damagedAt + 1, fromAt), counts);
}

async function isSound(window: FileWindow, at: number): Promise<boolean> {
  const head = await window.view(at, RECORD_HEAD_BYTES);
  if (head === undefined || !BEGINS.has(head[0]!)) return false;
  const record = await window.record(at);
  if (typeof record === "string") return false;
  switch (record.opcode) {
    case Opcode.CHUNK:
      return parseChunk(record.body).ok;
    case Opcode.METADATA: {
      const metadata = parseMetadata(record.body);
      return metadata.ok && metadata.value.name === END_RECORD;
    }
    case Opcode.DATA_END:
      return record.body.length === 4;
    default:
      return record.opcode === LEFT_OUT_OPCODE;
  }
}
const BEGINS: ReadonlySet<number> = new Set([
  Opcode.CHUNK,
  Opcode.METADATA,
  Opcode.DATA_END,
  LEFT_OUT_OPCODE,
]);

const BLOCK_BYTES = 1024 * 1024;
/** As much of a record as `looksSound` wants to see. */
const HEAD_BYTES = RECORD_HEAD_BYTES + CHUNK_HEAD_BYTES;
const END_NAME = Buffer.from(END_RECORD, "utf8");

async function search(
  window: FileWindow,
  fromAt: number,
  counts: (at: number) => Promise<boolean>,
): Promise<number | undefined> {
  for (let blockAt = fromAt; blockAt + HEAD_BYTES <= window.sizeBytes; blockAt += BLOCK_BYTES) {
    const length = Math.min(BLOCK_BYTES + HEAD_BYTES, window.sizeBytes - blockAt);
    // Copied, because looking closer at a candidate moves the window.
    const candidates = candidatesIn(await window.view(blockAt, length));
    for (const inBlock of candidates) if (await counts(blockAt + inBlock)) return blockAt + inBlock;
  }
  return undefined;
}

function candidatesIn(block: Buffer | undefined): number[] {
  if (block === undefined) return [];
  const found: number[] = [];
  const last = block.length - HEAD_BYTES;
  for (const opcode of [Opcode.CHUNK, Opcode.METADATA]) {
    for (let at = block.indexOf(opcode); at !== -1 && at <= last; at = block.indexOf(opcode, at + 1))
      if (looksSound(block, at)) found.push(at);
  }
  return found.sort((a, b) => a - b);
}

/** Lengths that fit each other: chance does not make these. */
function looksSound(block: Buffer, at: number): boolean {
  if (block.readUInt32LE(at + 5) !== 0) return false;
  const body = block.subarray(at + RECORD_HEAD_BYTES);
  if (block[at] === Opcode.CHUNK) return chunkFrame(body, block.readUInt32LE(at + 1)).ok;
  return body.readUInt32LE(0) === END_NAME.length && body.subarray(4, 4 + END_NAME.length).equals(END_NAME);
}
