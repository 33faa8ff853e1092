/** What an episode is judged by. One table: the defaults, what each means, and the only place where they are. */
import { z } from "zod";
import type { EpisodeStart } from "../format.js";

export const QualityLimits = z.strictObject({
  rateShareMax: z
    .number()
    .positive()
    .default(0.01)
    .describe("Mean rate of the stamps may differ from the stated rate by this share"),
  gapPeriods: z
    .number()
    .positive()
    .default(3)
    .describe("Nothing captured for longer than so many stated periods is a gap"),
  gapMsMin: z
    .number()
    .min(0)
    .default(20)
    .describe("Shorter gaps are none: below what training data resolves, at any rate"),
  lostMax: z.int().min(0).default(0).describe("Messages that may be missing by the counters of a topic"),
  frozenSMax: z
    .number()
    .positive()
    .default(0.5)
    .describe("The same picture, stamp or device report may come again for so long"),
  clockStepMsMax: z
    .number()
    .positive()
    .default(20)
    .describe("Stamp minus receive time may jump by so much, and clock drift may add up to so much"),
  driftPpmMax: z.number().positive().default(100).describe("Stamps may run faster or slower than the host"),
  hostDelayMsMax: z
    .number()
    .positive()
    .default(250)
    .describe("A smallest delay from stamp to receipt above this is not a delay but another clock"),
  futureMsMax: z
    .number()
    .positive()
    .default(5)
    .describe("Stamps may be later than their receipt by so much: clocks are mapped with some error"),
  stateAgeMsMax: z
    .number()
    .positive()
    .default(50)
    .describe("Age of the newest device report when a policy step begins"),
  imageAgeMsMax: z
    .number()
    .positive()
    .default(150)
    .describe("Age of a policy step's image when it begins, where the cell states no limit for its policy"),
  vanishedPeriods: z
    .number()
    .positive()
    .default(10)
    .describe("Nothing received for the last so many stated periods: the topic has vanished"),
  vanishedSMin: z.number().min(0).default(0.5).describe("A shorter silence at the end is none"),
});
export type QualityLimits = z.infer<typeof QualityLimits>;

export const DEFAULT_LIMITS: QualityLimits = QualityLimits.parse({});

/** Whether receipt minus stamp can be a delay, and the stamp so of the host's clock. */
export const isHostDelay = (ns: number, limits: QualityLimits): boolean =>
  ns >= -limits.futureMsMax * 1e6 && ns <= limits.hostDelayMsMax * 1e6;

const CellQuality = z.object({ recorder: z.object({ quality: QualityLimits }) });
const CellPolicy = z.object({ policy: z.object({ frameAgeMsMax: z.number().positive() }) });

/**
 * Those of the cell file that the episode was recorded with; the defaults where it has none that can be understood.
 * An image may be as old as the cell allowed its policy.
 */
export function limitsOf({ cell }: Pick<EpisodeStart, "cell">): QualityLimits {
  const quality = CellQuality.safeParse(cell);
  const policy = CellPolicy.safeParse(cell);
  return {
    ...(quality.success ? quality.data.recorder.quality : DEFAULT_LIMITS),
    ...(policy.success ? { imageAgeMsMax: policy.data.policy.frameAgeMsMax } : {}),
  };
}
