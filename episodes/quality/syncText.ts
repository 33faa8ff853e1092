/** A sync report for people: what was proven first, then the figures, the clocks, and steps that lack something. */
import {
  type Quantiles,
  type StepSync,
  SYNC_QUANTITIES,
  type SyncQuantity,
  type SyncReport,
} from "./syncReport.js";
import type { TopicTimes } from "./timedStates.js";

const WORDS: Readonly<Record<SyncQuantity, string>> = {
  alignedMs: "image to interpolated state",
  imageAgeMs: "image age at step",
  imageQueuedMs: "image received to step",
  newestStateAgeMs: "newest state's age at step",
  stateBeforeMs: "state before the image",
  stateAfterMs: "state after the image",
  clockErrorMs: "clocks, 99 % bound",
  positionErrorRad: "joints between states, bound",
  usedDifferenceRad: "joints used, difference",
  usedOffsetMs: "joints used, ahead of image",
  toWireMs: "step to wire",
  imageToWireMs: "image to wire",
};
/** Steps that are named; the JSON has all. */
const TROUBLES_MAX = 10;

export function syncLines(report: SyncReport): string[] {
  const { episode, steps, commands, within, withinMsMax, unproven, tooOld } = report;
  if (steps.length === 0) return [`${episode}: no policy steps`];
  const troubled = steps.filter(({ trouble }) => trouble !== "");
  return [
    `${episode}: ${steps.length} policy steps, ${commands} with a command`,
    `${within} of ${commands} commands: image time and interpolated state time within ${withinMsMax} ms${unproven > 0 ? `; ${unproven} NOT` : ""}`,
    `${tooOld} of ${commands} commands with an older image than ${report.imageAgeMsMax} ms or an older state than ${report.stateAgeMsMax} ms`,
    "",
    `${"".padEnd(30)}${["min", "p50", "p99", "max"].map((word) => word.padStart(11)).join("")}`,
    ...SYNC_QUANTITIES.flatMap((name) => quantityLine(name, report.statistics[name])),
    "",
    ...report.clocks.flatMap(clockLines),
    report.notKnowable,
    ...troubled.slice(0, TROUBLES_MAX).map(troubleLine),
    ...(troubled.length > TROUBLES_MAX ? [`and ${troubled.length - TROUBLES_MAX} more steps`] : []),
  ];
}

function quantityLine(name: SyncQuantity, found: Quantiles | null): string[] {
  if (found === null) return [`${WORDS[name].padEnd(30)}${"none".padStart(11)}`];
  const [scale, unit, digits] = name.endsWith("Rad")
    ? [1000, "mrad", 3]
    : [1, "ms", name === "alignedMs" ? 6 : 2];
  const cells = [found.min, found.p50, found.p99, found.max].map((value) =>
    (value * scale).toFixed(digits).padStart(11),
  );
  return [`${WORDS[name].padEnd(30)}${cells.join("")} ${unit}`];
}

function clockLines({ topic, from, latencyMs, segments, unusable }: TopicTimes): string[] {
  const declared = latencyMs > 0 ? `, ${latencyMs} ms declared latency taken away` : "";
  if (from === "receipt") return [`${topic}: times of receipt, delay not known${declared}`];
  const source = from === "device" ? "device's clock" : "stamps";
  const lines = segments.map(({ first, last, clock, driftPpm, delayMsMin, errorMs }) => {
    const which =
      clock === "host"
        ? `this computer's clock, received ${delayMsMin.toFixed(2)} ms later at least`
        : `another clock, ${driftPpm.toFixed(1)} ppm fast`;
    const bound = Number.isFinite(errorMs) ? `within ${errorMs.toFixed(2)} ms` : "too few to bound";
    return `${topic}: ${source} of ${last - first + 1} messages: ${which}, ${bound}${declared}`;
  });
  return unusable > 0 ? [...lines, `${topic}: ${unusable} messages without a usable time`] : lines;
}

const troubleLine = ({ step, atS, refusal, trouble }: StepSync): string =>
  `step ${step} at ${atS.toFixed(2)} s: ${trouble}${refusal === "" ? "" : ` (refused: ${refusal})`}`;
