/** What `why` answers, as data. Times are relative to the trigger unless their name says otherwise. */
import { z } from "zod";

const JointsRad = z.array(z.number().nullable());
const MaybeMs = z.number().nullable();

export const IncidentKind = z.enum(["stop", "fault", "linkLoss", "leaseEnd", "hold", "death"]);
export type IncidentKind = z.infer<typeof IncidentKind>;

export const Incident = z.strictObject({
  kind: IncidentKind,
  /** Name in the table of triggers; null for the death of the servo process, which nothing could announce. */
  trigger: z.string().nullable(),
  /** What the servo said when it happened. */
  happened: z.string(),
  cause: z.string(),
  /** What to do, in order. */
  remedies: z.array(z.string()),
  atEpochMs: z.number(),
  agoS: z.number(),
  /** The same trigger again within two seconds of the last. */
  repeatedCount: z.number(),
  stateBefore: z.string().nullable(),
  fault: z
    .strictObject({
      code: z.string(),
      deviceCode: z.number(),
      severity: z.string(),
      cause: z.string(),
      remedy: z.string(),
    })
    .nullable(),
  chain: z.array(
    z.strictObject({
      sinceTriggerMs: z.number(),
      kind: z.string(),
      trigger: z.string().nullable(),
      text: z.string(),
    }),
  ),
  /** Events of the same time that `chain` leaves out for length. */
  chainLeftOutCount: z.number(),
  /** The newest command that was pursued when it happened; null when nobody commanded. */
  command: z
    .strictObject({
      commander: z.string(),
      seq: z.number(),
      ageMs: MaybeMs,
      inputAgeMs: MaybeMs,
      targetRad: JointsRad,
      sentRad: JointsRad,
      measuredRad: JointsRad,
    })
    .nullable(),
  /** The second before. */
  limiter: z.strictObject({
    tickCount: z.number(),
    changedTickCount: z.number(),
    ticksByReason: z.record(z.string(), z.number()),
    missedTickCount: z.number(),
  }),
  device: z.strictObject({ errorCode: z.number(), stateAgeMs: MaybeMs }).nullable(),
  timing: z.strictObject({
    /** Until the first tick that held or stopped. */
    firstTickMs: MaybeMs,
    /** Until the setpoint, or where the device led the motion the measured arm, stood still. */
    restMs: MaybeMs,
    restIsMeasured: z.boolean(),
  }),
  /** Where the arm stood at rest, or was last seen. */
  pose: z.strictObject({ positionRad: JointsRad, gripperOpeningM: z.number().nullable() }).nullable(),
  /** When motion could go on again, if it could. */
  goneOnAfterMs: MaybeMs,
});
export type Incident = z.infer<typeof Incident>;

export const Explanation = z.strictObject({
  schema: z.literal("cerebellum/why@1"),
  robot: z.string(),
  device: z.string().nullable(),
  jointNames: z.array(z.string()),
  /** Newest first. */
  incidents: z.array(Incident),
  /** What came after the newest of them, while the arm was stopped anyway; newest first. */
  since: z.array(z.strictObject({ trigger: z.string().nullable(), happened: z.string(), agoS: z.number() })),
  now: z.strictObject({
    process: z.enum(["running", "silent", "ended", "died", "none"]),
    processId: z.number().nullable(),
    state: z.string().nullable(),
    deviceErrorCode: z.number(),
    lastWrittenAgoS: z.number().nullable(),
  }),
  /** Holds that passed by themselves and are not among the incidents. */
  passedHolds: z.strictObject({ count: z.number(), byTrigger: z.record(z.string(), z.number()) }),
  record: z.strictObject({
    folder: z.string(),
    sessionCount: z.number(),
    tickCount: z.number(),
    reachesBackS: z.number().nullable(),
    filesRead: z.number(),
    filesSkipped: z.array(z.strictObject({ name: z.string(), reason: z.string() })),
    damagedChunks: z.number(),
    tornBytes: z.number(),
    lostRows: z.number(),
  }),
});
export type Explanation = z.infer<typeof Explanation>;
