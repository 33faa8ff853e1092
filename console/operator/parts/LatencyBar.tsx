/** Where the time goes between the hand and the wire, as one stacked bar. */
import type { TeleopStatus } from "../../../core/gateway/server.js";
import { milliseconds } from "../../shared/format.js";

type Latency = TeleopStatus["latency"];

/** `toWireMs` counts from the arrival, so the mapping lies within it. */
const PARTS: readonly (readonly [words: string, of: (latency: Latency) => number | null])[] = [
  ["transport", ({ transportMs }) => transportMs],
  ["mapping", ({ mappingMs }) => mappingMs],
  [
    "to wire",
    ({ toWireMs, mappingMs }) => (toWireMs === null ? null : Math.max(0, toWireMs - (mappingMs ?? 0))),
  ],
  ["filter", ({ filterMs }) => filterMs],
];
/** The bar's length; longer sums fill it. */
const FULL_MS = 60;

export function LatencyBar({ latency }: { latency: Latency }) {
  const parts = PARTS.map(([words, of]) => ({ words, ms: of(latency) }));
  const sumMs = parts.reduce((sum, { ms }) => sum + Math.max(0, ms ?? 0), 0);
  const scaleMs = Math.max(FULL_MS, sumMs);
  return (
    <div class="latency">
      <div class="spread">
        <h3>Hand to motion</h3>
        <span>{parts.some(({ ms }) => ms !== null) ? milliseconds(sumMs) : milliseconds(null)}</span>
      </div>
      <div class="bar" aria-hidden="true">
        {parts.map(({ words, ms }, index) => (
          <i
            key={words}
            class={`part${index}`}
            style={{ width: `${(100 * Math.max(0, ms ?? 0)) / scaleMs}%` }}
          />
        ))}
      </div>
      <dl>
        {parts.map(({ words, ms }, index) => (
          <div key={words}>
            <dt>
              <i class={`part${index}`} aria-hidden="true" /> {words}
            </dt>
            <dd>{milliseconds(ms)}</dd>
          </div>
        ))}
      </dl>
      <p class="quiet small">
        arrival to wire p50 {milliseconds(latency.toWireP50Ms)}, p99 {milliseconds(latency.toWireP99Ms)}
      </p>
    </div>
  );
}
