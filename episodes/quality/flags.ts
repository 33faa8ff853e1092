/** Verdicts on a topic: one rule a row, each with its code and a text that names what was found and what was expected. */
import type { QualityFlag, RecordedTopic, TopicCounters } from "../format.js";
import type { MeasuredTopic } from "./episodeQuality.js";
import type { QualityLimits } from "./limits.js";
import { gapBoundNs, type TopicClock } from "./topicQuality.js";

interface Case {
  readonly found: MeasuredTopic;
  readonly info: RecordedTopic;
  readonly counted: TopicCounters | undefined;
  readonly limits: QualityLimits;
}
/** Its texts; none when all is well. */
type Rule = (subject: Case) => readonly (string | undefined)[];

/** A rate needs so many intervals before it is one. */
const INTERVALS_MIN = 5;
/** Policies and hands start and end within an episode; a sensor does not. */
const isSensor = ({ source }: RecordedTopic) => source === "ros" || source === "servo";
const n = (value: number, digits = 1) => value.toFixed(digits);

const RULES: readonly (readonly [QualityFlag["code"], Rule])[] = [
  ["rate", rate],
  ["gap", gap],
  ["vanished", vanished],
  ["loss", loss],
  ["frozen", frozen],
  ["clock", clock],
  ["age", age],
  ["changed", changed],
  ["damaged", damaged],
];

/** Texts of one flag; what is beyond them is only counted. */
const TEXTS_MAX = 3;

/** At most one flag of each code. */
export function judge(
  found: MeasuredTopic,
  info: RecordedTopic,
  counted: TopicCounters | undefined,
  limits: QualityLimits,
): QualityFlag[] {
  return RULES.flatMap(([code, rule]) => {
    const texts = rule({ found, info, counted, limits }).filter((text) => text !== undefined);
    if (texts.length === 0) return [];
    const more = texts.length > TEXTS_MAX ? [`and ${texts.length - TEXTS_MAX} more of this kind`] : [];
    return [{ code, topic: info.topic, text: [...texts.slice(0, TEXTS_MAX), ...more].join("; ") }];
  });
}

/** Two standard deviations of the ends' jitter are allowed for, or a short episode's last message would decide. */
function rate({ found, limits }: Case): ReturnType<Rule> {
  const { nominalRateHz, rateHz, periodMs } = found;
  if (nominalRateHz === null || rateHz === null || periodMs === null || periodMs.count < INTERVALS_MIN)
    return [];
  const allowed = limits.rateShareMax + (2 * periodMs.sd) / (periodMs.mean * periodMs.count);
  const off = rateHz / nominalRateHz - 1;
  if (Math.abs(off) <= allowed) return [];
  return [
    `captured at ${n(rateHz, 2)} Hz (${n(100 * off, 1)} %), expected ${nominalRateHz} Hz within ${n(100 * limits.rateShareMax)} %`,
  ];
}

function gap({ found, info, limits }: Case): ReturnType<Rule> {
  if (info.rateHz === undefined || found.firstS === null) return [];
  const boundMs = gapBoundNs(limits, 1e9 / info.rateHz) / 1e6;
  const longest = found.longestGap;
  const firstMs = 1000 * found.firstS;
  return [
    isSensor(info) && firstMs > boundMs && found.firstS > limits.vanishedSMin
      ? `first message ${n(found.firstS, 2)} s after the episode's start, expected within ${limits.vanishedSMin} s`
      : undefined,
    found.gaps > 0 && longest !== null
      ? `${found.gaps} gap(s), the longest ${n(longest.ms)} ms at ${n(longest.atS, 2)} s, expected none above ${n(boundMs)} ms`
      : undefined,
  ];
}

function vanished({ found, info, limits }: Case): ReturnType<Rule> {
  if (info.rateHz === undefined || !isSensor(info)) return [];
  if (found.silentAtEndS === null) return [`no message at all, expected ${info.rateHz} a second`];
  const boundS = Math.max(limits.vanishedPeriods / info.rateHz, limits.vanishedSMin);
  if (found.silentAtEndS <= boundS) return [];
  return [
    `nothing in the last ${n(found.silentAtEndS, 2)} s of the episode, expected a message at least every ${n(boundS, 2)} s`,
  ];
}

