/**
 * What the recording process did, as it did it: records of fixed size in a file that it appends to. What was written to a
 * file outlives the process that wrote it, so a SIGKILL takes nothing of it.
 */
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";

export const KINDS = ["begun", "handed", "refused", "synced", "finished", "died"] as const;
export type Kind = (typeof KINDS)[number];

export interface Entry {
  readonly kind: Kind;
  readonly episode: number;
  readonly stream: number;
  readonly sequence: number;
  /** CLOCK_MONOTONIC. */
  readonly atNs: bigint;
  /** Bytes, for `synced`. */
  readonly bytes: number;
}

const ENTRY_BYTES = 32;

export class LedgerWriter {
  readonly #file: number;
  readonly #entry = Buffer.alloc(ENTRY_BYTES);

  constructor(path: string) {
    this.#file = openSync(path, "a");
  }

  add(kind: Kind, atNs: bigint, episode: number, stream = 0, sequence = 0, bytes = 0): void {
    const entry = this.#entry;
    entry.writeUInt16LE(KINDS.indexOf(kind), 0);
    entry.writeUInt16LE(stream, 2);
    entry.writeUInt32LE(episode, 4);
    entry.writeUInt32LE(sequence, 8);
    entry.writeBigUInt64LE(atNs, 16);
    entry.writeBigUInt64LE(BigInt(bytes), 24);
    writeSync(this.#file, entry);
  }

  close(): void {
    closeSync(this.#file);
  }
}

export function readLedger(path: string): Entry[] {
  const bytes = readFileSync(path);
  return Array.from({ length: Math.floor(bytes.length / ENTRY_BYTES) }, (_, index) => {
    const entry = bytes.subarray(index * ENTRY_BYTES, (index + 1) * ENTRY_BYTES);
    return {
      kind: KINDS[entry.readUInt16LE(0)]!,
      stream: entry.readUInt16LE(2),
      episode: entry.readUInt32LE(4),
      sequence: entry.readUInt32LE(8),
      atNs: entry.readBigUInt64LE(16),
      bytes: Number(entry.readBigUInt64LE(24)),
    };
  });
}
