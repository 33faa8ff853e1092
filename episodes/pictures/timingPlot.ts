/** Gripper, ages and lateness of all inputs, and when each topic was there. */
import type { EpisodeReader } from "../episodeReader.js";
import { finish, overlayOf, phaseLane } from "./annotations.js";
import type { Gathered, JointTraces, PolicyTraces, TopicTimes } from "./gathered.js";
import { describe, heading, type Standing } from "./heading.js";
import { type Overlay, type Panel, Sheet } from "./panel.js";
import { COLOURS, text } from "./svg.js";

/** Between a panel and the legend of the next. */
const SPACE_PX = 22;
const CAMERA_COLOURS = [COLOURS.blue, COLOURS.orange, COLOURS.green, COLOURS.purple];

export function drawTiming(reader: EpisodeReader, gathered: Gathered, standing: Standing): string {
  const sheet = new Sheet(gathered.durationS);
  sheet.title(heading(reader, "gripper, ages and timing"), describe(reader, standing));
  for (const [name, joints] of gathered.joints) {
    const overlay = overlayOf(reader, gathered, standing, joints);
    const suffix = gathered.joints.size > 1 ? ` ${name}` : "";
    drawGripper(sheet, `gripper${suffix}`, joints, overlay);
    if (joints.tickCount > 0) drawServo(sheet, `servo${suffix}`, joints, overlay);
  }
  const overlay = overlayOf(reader, gathered, standing, undefined);
  if (gathered.policy !== undefined) drawPolicy(sheet, gathered.policy, overlay);
  drawImages(
    sheet,
    gathered.topics.filter(({ topic }) => isImage(reader, topic)),
    overlay,
  );
  drawTopics(sheet, gathered.topics);
  return finish(sheet, gathered);
}

function drawGripper(sheet: Sheet, title: string, { gripper }: JointTraces, overlay: Overlay): void {
  if (gripper.measured.range === undefined && gripper.asked.range === undefined) return;
  drawPanel(sheet, overlay, { title, unit: "mm", heightPx: 100, spanMin: 4 }, [
    { name: "opening asked for", trace: gripper.asked, colour: COLOURS.orange, widthPx: 2.6, factor: 1000 },
    { name: "measured", trace: gripper.measured, colour: COLOURS.ink, factor: 1000 },
  ]);
}

function drawServo(sheet: Sheet, title: string, joints: JointTraces, overlay: Overlay): void {
  drawPanel(sheet, overlay, { title, unit: "ms", heightPx: 100, spanMin: 2, includesZero: true }, [
    { name: "age of the measured state at the tick", trace: joints.stateAgeMs, colour: COLOURS.green },
    {
      name: "tick later than one period after the one before",
      trace: joints.tickLateMs,
      colour: COLOURS.blue,
    },
  ]);
}

function drawPolicy(sheet: Sheet, policy: PolicyTraces, overlay: Overlay): void {
  drawPanel(sheet, overlay, { title: "policy", unit: "ms", heightPx: 120, spanMin: 2, includesZero: true }, [
    { name: "image to wire", trace: policy.imageToWireMs, colour: COLOURS.vermillion, isDots: true },
    { name: "computing", trace: policy.computeMs, colour: COLOURS.green, isDots: true },
    { name: "age of the image at the step", trace: policy.imageAgeMs, colour: COLOURS.blue, isDots: true },
    { name: "step started later than due", trace: policy.startLatenessMs, colour: COLOURS.ink, isDots: true },
  ]);
  sheet.y -= SPACE_PX;
  phaseLane(sheet, policy);
  if (policy.refusals.names.length > 0) sheet.lane("refused", policy.refusals, () => COLOURS.vermillion);
  sheet.y += SPACE_PX;
}

function drawImages(sheet: Sheet, topics: readonly TopicTimes[], overlay: Overlay): void {
  if (topics.length === 0) return;
  drawPanel(
    sheet,
    overlay,
    { title: "images", unit: "ms", heightPx: 90, spanMin: 2, includesZero: true },
    topics.map(({ topic, delayMs }, index) => ({
      name: `stamp to receipt of ${topic}`,
      trace: delayMs,
      colour: CAMERA_COLOURS[index % CAMERA_COLOURS.length]!,
    })),
  );
}

type Named = Panel["strokes"][number] & { readonly name: string };

function drawPanel(
  sheet: Sheet,
  overlay: Overlay,
  panel: Omit<Panel, "strokes">,
  strokes: readonly Named[],
): void {
  sheet.legend(strokes.filter(({ trace }) => trace.range !== undefined));
  sheet.y -= 12;
  sheet.panel({ ...panel, strokes }, overlay);
  sheet.y += SPACE_PX;
}

function drawTopics(sheet: Sheet, topics: readonly TopicTimes[]): void {
  sheet.legend([
    { name: "messages came", colour: COLOURS.sky },
    { name: "none for more than 2.5 periods", colour: COLOURS.vermillion },
  ]);
  sheet.y -= 8;
  for (const topic of topics) {
    const rate =
      topic.nominalRateHz === undefined
        ? ""
        : `, ${(topic.count / sheet.durationS).toFixed(1)} Hz of ${topic.nominalRateHz}, longest gap ${(topic.longestGapS * 1e3).toFixed(0)} ms`;
    sheet.parts.push(text(16, sheet.y + 12, `${topic.topic}: ${topic.count}${rate}`, { sizePx: 11 }));
    sheet.y += 14;
    sheet.lane("", topic.presence, (name) => (name === "gap" ? COLOURS.vermillion : COLOURS.sky), false);
  }
}

const isImage = ({ topics }: EpisodeReader, topic: string) =>
  topics.some((known) => known.topic === topic && /\/(Compressed)?Image$/.test(known.type));