function loss({ found, counted, limits }: Case): ReturnType<Rule> {
  if (counted === undefined || found.lost === null || found.lost <= limits.lostMax) return [];
  const { lostBefore, droppedQueue, droppedEncode, droppedDisk } = counted;
  return [
    `${found.lost} message(s) lost (${lostBefore} before the subscription, ${droppedQueue} in the queue, ${droppedEncode} in compression, ${droppedDisk} at the disk), expected at most ${limits.lostMax}`,
  ];
}

function frozen({ found, info, limits }: Case): ReturnType<Rule> {
  const longest = found.longestFrozen;
  // Without a stated rate nothing new is promised.
  if (info.rateHz === undefined || longest === null || longest.s <= limits.frozenSMax) return [];
  return [
    `the same ${longest.what} for ${n(longest.s, 2)} s from ${n(longest.atS, 2)} s on, expected at most ${limits.frozenSMax} s`,
  ];
}

function clock({ found, info, limits }: Case): ReturnType<Rule> {
  const delayMs = found.delayMs;
  const texts: (string | undefined)[] = [
    found.backwards > 0
      ? `stamps ran backwards ${found.backwards} time(s), by up to ${n(found.largestBackMs)} ms, expected never`
      : undefined,
    Math.abs(found.epochStepMsMax) > limits.clockStepMsMax
      ? `the computer's epoch clock was set by ${n(found.epochStepMsMax)} ms, expected at most ${limits.clockStepMsMax} ms`
      : undefined,
  ];
  // What the daemon makes itself is written when it is complete, not when it began.
  if (info.rateHz !== undefined && isSensor(info) && delayMs !== null) {
    if (delayMs.min > limits.hostDelayMsMax || delayMs.min < -limits.futureMsMax)
      texts.push(
        `stamps are not of this computer's clock: receipt minus stamp is at least ${n(delayMs.min)} ms, expected ${-limits.futureMsMax} to ${limits.hostDelayMsMax} ms`,
      );
    texts.push(...clockTexts("stamps", found.clock, limits));
  }
  if (found.deviceClock !== null) {
    if (found.deviceClock.restarts > 0)
      texts.push(`the device's clock began anew ${found.deviceClock.restarts} time(s), expected never`);
    texts.push(...clockTexts("the device's clock", found.deviceClock, limits));
  }
  return texts;
}

function clockTexts(what: string, found: TopicClock, limits: QualityLimits): string[] {
  const texts = found.changes.map(({ atS, byMs, kind }) =>
    kind === "step"
      ? `${what} jumped by ${n(byMs)} ms at ${n(atS, 2)} s, expected at most ${limits.clockStepMsMax} ms`
      : `${what}: delay to receipt changed by ${n(-byMs)} ms at ${n(atS, 2)} s and stayed, expected at most ${limits.clockStepMsMax} ms`,
  );
  const { driftPpm, driftMs } = found;
  if (driftPpm === null || driftMs === null) return texts;
  // Both: a large figure from a short time is noise, and a small one moves no sample.
  if (Math.abs(driftPpm) > limits.driftPpmMax && Math.abs(driftMs) > limits.clockStepMsMax)
    texts.push(
      `${what} drifted by ${n(driftPpm, 0)} ppm, ${n(driftMs)} ms, expected at most ${limits.driftPpmMax} ppm`,
    );
  return texts;
}

function age({ found, limits }: Case): ReturnType<Rule> {
  const ages = found.agesAtSteps;
  if (ages === null) return [];
  const isTick = found.deviceClock !== null || found.type.endsWith("ServoTick");
  const [what, limitMs] = isTick ? ["state", limits.stateAgeMsMax] : ["image", limits.imageAgeMsMax];
  return [
    ages.tooOld > 0
      ? `${what} too old at ${ages.tooOld} policy step(s), up to ${n(ages.ms?.max ?? 0)} ms, expected at most ${limitMs} ms`
      : undefined,
    isTick && ages.missing > 0
      ? `no state at ${ages.missing} policy step(s), expected one at each`
      : undefined,
  ];
}

function changed({ found }: Case): ReturnType<Rule> {
  if (found.formChanges === 0) return [];
  return [
    `pictures changed form ${found.formChanges} time(s): ${found.forms.join(", ")}; expected one size and encoding`,
  ];
}

function damaged({ found, counted }: Case): ReturnType<Rule> {
  return [
    found.unreadable > 0
      ? `${found.unreadable} message(s) are not what their type says, expected none`
      : undefined,
    counted !== undefined && counted.written !== found.count
      ? `${found.count} message(s) are there, expected the ${counted.written} that were written`
      : undefined,
  ];
}
