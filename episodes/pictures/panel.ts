/** Parts that all plots share: the title, panels with axes, lanes, the time axis. All sit on one time scale. */
import type { Lane } from "./lane.js";
import { markText, rangeAround, type Scale, scaleOf } from "./scale.js";
import { COLOURS, element, fitText, fixed, line, rectangle, text, textWidthPx } from "./svg.js";
import type { Trace } from "./trace.js";

export const WIDTH_PX = 1400;
export const LEFT_PX = 150;
const RIGHT_PX = 24;
export const PLOT_WIDTH_PX = WIDTH_PX - LEFT_PX - RIGHT_PX;
const LANE_PX = 18;
const LANE_BAR_PX = 12;
const TITLE_PX = 78;

export interface Stroke {
  readonly trace: Trace;
  readonly colour: string;
  readonly widthPx?: number;
  readonly dash?: string;
  /** Multiplied on for display, e.g. 1000 for millimetres. */
  readonly factor?: number;
  /** Of single values rather than a signal: points. */
  readonly isDots?: boolean;
  /** Does not widen the axis by more than its own height; what is beyond is cut. */
  readonly mayBeCut?: boolean;
}

export interface Panel {
  readonly title: string;
  readonly unit: string;
  readonly heightPx: number;
  readonly strokes: readonly Stroke[];
  /** Least height of the axis, in its unit. */
  readonly spanMin: number;
  readonly includesZero?: boolean;
  /** Drawn as thin lines where they are inside the axis. */
  readonly bounds?: readonly number[];
}

export interface Overlay {
  /** Shaded behind the lines: a reason of the limiter. */
  readonly bands: readonly { readonly fromS: number; readonly toS: number }[];
  /** Greyed: outside of what is kept. */
  readonly cut: readonly { readonly fromS: number; readonly toS: number }[];
  /** Vertical lines [s]. */
  readonly events: readonly number[];
}

/** Grows downwards. */
export class Sheet {
  readonly parts: string[] = [];
  y = 0;
  constructor(readonly durationS: number) {}

  x(atS: number): number {
    return LEFT_PX + (atS / this.durationS) * PLOT_WIDTH_PX;
  }

  title(heading: string, below: string): void {
    this.parts.push(text(16, 26, fitText(heading, WIDTH_PX - 32, 17), { sizePx: 17, isBold: true }));
    this.parts.push(text(16, 47, fitText(below, WIDTH_PX - 32), { colour: COLOURS.muted }));
    this.y = TITLE_PX;
  }

  legend(entries: readonly { name: string; colour: string; dash?: string; isBand?: boolean }[]): void {
    let x = LEFT_PX;
    for (const { name, colour, dash, isBand } of entries) {
      this.parts.push(
        isBand
          ? rectangle(x, this.y - 9, 26, 12, { fill: colour, "fill-opacity": BAND_OPACITY })
          : line(x, this.y - 3, x + 26, this.y - 3, colour, {
              "stroke-width": 2.5,
              "stroke-dasharray": dash,
            }),
        text(x + 32, this.y + 1, name),
      );
      x += 32 + textWidthPx(name) + 24;
    }
    this.y += 14;
  }

  lane(name: string, lane: Lane, colours: (name: string) => string, hasTexts = true): void {
    const top = this.y + (LANE_PX - LANE_BAR_PX) / 2;
    this.parts.push(
      text(LEFT_PX - 8, top + 10, fitText(name, LEFT_PX - 16, 11), { sizePx: 11, anchor: "end" }),
      rectangle(LEFT_PX, top, PLOT_WIDTH_PX, LANE_BAR_PX, { fill: "#f4f4f4" }),
    );
    for (const label of lane.names)
      for (const { fromS, toS } of lane.runs(label)) {
        const [x, width] = [this.x(fromS), this.x(toS) - this.x(fromS)];
        this.parts.push(rectangle(x, top, Math.max(1, width), LANE_BAR_PX, { fill: colours(label) }));
        if (hasTexts && textWidthPx(label, 10) + 6 < width)
          this.parts.push(text(x + 4, top + 9.5, label, { sizePx: 10 }));
      }
    this.y += LANE_PX;
  }

