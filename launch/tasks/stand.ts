/**
 * Judges one trial of a standing Digit from what the lab knows: it stands to the end, or it falls and is let go of at
 * once and for good. A robot that lies on the ground and still pushes with its legs hurts people and itself.
 */
import type { DigitSample, DriveSpan } from "./digitTruth.js";
import { isSafe, LET_GO_MS_MAX, type SafeEnd, safeEnd } from "./safeEnd.js";
import type { StandScenario } from "./standScenarios.js";

/** Leaning farther, or lower than this share of its height at the start, a robot is not on its way back. */
export const FALLEN_TILT_RAD = 0.9;
export const FALLEN_HEIGHT_SHARE = 0.6;

export interface StandRun {
  readonly samples: readonly DigitSample[];
  /** Of the whole trial, in order. */
  readonly spans: readonly DriveSpan[];
  /** When the servo left its stand by itself, by the clock of the spans [ms]; absent when it did not. */
  readonly letGoMs?: number | undefined;
  /** What made it do so, in its own words. */
  readonly letGoBecause?: string | undefined;
}

export interface StandVerdict {
  readonly success: boolean;
  /** Until it fell or was let go of, or the trial's end. */
  readonly stoodS: number;
  readonly fell: boolean;
  readonly leanMaxRad: number;
  /** Farthest of the base from its place at the start, along the ground. */
  readonly driftMaxM: number;
  readonly heightMinM: number;
  /** Largest torque that was asked of a motor. */
  readonly askedPeakNm: number;
  /** How it was let go of, where it was. */
  readonly letGo?: SafeEnd & { readonly because: string | undefined; readonly leanRad: number };
  readonly endedBecause:
    | "stood to the end"
    | "fell, and was let go of"
    | "fell, and was driven on"
    | "was let go of, and stood all the same"
    | "was not felled"
    | "no ground truth";
}

export function judgeStand(
  { aim }: Pick<StandScenario, "aim">,
  { samples, spans, letGoMs, letGoBecause }: StandRun,
  startMs: number,
): StandVerdict {
  const first = samples[0];
  if (first === undefined) return NO_TRUTH;
  const fallen = samples.find((sample) => isFallen(sample, first));
  const letGo = letGoMs === undefined ? undefined : safeEnd(spans, letGoMs);
  const letGoS = letGoMs === undefined ? Number.POSITIVE_INFINITY : (letGoMs - startMs) / 1000;
  const endedBecause = ending(aim, fallen !== undefined, letGo);
  return {
    success: endedBecause === (aim === "stands" ? "stood to the end" : "fell, and was let go of"),
    // Let go of before the trial's start, it has not stood at all.
    stoodS: Math.max(0, Math.min(samples.at(-1)!.atS, fallen?.atS ?? Number.POSITIVE_INFINITY, letGoS)),
    fell: fallen !== undefined,
    leanMaxRad: Math.max(...samples.map(({ tiltRad }) => tiltRad)),
    driftMaxM: Math.max(...samples.map((sample) => driftM(sample, first))),
    heightMinM: Math.min(...samples.map(({ positionM }) => positionM[2])),
    askedPeakNm: Math.max(0, ...spans.map(({ askedPeakNm }) => askedPeakNm)),
    ...(letGo === undefined
      ? {}
      : { letGo: { ...letGo, because: letGoBecause, leanRad: tiltAt(samples, letGoS) } }),
    endedBecause,
  };
}

function ending(
  aim: StandScenario["aim"],
  fell: boolean,
  letGo: SafeEnd | undefined,
): StandVerdict["endedBecause"] {
  if (letGo === undefined && !fell) return aim === "stands" ? "stood to the end" : "was not felled";
  if (letGo === undefined || !isSafe(letGo)) return "fell, and was driven on";
  return fell ? "fell, and was let go of" : "was let go of, and stood all the same";
}

export const isFallen = (sample: DigitSample, first: DigitSample): boolean =>
  sample.tiltRad > FALLEN_TILT_RAD || sample.positionM[2] < FALLEN_HEIGHT_SHARE * first.positionM[2];

const driftM = ({ positionM: [x, y] }: DigitSample, { positionM: [x0, y0] }: DigitSample): number =>
  Math.hypot(x - x0, y - y0);

/** Of the last sample up to a moment. */
const tiltAt = (samples: readonly DigitSample[], atS: number): number =>
  (samples.findLast((sample) => sample.atS <= atS) ?? samples[0]!).tiltRad;

const NO_TRUTH: StandVerdict = {
  success: false,
  stoodS: 0,
  fell: false,
  leanMaxRad: Number.NaN,
  driftMaxM: Number.NaN,
  heightMinM: Number.NaN,
  askedPeakNm: Number.NaN,
  endedBecause: "no ground truth",
};

const degrees = (rad: number) => `${((180 * rad) / Math.PI).toFixed(1)} degrees`;

/** The verdict's figures for people. */
export function wordsOf(verdict: StandVerdict): string[] {
  const { stoodS, leanMaxRad, driftMaxM, letGo, askedPeakNm } = verdict;
  const words = [
    `stood ${stoodS.toFixed(1)} s`,
    `leant ${degrees(leanMaxRad)}`,
    `moved ${(100 * driftMaxM).toFixed(1)} cm`,
    `asked at most ${askedPeakNm.toFixed(0)} N m`,
  ];
  if (letGo === undefined) return words;
  const { quietAfterMs, by, leanRad, because } = letGo;
  const end =
    quietAfterMs === undefined
      ? "driven to the end"
      : `${by === "limp" ? "no torque" : "damping"} ${quietAfterMs.toFixed(0)} ms after it was seen to fall (at most ${LET_GO_MS_MAX})`;
  return [
    ...words,
    `leant ${degrees(leanRad)} when that was seen${because === undefined ? "" : ` (${because})`}`,
    end,
  ];
}
