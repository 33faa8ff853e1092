/** What a segment says in JSON: of the session that wrote it, and of each event. Checked when read. */
import { z } from "zod";

const Numbers = z.array(z.number());

export const SessionInfo = z.object({
  /** Stem of the session's file names. */
  id: z.string(),
  robot: z.string(),
  device: z.string(),
  processId: z.int().positive(),
  /** Of the kernel's present run; monotonic times of another one cannot be compared. */
  bootId: z.string(),
  rateHz: z.number().positive(),
  jointNames: z.array(z.string()).min(1),
  positionMinRad: Numbers,
  positionMaxRad: Numbers,
  /** The servo's configuration as it ran, for the limits that triggers speak of. */
  servo: z.record(z.string(), z.unknown()),
  /** The robot stands on legs: its triggers are those of `LEG_TRIGGERS`. */
  isOnLegs: z.boolean().optional(),
});
export type SessionInfo = z.infer<typeof SessionInfo>;

export const LoggedFault = z.object({
  kind: z.string(),
  code: z.string(),
  deviceCode: z.number(),
  severity: z.string(),
  cause: z.string(),
  remedy: z.string(),
});

/** Kinds and triggers are plain text here, so that an older reader still shows what a newer servo wrote. */
export const LoggedNews = z.object({
  kind: z.string(),
  text: z.string(),
  trigger: z.string().optional(),
  fault: LoggedFault.optional(),
});
export type LoggedNews = z.infer<typeof LoggedNews>;

export interface LoggedEvent extends LoggedNews {
  /** CLOCK_MONOTONIC. */
  readonly atMs: number;
}