  panel(panel: Panel, overlay: Overlay): void {
    const top = this.y + 6;
    const bottom = top + panel.heightPx;
    const scale = valueScale(panel);
    const y = (value: number) => bottom - ((value - scale.low) / (scale.high - scale.low)) * panel.heightPx;
    const clip = `clip${Math.round(top)}`;
    this.parts.push(
      element("clipPath", { id: clip }, rectangle(LEFT_PX, top, PLOT_WIDTH_PX, panel.heightPx, {})),
      ...overlay.bands.map(({ fromS, toS }) =>
        rectangle(this.x(fromS), top, Math.max(1, this.x(toS) - this.x(fromS)), panel.heightPx, {
          fill: COLOURS.vermillion,
          "fill-opacity": BAND_OPACITY,
        }),
      ),
    );
    for (const mark of scale.marks)
      this.parts.push(
        line(LEFT_PX, y(mark), LEFT_PX + PLOT_WIDTH_PX, y(mark), COLOURS.grid),
        text(LEFT_PX - 8, y(mark) + 4, markText(mark, scale.digits), { sizePx: 11, anchor: "end" }),
      );
    for (const mark of this.#timeScale().marks)
      this.parts.push(line(this.x(mark), top, this.x(mark), bottom, COLOURS.grid));
    for (const bound of panel.bounds ?? [])
      if (bound > scale.low && bound < scale.high)
        this.parts.push(
          line(LEFT_PX, y(bound), LEFT_PX + PLOT_WIDTH_PX, y(bound), COLOURS.vermillion, {
            "stroke-dasharray": "2 4",
          }),
          text(LEFT_PX + PLOT_WIDTH_PX - 4, y(bound) - 3, "limit", {
            sizePx: 10,
            anchor: "end",
            colour: COLOURS.vermillion,
          }),
        );
    const drawn = panel.strokes.map((stroke) => this.#stroke(stroke, y));
    this.parts.push(element("g", { "clip-path": `url(#${clip})` }, drawn.join("")));
    this.#overlay(overlay, top, panel.heightPx);
    this.parts.push(
      rectangle(LEFT_PX, top, PLOT_WIDTH_PX, panel.heightPx, { fill: "none", stroke: COLOURS.frame }),
      text(16, top + 15, fitText(panel.title, LEFT_PX - 66, 12), { isBold: true }),
      text(16, top + 30, `[${panel.unit}]`, { sizePx: 11, colour: COLOURS.muted }),
    );
    if (panel.strokes.every(({ trace }) => trace.range === undefined))
      this.parts.push(
        text(LEFT_PX + 12, top + panel.heightPx / 2 + 4, "nothing recorded", { colour: COLOURS.muted }),
      );
    this.y = bottom + 4;
  }

  /** Numbers of the events, where there is room for them; the list below has the same numbers. */
  eventNumbers(eventsS: readonly number[]): void {
    if (eventsS.length === 0) return;
    this.parts.push(text(LEFT_PX - 8, this.y + 12, "events", { sizePx: 11, anchor: "end" }));
    let freeFromPx = LEFT_PX - 8;
    for (const [index, atS] of eventsS.entries()) {
      const x = this.x(atS);
      const number = String(index + 1);
      if (x < freeFromPx || atS < 0 || atS > this.durationS) continue;
      this.parts.push(text(x, this.y + 12, number, { sizePx: 10, anchor: "middle", colour: COLOURS.muted }));
      freeFromPx = x + textWidthPx(number, 10) + 4;
    }
    this.y += 14;
  }

  timeAxis(): void {
    const { marks, digits } = this.#timeScale();
    const right = LEFT_PX + PLOT_WIDTH_PX;
    for (const mark of marks)
      this.parts.push(
        line(this.x(mark), this.y, this.x(mark), this.y + 5, COLOURS.frame),
        text(this.x(mark), this.y + 18, markText(mark, digits), { sizePx: 11, anchor: "middle" }),
      );
    this.parts.push(
      text(right, this.y + 36, "time from the start [s]", {
        sizePx: 11,
        anchor: "end",
        colour: COLOURS.muted,
      }),
    );
    this.y += 44;
  }

  #timeScale(): Scale {
    return scaleOf(0, this.durationS, 12);
  }

  #stroke(
    { trace, colour, widthPx = 1.3, dash, factor = 1, isDots }: Stroke,
    y: (value: number) => number,
  ): string {
    const lines = trace.lines();
    if (isDots) {
      const dots = lines
        .flat()
        .map(({ atS, value }) => `M${fixed(this.x(atS))} ${fixed(y(value * factor))}h0`);
      return element("path", {
        d: dots.join(""),
        stroke: colour,
        "stroke-width": 4,
        "stroke-linecap": "round",
        fill: "none",
      });
    }
    const d = lines.map((points) => {
      const ends = points.length === 1 ? [...points, ...points] : points;
      return `M${ends.map(({ atS, value }) => `${fixed(this.x(atS))} ${fixed(y(value * factor))}`).join("L")}`;
    });
    return element("path", {
      d: d.join(""),
      stroke: colour,
      "stroke-width": widthPx,
      "stroke-dasharray": dash,
      "stroke-linejoin": "round",
      "stroke-linecap": "round",
      fill: "none",
    });
  }

  #overlay({ cut, events }: Overlay, top: number, heightPx: number): void {
    for (const { fromS, toS } of cut)
      this.parts.push(
        rectangle(this.x(fromS), top, this.x(toS) - this.x(fromS), heightPx, {
          fill: "#808080",
          "fill-opacity": 0.25,
        }),
        text(
          (this.x(fromS) + this.x(toS)) / 2,
          top + heightPx - 6,
          fitText("cut", this.x(toS) - this.x(fromS), 10),
          {
            sizePx: 10,
            anchor: "middle",
            colour: COLOURS.muted,
          },
        ),
      );
    for (const atS of events)
      if (atS >= 0 && atS <= this.durationS)
        this.parts.push(
          line(this.x(atS), top, this.x(atS), top + heightPx, COLOURS.muted, { "stroke-dasharray": "4 3" }),
        );
  }
}

export const BAND_OPACITY = 0.16;

function valueScale({ strokes, spanMin, includesZero, heightPx }: Panel): Scale {
  const scaled = ({ trace, factor = 1 }: Stroke) => {
    const range = trace.range;
    return range === undefined ? undefined : ([range[0] * factor, range[1] * factor] as const);
  };
  const firm = strokes.filter(({ mayBeCut }) => !mayBeCut).map(scaled);
  const inner = rangeAround(firm.some((range) => range !== undefined) ? firm : strokes.map(scaled), spanMin);
  const room = inner.high - inner.low;
  const wanted = rangeAround([[inner.low, inner.high], ...strokes.map(scaled)], spanMin);
  const low = Math.max(wanted.low, inner.low - room);
  const high = Math.min(wanted.high, inner.high + room);
  return scaleOf(
    includesZero ? Math.min(0, low) : low,
    includesZero ? Math.max(0, high) : high,
    Math.max(2, Math.round(heightPx / 26)),
  );
}
