/** The little of SVG that the pictures need. Lengths in pixels. */

/** Told apart by all kinds of colour vision (Okabe and Ito, 2008), on white. */
export const COLOURS = {
  ink: "#1a1a1a",
  muted: "#6b6b6b",
  grid: "#e4e4e4",
  frame: "#b5b5b5",
  orange: "#e69f00",
  green: "#009e73",
  blue: "#0072b2",
  sky: "#56b4e9",
  vermillion: "#d55e00",
  purple: "#cc79a7",
} as const;

export const FONT = "DejaVu Sans";
/** Of DejaVu Sans, on average and in ems: enough to decide whether a text fits. */
const CHARACTER_EM = 0.6;

export interface TextStyle {
  readonly sizePx?: number;
  readonly colour?: string;
  readonly anchor?: "start" | "middle" | "end";
  readonly isBold?: boolean;
}

type Attributes = Readonly<Record<string, string | number | undefined>>;

export function element(name: string, attributes: Attributes, content = ""): string {
  const given = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${typeof value === "number" ? fixed(value) : escapeXml(value!)}"`)
    .join("");
  return content === "" ? `<${name}${given}/>` : `<${name}${given}>${content}</${name}>`;
}

export const textWidthPx = (text: string, sizePx = 12): number => text.length * sizePx * CHARACTER_EM;

export const text = (x: number, y: number, content: string, style: TextStyle = {}): string =>
  element(
    "text",
    {
      x,
      y,
      "font-size": style.sizePx ?? 12,
      "font-weight": style.isBold ? "bold" : undefined,
      "text-anchor": style.anchor === "start" ? undefined : style.anchor,
      fill: style.colour ?? COLOURS.ink,
    },
    escapeXml(content) || " ",
  );

export const line = (x1: number, y1: number, x2: number, y2: number, colour: string, more: Attributes = {}) =>
  element("line", { x1, y1, x2, y2, stroke: colour, "stroke-width": 1, ...more });

export const rectangle = (x: number, y: number, width: number, height: number, more: Attributes) =>
  element("rect", { x, y, width: Math.max(0, width), height: Math.max(0, height), ...more });

export const document = (widthPx: number, heightPx: number, content: readonly string[]): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="${Math.ceil(widthPx)}" height="${Math.ceil(heightPx)}" font-family="${FONT}">${content.join("")}</svg>`;

/** Cut to a width with an ellipsis. */
export function fitText(content: string, widthPx: number, sizePx = 12): string {
  const most = Math.floor(widthPx / (sizePx * CHARACTER_EM));
  return content.length <= most ? content : `${content.slice(0, Math.max(0, most - 1))}…`;
}

export const fixed = (value: number): string => String(Math.round(value * 100) / 100);

/** Also drops what XML 1.0 cannot hold: texts come from files. */
export function escapeXml(content: string): string {
  return content
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "�")
    .replace(/[&<>"]/g, (character) => ENTITIES[character]!);
}
const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
