/** What the gateway's thread and the library's thread say to each other; both sides parse what they receive. */
import { z } from "zod";
import { BundleSummary, EpisodeList } from "../../../core/gateway/library.js";
import { Failure } from "../../failure.js";

/** `workerData` of the library's thread. */
export const LibrarySetup = z.strictObject({
  /** Folder of episode sets; null in a cell that never records. */
  episodesFolder: z.string().nullable(),
  bundleFolders: z.array(z.string()),
  /** Where drawn contact sheets are kept; private to this user. */
  sheetsFolder: z.string().min(1),
});
export type LibrarySetup = z.infer<typeof LibrarySetup>;

export const LibraryQuestion = z.discriminatedUnion("ask", [
  z.strictObject({ ask: z.literal("episodes"), task: z.string().optional() }),
  z.strictObject({ ask: z.literal("bundles") }),
  z.strictObject({ ask: z.literal("sheet"), task: z.string(), episode: z.string() }),
]);
export type LibraryQuestion = z.infer<typeof LibraryQuestion>;

export const ToLibrary = z.strictObject({ id: z.int(), question: LibraryQuestion });
export type ToLibrary = z.infer<typeof ToLibrary>;

export const LibraryAnswer = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("episodes"), list: EpisodeList }),
  z.strictObject({ kind: z.literal("bundles"), bundles: z.array(BundleSummary) }),
  z.strictObject({ kind: z.literal("sheet"), png: z.instanceof(Uint8Array<ArrayBufferLike>) }),
  z.strictObject({ kind: z.literal("failure"), failure: Failure }),
]);
export type LibraryAnswer = z.infer<typeof LibraryAnswer>;

export const FromLibrary = z.strictObject({ id: z.int(), answer: LibraryAnswer });
export type FromLibrary = z.infer<typeof FromLibrary>;
