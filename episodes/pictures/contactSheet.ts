/** All cameras of an episode at moments spread evenly over it, each frame with its time, in one picture. */
import type { EpisodeMessage, EpisodeReader } from "../episodeReader.js";
import { POLICY_STEP_TOPIC, readPolicyStep, readServoTick, servoTickTopic } from "../messages.js";
import { type Shown, thumbnail } from "./frames.js";
import { describe, heading, type Picture, type Standing } from "./heading.js";
import { WIDTH_PX } from "./panel.js";
import { renderPng } from "./render.js";
import { markText } from "./scale.js";
import { COLOURS, document, element, fitText, rectangle, text } from "./svg.js";

const COLUMNS = 6;
const MARGIN_PX = 16;
const LABEL_PX = 96;
const GAP_PX = 8;
const CAPTION_PX = 34;
const TOP_PX = 64;
/** Moments by number of cameras; fewer moments for more cameras keep the picture on a page. */
const MOMENTS = [0, 24, 18, 12, 12] as const;
const MOMENTS_LEAST = 6;
/** An image counts for a moment when it is at most so many periods, and so many seconds, away. */
const NEAR_PERIODS = 3;
const NEAR_S_MIN = 0.05;
/** How far back the state of the task is looked for. */
const PHASE_NS = 2_000_000_000n;
const TICK_NS = 1_000_000_000n;
/** What was captured at a moment may be received this much later. */
const DELAY_NS = 500_000_000n;

interface Moment {
  /** Epoch nanoseconds that it stands for. */
  readonly atNs: bigint;
  readonly isCut: boolean;
  readonly below: string;
}

interface Frame {
  readonly shown: Shown | { readonly kind: "missing" };
  /** When it was taken. */
  readonly atNs: bigint;
}

/**
 * @param frames moments; by default as many as fit a page
 * @returns undefined when the episode has no images
 * @throws CerebellumError EPISODE_INVALID where the file is damaged
 */
export async function contactSheet(
  reader: EpisodeReader,
  standing: Standing,
  frames?: number,
): Promise<Picture | undefined> {
  const topics = imageTopics(reader);
  if (topics.length === 0) return undefined;
  const count = frames ?? MOMENTS[topics.length] ?? MOMENTS_LEAST;
  const moments = await momentsOf(reader, standing, count);
  const left = topics.length > 1 ? MARGIN_PX + LABEL_PX : MARGIN_PX;
  const columns = Math.min(COLUMNS, count);
  const cellPx = (WIDTH_PX - left - MARGIN_PX - GAP_PX * (columns - 1)) / columns;
  const rows = Math.ceil(count / columns);
  const parts = [
    text(MARGIN_PX, 26, fitText(heading(reader, "what the cameras saw"), WIDTH_PX - 32, 17), {
      sizePx: 17,
      isBold: true,
    }),
    text(MARGIN_PX, 47, fitText(describe(reader, standing), WIDTH_PX - 32), { colour: COLOURS.muted }),
  ];
  const heights = topics.map(({ aspect }) => cellPx * aspect);
  const rowPx = heights.reduce((sum, height) => sum + height + GAP_PX / 2, 0) + CAPTION_PX + GAP_PX;
  for (const [index, moment] of moments.entries()) {
    const x = left + (index % columns) * (cellPx + GAP_PX);
    let y = TOP_PX + Math.floor(index / columns) * rowPx;
    let takenNs: bigint | undefined;
    for (const [at, { topic, name, toleranceNs }] of topics.entries()) {
      const frame = await frameAt(reader, topic, moment.atNs, toleranceNs, cellPx, heights[at]!);
      if (frame.shown.kind === "picture") takenNs ??= frame.atNs;
      if (index % columns === 0 && topics.length > 1)
        parts.push(text(MARGIN_PX, y + 14, fitText(name, LABEL_PX - 8), { isBold: true }));
      parts.push(...drawFrame(frame, x, y, cellPx, heights[at]!, moment.isCut));
      y += heights[at]! + GAP_PX / 2;
    }
    const startNs = BigInt(reader.start.startedNs);
    const seconds = Number((takenNs ?? moment.atNs) - startNs) / 1e9;
    const time = `${markText(seconds, 2)} s`;
    const below = moment.isCut ? "cut" : moment.below;
    parts.push(
      text(x, y + 12, time, { isBold: true, colour: moment.isCut ? COLOURS.muted : COLOURS.ink }),
      text(x, y + 26, fitText(below, cellPx, 11), { sizePx: 11, colour: COLOURS.muted }),
    );
  }
  const svg = document(WIDTH_PX, TOP_PX + rows * rowPx, parts);
  return { fileName: "contact-sheet.png", png: await renderPng(svg) };
}

interface ImageTopic {
  readonly topic: string;
  readonly name: string;
  /** Height by width. */
  readonly aspect: number;
  readonly toleranceNs: bigint;
}

