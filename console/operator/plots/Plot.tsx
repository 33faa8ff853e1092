/** A strip chart of the last half minute, over the history's typed arrays. */
import "uplot/dist/uPlot.min.css";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { fixed } from "../../shared/format.js";
import { useApp } from "../state/context.js";
import { HISTORY_S } from "../state/history.js";
import { colouring, colourOf } from "../state/theme.js";
import { useValue } from "../state/value.js";
import type { PlotPacer } from "./pacer.js";
import { rangeOf } from "./range.js";

export interface PlotSeries {
  readonly key: string;
  readonly words: string;
  /** Name of a colour of the style sheets. */
  readonly colour: string;
  readonly widthPx?: number;
  readonly dash?: readonly number[];
}

interface PlotProps {
  readonly pacer: PlotPacer;
  readonly title: string;
  readonly unit: string;
  readonly series: readonly PlotSeries[];
  readonly heightPx: number;
  /** From the unit of the history to that of the plot. */
  readonly scale?: number;
  readonly fromZero?: boolean;
  readonly digits?: number;
}

const AXIS_FONT = '11px system-ui, "DejaVu Sans", sans-serif';

export function Plot({ pacer, title, unit, series, heightPx, scale = 1, fromZero, digits = 1 }: PlotProps) {
  const app = useApp();
  const place = useRef<HTMLDivElement>(null);
  const readout = useRef<(HTMLElement | null)[]>([]);
  const colours = useValue(colouring);
  const keys = series.map(({ key }) => key);

  useEffect(() => {
    const target = place.current;
    if (target === null) return;
    const quiet = colourOf("--quiet");
    const grid = { stroke: colourOf("--line"), width: 1 };
    const axis = { stroke: quiet, font: AXIS_FONT, grid, ticks: { show: false } };
    const plot = new uPlot(
      {
        width: target.clientWidth,
        height: heightPx,
        padding: [8, 8, 0, 0],
        legend: { show: false },
        cursor: { points: { size: 5 }, drag: { x: false, y: false } },
        scales: {
          x: { time: false, range: () => [-HISTORY_S, 0] },
          y: { range: ({ data }) => rangeOf(data, fromZero === true) },
        },
        axes: [
          { ...axis, size: 22, values: (_, ticks) => ticks.map((tick) => `${tick} s`) },
          { ...axis, size: 46 },
        ],
        series: [
          {},
          ...series.map(({ words, colour, widthPx = 1, dash }) => ({
            label: words,
            stroke: colourOf(colour),
            width: widthPx,
            ...(dash !== undefined && { dash: [...dash] }),
            points: { show: false },
            spanGaps: false,
          })),
        ],
      },
      [[], ...keys.map(() => [])],
      target,
    );
    const observer = new ResizeObserver(() =>
      plot.setSize({ width: Math.max(80, target.clientWidth), height: heightPx }),
    );
    observer.observe(target);
    const rows: Float64Array[] = [];
    const undo = pacer.add((nowS, history) => {
      const data = history.read(keys, nowS, rows);
      if (scale !== 1)
        for (const row of data.slice(1)) for (let at = 0; at < row.length; at++) row[at]! *= scale;
      plot.setData(data as unknown as uPlot.AlignedData);
      const at = plot.cursor.idx ?? (data[0]?.length ?? 0) - 1;
      for (const [index, element] of readout.current.entries()) {
        const value = data[index + 1]?.[at];
        if (element !== null) element.textContent = fixed(value, digits);
      }
      target.dataset.points = String(data[0]?.length ?? 0);
    });
    return () => {
      undo();
      observer.disconnect();
      plot.destroy();
    };
  }, [app, pacer, keys.join(), scale, heightPx, colours]);

  return (
    <section class="card plot" aria-label={title}>
      <div class="spread">
        <h3>
          {title} <span class="quiet">[{unit}]</span>
        </h3>
        <ul class="readout">
          {series.map(({ key, words, colour, dash }, index) => (
            <li key={key}>
              <svg width="18" height="8" aria-hidden="true">
                <line
                  x1="0"
                  x2="18"
                  y1="4"
                  y2="4"
                  stroke={`var(${colour})`}
                  stroke-width="2"
                  stroke-dasharray={dash?.join(" ")}
                />
              </svg>
              <span class="quiet">{words}</span>
              <b
                ref={(element) => {
                  readout.current[index] = element;
                }}
              >
                –
              </b>
            </li>
          ))}
        </ul>
      </div>
      <div ref={place} class="canvas" style={{ height: `${heightPx}px` }} data-points="0" />
    </section>
  );
}
