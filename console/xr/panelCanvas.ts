/** Draws the panel: large type on a quiet ground, one colour that matters. Sizes in pixels of its canvas. */
import type { PanelModel, Tone } from "./panelModel.js";

export const PANEL_WIDTH_PX = 1024;
export const PANEL_HEIGHT_PX = 1280;

const FONT = "system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";
const MARGIN = 48;
const COLOURS = {
  ground: "#10161d",
  line: "#26313d",
  text: "#eef3f7",
  quiet: "#93a4b5",
} as const;
/** Ground and text of the band; text alone elsewhere. Differ in lightness too, for people who see few colours. */
const TONES: Readonly<Record<Tone, { ground: string; on: string; text: string }>> = {
  plain: { ground: "#2a3644", on: "#eef3f7", text: "#eef3f7" },
  calm: { ground: "#1f5fae", on: "#ffffff", text: "#8cc0ff" },
  moving: { ground: "#35c46b", on: "#04210f", text: "#6fe39b" },
  warn: { ground: "#f2b233", on: "#2a1c00", text: "#ffd27a" },
  bad: { ground: "#d8433b", on: "#ffffff", text: "#ff9a92" },
};

const BAND_BOTTOM = 372;
const STRIP_BOTTOM = 500;
const ROW_HEIGHT = 76;

export function drawPanel(context: CanvasRenderingContext2D, { band, strip, rows }: PanelModel): void {
  context.fillStyle = COLOURS.ground;
  context.fillRect(0, 0, PANEL_WIDTH_PX, PANEL_HEIGHT_PX);
  context.textBaseline = "alphabetic";
  drawBand(context, band);
  if (strip.kind === "hold") drawRing(context, strip.share, strip.words);
  else drawStrip(context, strip.text, TONES[strip.tone].text);
  rows.forEach((row, index) => {
    const bottom = STRIP_BOTTOM + (index + 1) * ROW_HEIGHT;
    context.fillStyle = COLOURS.line;
    context.fillRect(MARGIN, bottom - ROW_HEIGHT, PANEL_WIDTH_PX - 2 * MARGIN, 2);
    context.font = `400 36px ${FONT}`;
    context.textAlign = "left";
    context.fillStyle = COLOURS.quiet;
    context.fillText(row.label, MARGIN, bottom - 24);
    context.font = `600 40px ${FONT}`;
    context.textAlign = "right";
    context.fillStyle = TONES[row.tone].text;
    context.fillText(shortened(context, row.value, 590), PANEL_WIDTH_PX - MARGIN, bottom - 24);
  });
}

function drawBand(context: CanvasRenderingContext2D, { tone, title, advice }: PanelModel["band"]): void {
  const { ground, on } = TONES[tone];
  context.fillStyle = ground;
  context.fillRect(0, 0, PANEL_WIDTH_PX, BAND_BOTTOM);
  context.fillStyle = on;
  context.textAlign = "left";
  context.font = `700 92px ${FONT}`;
  context.fillText(title, MARGIN, 118);
  for (const sizePx of [44, 38, 33]) {
    context.font = `500 ${sizePx}px ${FONT}`;
    const lines = wrapped(context, advice, PANEL_WIDTH_PX - 2 * MARGIN);
    const lineHeight = sizePx * 1.25;
    const fits = lines.length * lineHeight <= BAND_BOTTOM - 150;
    if (!fits && sizePx > 33) continue;
    drawLines(context, lines.slice(0, Math.floor((BAND_BOTTOM - 150) / lineHeight)), 178, lineHeight);
    return;
  }
}

function drawStrip(context: CanvasRenderingContext2D, text: string, colour: string): void {
  context.fillStyle = colour;
  context.textAlign = "left";
  for (const sizePx of [42, 36, 31]) {
    context.font = `600 ${sizePx}px ${FONT}`;
    const lines = wrapped(context, text, PANEL_WIDTH_PX - 2 * MARGIN);
    if (lines.length > 2 && sizePx > 31) continue;
    const top = lines.length === 1 ? 450 : 424;
    drawLines(context, lines.slice(0, 2), top, sizePx * 1.25);
    return;
  }
}

function drawLines(
  context: CanvasRenderingContext2D,
  lines: readonly string[],
  top: number,
  lineHeight: number,
): void {
  for (const [index, line] of lines.entries()) context.fillText(line, MARGIN, top + index * lineHeight);
}

function drawRing(context: CanvasRenderingContext2D, share: number, words: string): void {
  const [x, y, radius] = [MARGIN + 44, (BAND_BOTTOM + STRIP_BOTTOM) / 2, 38];
  context.lineWidth = 14;
  for (const [colour, part] of [
    [COLOURS.line, 1],
    [TONES.warn.text, share],
  ] as const) {
    context.strokeStyle = colour;
    context.beginPath();
    context.arc(x, y, radius, -Math.PI / 2, -Math.PI / 2 + 2 * Math.PI * part);
    context.stroke();
  }
  context.fillStyle = COLOURS.text;
  context.textAlign = "left";
  context.font = `600 44px ${FONT}`;
  context.fillText(`keep holding: ${words}`, x + 74, y + 15);
}

function wrapped(context: CanvasRenderingContext2D, text: string, widthPx: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && context.measureText(longer).width > widthPx) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return line === "" ? lines : [...lines, line];
}

function shortened(context: CanvasRenderingContext2D, text: string, widthPx: number): string {
  if (context.measureText(text).width <= widthPx) return text;
  let kept = text;
  while (kept !== "" && context.measureText(`${kept}…`).width > widthPx) kept = kept.slice(0, -1);
  return `${kept}…`;
}