/** Of the declared cameras first; images that a policy used are the same again and are left out. */
function imageTopics({ start, topics }: EpisodeReader): ImageTopic[] {
  const images = topics.filter(
    ({ topic, type, count }) =>
      /\/(Compressed)?Image$/.test(type) && count > 0 && !topic.startsWith("/cerebellum/"),
  );
  return images.map(({ topic }) => {
    const camera = Object.entries(start.cameras).find(([, { imageTopic }]) => imageTopic === topic);
    const rateHz =
      camera?.[1].rateHz || start.topics.find((declared) => declared.topic === topic)?.rateHz || 10;
    const seconds = Math.max(NEAR_S_MIN, NEAR_PERIODS / rateHz);
    const { widthPx, heightPx } = camera?.[1] ?? { widthPx: 4, heightPx: 3 };
    return {
      topic,
      name: camera?.[0] ?? topic,
      aspect: widthPx > 0 && heightPx > 0 ? Math.min(2, heightPx / widthPx) : 0.75,
      toleranceNs: BigInt(Math.round(seconds * 1e9)),
    };
  });
}

async function momentsOf(reader: EpisodeReader, { trim }: Standing, count: number): Promise<Moment[]> {
  const startNs = BigInt(reader.start.startedNs);
  const lengthNs = BigInt(reader.end.endedNs) - startNs;
  const moments: Moment[] = [];
  for (let index = 0; index < count; index++) {
    const atNs = startNs + (count === 1 ? lengthNs / 2n : (lengthNs * BigInt(index)) / BigInt(count - 1));
    const isCut = (trim?.fromNs != null && atNs < trim.fromNs) || (trim?.toNs != null && atNs > trim.toNs);
    moments.push({ atNs, isCut, below: await stateAt(reader, atNs) });
  }
  return moments;
}

/** e.g. "reach · gripper 43 mm"; empty when neither is known. */
async function stateAt(reader: EpisodeReader, atNs: bigint): Promise<string> {
  const parts: string[] = [];
  const step = await lastBefore(reader, POLICY_STEP_TOPIC, atNs, PHASE_NS);
  if (step !== undefined) parts.push(readPolicyStep(reader.decode(step)).phase);
  for (const robot of Object.keys(reader.start.robots)) {
    const message = await lastBefore(reader, servoTickTopic(robot), atNs, TICK_NS);
    const openingM =
      message === undefined ? Number.NaN : readServoTick(reader.decode(message)).gripperOpeningM;
    if (Number.isFinite(openingM)) parts.push(`gripper ${(openingM * 1000).toFixed(0)} mm`);
  }
  return parts.filter((part) => part !== "").join(" · ");
}

/** The newest that was made by then. */
async function lastBefore(reader: EpisodeReader, topic: string, atNs: bigint, withinNs: bigint) {
  let last: EpisodeMessage | undefined;
  const range = { topics: [topic], fromNs: atNs - withinNs, toNs: atNs + DELAY_NS };
  for await (const message of reader.messages(range)) if (message.publishNs <= atNs) last = message;
  return last;
}

async function frameAt(
  reader: EpisodeReader,
  topic: string,
  atNs: bigint,
  toleranceNs: bigint,
  widthPx: number,
  heightPx: number,
): Promise<Frame> {
  let nearest: EpisodeMessage | undefined;
  const distance = ({ publishNs }: EpisodeMessage) =>
    publishNs > atNs ? publishNs - atNs : atNs - publishNs;
  const range = { topics: [topic], fromNs: atNs - toleranceNs, toNs: atNs + toleranceNs + DELAY_NS };
  for await (const message of reader.messages(range))
    if (nearest === undefined || distance(message) < distance(nearest)) nearest = message;
  if (nearest === undefined || distance(nearest) > toleranceNs) return { shown: { kind: "missing" }, atNs };
  const shown = await thumbnail(reader, nearest, Math.round(widthPx), Math.round(heightPx));
  return { shown, atNs: nearest.publishNs };
}

function drawFrame(
  { shown }: Frame,
  x: number,
  y: number,
  widthPx: number,
  heightPx: number,
  isCut: boolean,
): string[] {
  const ground = rectangle(x, y, widthPx, heightPx, { fill: "#ececec" });
  if (shown.kind !== "picture") {
    const why = shown.kind === "missing" ? "no image" : shown.why;
    const content = fitText(why, widthPx - 8, 11);
    return [
      ground,
      text(x + widthPx / 2, y + heightPx / 2, content, {
        sizePx: 11,
        anchor: "middle",
        colour: COLOURS.vermillion,
      }),
    ];
  }
  return [
    ground,
    element("image", {
      x: x + (widthPx - shown.widthPx) / 2,
      y: y + (heightPx - shown.heightPx) / 2,
      width: shown.widthPx,
      height: shown.heightPx,
      opacity: isCut ? 0.3 : undefined,
      href: `data:image/jpeg;base64,${shown.jpeg.toString("base64")}`,
    }),
  ];
}
