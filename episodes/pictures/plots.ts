/** All plots of an episode. */
import type { EpisodeReader } from "../episodeReader.js";
import type { Gathered } from "./gathered.js";
import type { Picture, Standing } from "./heading.js";
import { drawJoints } from "./jointPlot.js";
import { PLOT_WIDTH_PX } from "./panel.js";
import { renderPng } from "./render.js";
import { drawTiming } from "./timingPlot.js";

/** Columns that `drawPlots` wants of `gather`. */
export const PLOT_COLUMNS = PLOT_WIDTH_PX;

export async function drawPlots(
  reader: EpisodeReader,
  gathered: Gathered,
  standing: Standing,
): Promise<Picture[]> {
  const drawings = [
    ...[...gathered.joints].map(([name, joints]) => ({
      fileName: `joints-${fileWord(name)}.png`,
      svg: drawJoints(reader, gathered, standing, name, joints),
    })),
    { fileName: "timing.png", svg: drawTiming(reader, gathered, standing) },
  ];
  const pictures: Picture[] = [];
  for (const { fileName, svg } of drawings) pictures.push({ fileName, png: await renderPng(svg) });
  return pictures;
}

/** Of a robot's or topic's name, fit for a file's. */
const fileWord = (name: string): string =>
  name.replace(/^\/+/, "").replace(/[^A-Za-z0-9_-]+/g, "-") || "unnamed";
