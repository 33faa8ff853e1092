/** Data of answers to library, calibration and pairing requests. */
import { z } from "zod";
import { Role } from "./requests.js";

export const EpisodeSummary = z.strictObject({
  task: z.string(),
  episode: z.string(),
  state: z.enum(["finished", "damaged", "running"]),
  kind: z.string(),
  outcome: z.string(),
  note: z.string(),
  startedEpochMs: z.number().nullable(),
  seconds: z.number().nullable(),
  bytes: z.number().nullable(),
  flags: z.array(z.string()),
  dropped: z.boolean().describe("Taken out of the set by an edit"),
  /** Path of its contact sheet below the gateway's address (PNG); ask with the token. */
  sheet: z.string().nullable(),
});
export type EpisodeSummary = z.infer<typeof EpisodeSummary>;
export const EpisodeList = z.strictObject({
  folder: z.string(),
  tasks: z.array(z.string()),
  episodes: z.array(EpisodeSummary).describe("Newest first"),
});
export type EpisodeList = z.infer<typeof EpisodeList>;

export const BundleSummary = z.strictObject({
  directory: z.string(),
  name: z.string(),
  task: z.string(),
  rateHz: z.number(),
  precision: z.string(),
  loaded: z.boolean(),
  note: z.string().describe("Why it cannot be used, or what it was made from"),
});
export type BundleSummary = z.infer<typeof BundleSummary>;
export const BundleList = z.strictObject({ bundles: z.array(BundleSummary) });
export type BundleList = z.infer<typeof BundleList>;

export const CellPage = z.strictObject({
  file: z.string(),
  /** The cell as in force, defaults filled in; secrets are left out. */
  yaml: z.string(),
  /** Addresses at which this gateway is reached, best first. */
  addresses: z.array(z.string()),
  certificateSha256: z.string().nullable(),
});
export type CellPage = z.infer<typeof CellPage>;

/** The three strokes of the guided motion, each along an axis of the robot's base frame. */
export const STROKES = ["forward", "left", "up"] as const;
export const CalibrationStatus = z.strictObject({
  /** Calibrations in force, one per device. */
  known: z.array(
    z.strictObject({
      device: z.string(),
      space: z.string(),
      sha256: z.string(),
      createdEpochMs: z.number(),
      residualDeg: z.number(),
    }),
  ),
  /** The guided motion under way; null when none is. */
  running: z
    .strictObject({
      device: z.string(),
      stroke: z.enum(STROKES).nullable().describe("The one to do now; null when all are done"),
      isMoving: z.boolean(),
      lengthM: z.number().describe("Of the present stroke"),
      instruction: z.string(),
      result: z
        .strictObject({ residualDeg: z.number(), tiltDeg: z.number(), problem: z.string().nullable() })
        .nullable(),
    })
    .nullable(),
});
export type CalibrationStatus = z.infer<typeof CalibrationStatus>;

export const Pairing = z.strictObject({
  /** Good once, until it expires. */
  code: z.string(),
  role: Role,
  expiresEpochMs: z.number(),
  /** Address with the code, for a QR code; one per address that can be reached. */
  urls: z.array(z.string()),
  fingerprint: z.string().nullable(),
});
export type Pairing = z.infer<typeof Pairing>;

export const PairedDevice = z.strictObject({
  device: z.string(),
  role: Role,
  pairedEpochMs: z.number(),
  lastSeenEpochMs: z.number().nullable(),
  connected: z.boolean(),
});
export const DeviceList = z.strictObject({ devices: z.array(PairedDevice) });
export type DeviceList = z.infer<typeof DeviceList>;

/** `POST /api/pair` with a code gives the token that `hello` wants. */
export const PairRequest = z.strictObject({ code: z.string().max(64), name: z.string().max(64) });
export const PairAnswer = z.union([
  z.strictObject({ ok: z.literal(true), token: z.string(), device: z.string(), role: Role }),
  z.strictObject({ ok: z.literal(false), code: z.string(), happened: z.string(), remedy: z.string() }),
]);
export type PairAnswer = z.infer<typeof PairAnswer>;
