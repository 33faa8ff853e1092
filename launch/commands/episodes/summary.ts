/** An episode in words: who and what, what each topic brought, what the limiter and the policy did, what happened. */
import type { EpisodeReader } from "../../../episodes/episodeReader.js";
import type { FinishedEpisode } from "../../../episodes/episodeSet.js";
import type { EpisodeStart, QualityFlag } from "../../../episodes/format.js";
import type { Gathered } from "../../../episodes/pictures/gathered.js";
import type { MeasuredTopic, QualityResult } from "../../../episodes/quality/episodeQuality.js";
import { localTime, trimText } from "./list.js";
import { formatBytes, formatSeconds, table } from "./text.js";

const EVENTS_SHOWN = 20;
const LABEL_CHARACTERS = 12;

export function summaryLines(
  episode: FinishedEpisode,
  reader: EpisodeReader,
  gathered: Gathered,
  quality: QualityResult,
): string[] {
  return [
    ...identity(episode),
    ...robotsAndCameras(episode.start),
    ...software(episode.start),
    "",
    ...topics(reader, quality),
    "",
    ...flags(episode.flags, quality.flags),
    ...limiter(gathered),
    ...policy(gathered, quality),
    ...events(gathered),
  ];
}

const row = (label: string, text: string): string => `${label.padEnd(LABEL_CHARACTERS)}${text}`;

function identity(episode: FinishedEpisode): string[] {
  const { start, end, trim } = episode;
  const note = episode.note === "" ? "" : `: "${episode.note}"`;
  return [
    row("episode", `${start.task}/${episode.name}  ${start.kind}  ${start.uuid}`),
    row("folder", episode.folder),
    row(
      "recorded",
      `${localTime(start.startedNs)}, ${formatSeconds(episode.durationS)}, ${formatBytes(episode.bytes)}`,
    ),
    row("outcome", `${episode.outcome}${note}${episode.dropped ? "; dropped" : ""}`),
    ...(trim === undefined ? [] : [row("kept", trimText(trim, start.startedNs))]),
    row("ended", `${end.endedBecause}${end.detail === "" ? "" : `: ${end.detail}`}`),
    ...(start.note === "" ? [] : [row("note", start.note)]),
  ];
}

function robotsAndCameras({ robots, cameras }: EpisodeStart): string[] {
  return [
    ...Object.entries(robots).map(([name, { model, serial, firmware, rateHz, jointNames }]) =>
      row(
        "robot",
        `${name}: ${model} ${serial}, firmware ${firmware}, ${jointNames.length} joints at ${rateHz} Hz`,
      ),
    ),
    ...Object.entries(cameras).map(([name, { widthPx, heightPx, rateHz, storage, imageTopic }]) =>
      row("camera", `${name}: ${widthPx} x ${heightPx} at ${rateHz} Hz, kept as ${storage}, ${imageTopic}`),
    ),
  ];
}

function software({ bundle, software: versions, context }: EpisodeStart): string[] {
  const pairs = (values: object) =>
    Object.entries(values)
      .map(([name, value]) => `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`)
      .join(", ");
  return [
    row(
      "policy",
      bundle === null
        ? "none loaded"
        : `${bundle.name} (${bundle.task}), manifest ${bundle.manifestSha256.slice(0, 12)}`,
    ),
    row("software", pairs(versions)),
    ...(Object.keys(context).length === 0 ? [] : [row("context", pairs(context))]),
  ];
}

function topics(reader: EpisodeReader, { topics: measured }: QualityResult): string[] {
  const head = ["topic", "type", "messages", "rate", "of", "longest gap", "delay p50/p99", "lost"];
  const rows = reader.topics.map(({ topic, type, count }) => {
    const found = measured[topic];
    return [
      topic,
      type.split("/").at(-1)!,
      String(count),
      ...(found === undefined ? [] : measuredCells(found)),
    ];
  });
  return table(head, rows, [2, 3, 4, 5, 6, 7]);
}

function measuredCells({ rateHz, nominalRateHz, longestGap, delayMs, lost }: MeasuredTopic): string[] {
  return [
    rateHz === null ? "" : `${rateHz.toFixed(1)} Hz`,
    nominalRateHz === null ? "" : `${nominalRateHz} Hz`,
    longestGap === null ? "" : `${longestGap.ms.toFixed(0)} ms`,
    delayMs === null ? "" : `${delayMs.p50.toFixed(1)}/${delayMs.p99.toFixed(1)} ms`,
    lost === null ? "" : String(lost),
  ];
}

/** Those in the file count; what would be flagged by today's measure is told when it differs. */
function flags(recorded: readonly QualityFlag[], measured: readonly QualityFlag[]): string[] {
  const line = ({ code, topic, text }: QualityFlag) => `${code} of ${topic}: ${text}`;
  const known = new Set(recorded.map(({ code, topic }) => `${code} ${topic}`));
  const others = measured.filter(({ code, topic }) => !known.has(`${code} ${topic}`));
  return [
    row(
      "quality",
      recorded.length === 0 ? "no flags" : `${recorded.length} flag${recorded.length === 1 ? "" : "s"}`,
    ),
    ...recorded.map((flag) => row("  flagged", line(flag))),
    ...others.map((flag) => row("  measured", `${line(flag)} (now, not when it was recorded)`)),
  ];
}

function limiter({ joints }: Gathered): string[] {
  return [...joints].flatMap(([name, { tickCount, reasonTicks }]) => {
    if (tickCount === 0) return [];
    const parts = [...reasonTicks].map(
      ([reason, ticks]) => `${reason} ${((100 * ticks) / tickCount).toFixed(1)} %`,
    );
    return [
      row(
        "limiter",
        `${name}: ${parts.length === 0 ? "nothing was changed" : `${parts.join(", ")} of ticks`}`,
      ),
    ];
  });
}

function policy({ policy: traces }: Gathered, { topics: measured }: QualityResult): string[] {
  if (traces === undefined) return [row("steps", "none")];
  const refused = [...traces.refusedSteps].map(([reason, steps]) => `${steps} refused: ${reason}`);
  const ages = Object.values(measured).find(({ type }) => type.endsWith("/PolicyStep"))?.agesAtSteps?.ms;
  const age =
    ages == null
      ? []
      : [`image age p50 ${ages.p50.toFixed(1)}, p99 ${ages.p99.toFixed(1)}, max ${ages.max.toFixed(1)} ms`];
  const phases = traces.phases.names.length === 0 ? [] : [`phases ${traces.phases.names.join(", ")}`];
  return [row("steps", [String(traces.stepCount), ...refused, ...age, ...phases].join("; "))];
}

function events({ events: seen, eventCount }: Gathered): string[] {
  const lines = seen
    .slice(0, EVENTS_SHOWN)
    .map(({ atS, source, kind, text }) => row("event", `${atS.toFixed(3)} s  ${source}: ${kind}: ${text}`));
  return eventCount > EVENTS_SHOWN ? [...lines, row("", `and ${eventCount - EVENTS_SHOWN} more`)] : lines;
}
