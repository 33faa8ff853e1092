/** What stands above each picture of an episode. */
import type { EpisodeReader } from "../episodeReader.js";
import type { Outcome } from "../format.js";

export interface Picture {
  /** e.g. "joints-arm.png" */
  readonly fileName: string;
  readonly png: Buffer;
}

/** What edits have made of the episode. */
export interface Standing {
  readonly outcome: Outcome;
  readonly trim?: { readonly fromNs: bigint | null; readonly toNs: bigint | null } | undefined;
}

export const heading = ({ start }: EpisodeReader, what: string): string =>
  `${start.task} / ${start.name}: ${what}`;

/** e.g. "success · 12.30 s · demonstration · 2026-11-27 16:20:05" */
export function describe({ start, end }: EpisodeReader, { outcome }: Standing): string {
  const startedNs = BigInt(start.startedNs);
  const parts = [
    outcome,
    `${(Number(BigInt(end.endedNs) - startedNs) / 1e9).toFixed(2)} s`,
    start.kind,
    TIME.format(Number(startedNs / 1_000_000n)),
    end.endedBecause === "stopped" ? "" : `ended: ${end.endedBecause}`,
    end.flags.length === 0 ? "" : `flagged: ${[...new Set(end.flags.map(({ code }) => code))].join(", ")}`,
  ];
  return parts.filter((part) => part !== "").join("  ·  ");
}
const TIME = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium" });
