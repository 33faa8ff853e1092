/** From SVG to PNG, with our own font files: a robot PC has none. */
import { createRequire } from "node:module";
import { Resvg } from "@resvg/resvg-js";
import sharp from "sharp";
import { FONT } from "./svg.js";

const resolve = createRequire(import.meta.url).resolve;
const FONT_FILES = ["DejaVuSans.ttf", "DejaVuSans-Bold.ttf"].map((file) =>
  resolve(`dejavu-fonts-ttf/ttf/${file}`),
);

/** @returns PNG of at most 256 colours, which line drawings never miss and photographs hardly */
export async function renderPng(svg: string): Promise<Buffer> {
  const image = new Resvg(svg, {
    background: "white",
    font: { loadSystemFonts: false, fontFiles: FONT_FILES, defaultFontFamily: FONT },
  }).render();
  return sharp(image.pixels, { raw: { width: image.width, height: image.height, channels: 4 } })
    .removeAlpha()
    .png({ palette: true, dither: 0.5, effort: 4 })
    .toBuffer();
}
