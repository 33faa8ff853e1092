/** All cameras of an episode at moments spread evenly over it, each frame with its time, in one picture. */
import type { EpisodeReader } from "../episodeReader.js";
import { type Shown, thumbnail } from "./frames.js";
import { describe, heading, type Picture, type Standing } from "./heading.js";
import type { ImagePlace, ImageTopic, Moment, Moments } from "./moments.js";
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

interface Cell {
  readonly x: number;
  readonly y: number;
  readonly widthPx: number;
  readonly heightPx: number;
}

/**
 * @param seen filled with all of the reader's messages
 * @returns undefined when the episode has no images
 * @throws CerebellumError EPISODE_INVALID where the file is damaged
 */
export async function contactSheet(
  reader: EpisodeReader,
  standing: Standing,
  seen: Moments,
): Promise<Picture | undefined> {
  const { topics, count } = seen;
  if (topics.length === 0) return undefined;
  const isLabelled = topics.length > 1;
  const left = isLabelled ? MARGIN_PX + LABEL_PX : MARGIN_PX;
  const columns = Math.min(COLUMNS, count);
  const widthPx = (WIDTH_PX - left - MARGIN_PX - GAP_PX * (columns - 1)) / columns;
  const framesPx = topics.reduce((sum, { aspect }) => sum + widthPx * aspect + GAP_PX / 2, 0);
  const rowPx = framesPx + CAPTION_PX + GAP_PX;
  const parts = [
    text(MARGIN_PX, 26, fitText(heading(reader, "what the cameras saw"), WIDTH_PX - 32, 17), {
      sizePx: 17,
      isBold: true,
    }),
    text(MARGIN_PX, 47, fitText(describe(reader, standing), WIDTH_PX - 32), { colour: COLOURS.muted }),
  ];
  for (const [index, moment] of seen.moments().entries()) {
    const x = left + (index % columns) * (widthPx + GAP_PX);
    const top = TOP_PX + Math.floor(index / columns) * rowPx;
    const isCut = isOutside(moment.atNs, standing);
    let y = top;
    for (const [at, topic] of topics.entries()) {
      const cell = { x, y, widthPx, heightPx: widthPx * topic.aspect };
      if (index % columns === 0 && isLabelled)
        parts.push(text(MARGIN_PX, y + 14, fitText(topic.name, LABEL_PX - 8), { isBold: true }));
      parts.push(...drawFrame(await show(reader, topic, moment.images[at], cell), cell, isCut));
      y += cell.heightPx + GAP_PX / 2;
    }
    parts.push(...caption(reader, moment, { x, y, widthPx, heightPx: CAPTION_PX }, isCut));
  }
  const svg = document(WIDTH_PX, TOP_PX + Math.ceil(count / columns) * rowPx, parts);
  return { fileName: "contact-sheet.png", png: await renderPng(svg) };
}

const isOutside = (atNs: bigint, { trim }: Standing): boolean =>
  (trim?.fromNs != null && atNs < trim.fromNs) || (trim?.toNs != null && atNs > trim.toNs);

async function show(
  reader: EpisodeReader,
  { topic }: ImageTopic,
  place: ImagePlace | undefined,
  { widthPx, heightPx }: Cell,
): Promise<Shown> {
  const none: Shown = { kind: "unreadable", why: "no image" };
  if (place === undefined) return none;
  for await (const message of reader.messages({ topics: [topic], fromNs: place.logNs, toNs: place.logNs }))
    if (message.sequence === place.sequence)
      return thumbnail(reader, message, Math.round(widthPx), Math.round(heightPx));
  return none;
}

/** The time of the first camera's image: when it was taken, not when one was wanted. */
function caption(reader: EpisodeReader, moment: Moment, { x, y, widthPx }: Cell, isCut: boolean): string[] {
  const takenNs = moment.images.find((image) => image !== undefined)?.publishNs ?? moment.atNs;
  const seconds = Number(takenNs - BigInt(reader.start.startedNs)) / 1e9;
  return [
    text(x, y + 12, `${markText(seconds, 2)} s`, {
      isBold: true,
      colour: isCut ? COLOURS.muted : COLOURS.ink,
    }),
    text(x, y + 26, fitText(isCut ? "cut" : moment.state, widthPx, 11), {
      sizePx: 11,
      colour: COLOURS.muted,
    }),
  ];
}

function drawFrame(shown: Shown, { x, y, widthPx, heightPx }: Cell, isCut: boolean): string[] {
  const ground = rectangle(x, y, widthPx, heightPx, { fill: "#ececec" });
  if (shown.kind === "unreadable") {
    const why = fitText(shown.why, widthPx - 8, 11);
    return [
      ground,
      text(x + widthPx / 2, y + heightPx / 2, why, {
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
