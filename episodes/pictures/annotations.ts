/** What all plots of an episode have in common: cuts, events, phases, and the list below. */
import type { EpisodeReader } from "../episodeReader.js";
import type { Gathered, JointTraces, PolicyTraces } from "./gathered.js";
import type { Standing } from "./heading.js";
import { type Overlay, type Sheet, WIDTH_PX } from "./panel.js";
import { COLOURS, document, fitText, text } from "./svg.js";

const PHASE_COLOURS = [COLOURS.sky, COLOURS.orange, COLOURS.green, COLOURS.purple, "#f0e442", "#c9c9c9"];
const EVENTS_LISTED = 24;
const EVENT_ROW_PX = 17;

export function overlayOf(
  reader: EpisodeReader,
  gathered: Gathered,
  { trim }: Standing,
  joints: JointTraces | undefined,
): Overlay {
  const startNs = BigInt(reader.start.startedNs);
  const inS = (ns: bigint) => Number(ns - startNs) / 1e9;
  return {
    bands: joints?.reasons.anyRuns() ?? [],
    cut: [
      ...(trim?.fromNs == null ? [] : [{ fromS: 0, toS: inS(trim.fromNs) }]),
      ...(trim?.toNs == null ? [] : [{ fromS: inS(trim.toNs), toS: gathered.durationS }]),
    ],
    events: gathered.events.map(({ atS }) => atS),
  };
}

export function phaseLane(sheet: Sheet, policy: PolicyTraces | undefined): void {
  const names = policy?.phases.names ?? [];
  if (policy === undefined || names.length === 0) return;
  sheet.lane("phase", policy.phases, (name) => PHASE_COLOURS[names.indexOf(name) % PHASE_COLOURS.length]!);
}

/** Time axis, the list of events, and the frame around all. */
export function finish(sheet: Sheet, { events, eventCount, unreadableCount }: Gathered): string {
  sheet.timeAxis();
  events.slice(0, EVENTS_LISTED).forEach(({ atS, source, kind, text: content }, index) => {
    sheet.parts.push(text(28, sheet.y, `${index + 1}`, { sizePx: 11, anchor: "end" }));
    sheet.parts.push(
      text(92, sheet.y, `${atS.toFixed(3)} s`, { sizePx: 11, anchor: "end", colour: COLOURS.muted }),
    );
    sheet.parts.push(
      text(104, sheet.y, fitText(`${source}: ${kind}: ${content}`, WIDTH_PX - 128, 11), { sizePx: 11 }),
    );
    sheet.y += EVENT_ROW_PX;
  });
  const more = [
    ...(eventCount > EVENTS_LISTED ? [`and ${eventCount - EVENTS_LISTED} more events`] : []),
    ...(unreadableCount > 0 ? [`${unreadableCount} messages could not be decoded`] : []),
  ];
  for (const content of more) {
    sheet.parts.push(text(104, sheet.y, content, { sizePx: 11, colour: COLOURS.muted }));
    sheet.y += EVENT_ROW_PX;
  }
  return document(WIDTH_PX, sheet.y + 4, sheet.parts);
}
