/** What happened, newest first, with what to do about it; and the daemon's own diagnostics. */
import { useState } from "preact/hooks";
import type { EventLine } from "../../../core/gateway/server.js";
import { timeOfDay } from "../../shared/format.js";
import { Choices } from "../parts/Choices.js";
import { useApp } from "../state/context.js";
import { useValue } from "../state/value.js";

const LEVELS = [
  ["info", "Everything"],
  ["warn", "Warnings"],
  ["error", "Errors"],
] as const;
type Level = EventLine["level"];
const RANK: Readonly<Record<Level, number>> = { info: 0, warn: 1, error: 2 };
const CHIPS: Readonly<Record<string, string>> = { error: "chip bad", stale: "chip bad", warn: "chip care" };

export function EventsPage() {
  const app = useApp();
  const events = useValue(app.events);
  const diagnostics = useValue(app.diagnostics);
  const [level, setLevel] = useState<Level>("info");
  const shown = events.filter((event) => RANK[event.level] >= RANK[level]);
  return (
    <div class="page">
      <div class="row">
        <h1>Events</h1>
        <Choices label="Level" options={LEVELS} chosen={level} onChoose={setLevel} />
      </div>
      <div class="card">
        <table>
          <thead>
            <tr>
              <th>time</th>
              <th>level</th>
              <th>source</th>
              <th>what happened</th>
              <th>what to do</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((event) => (
              <tr key={`${event.epochMs} ${event.id}`} data-event={event.level}>
                <td>{timeOfDay(event.epochMs)}</td>
                <td>
                  <span class={CHIPS[event.level] ?? "chip"}>{event.level}</span>
                </td>
                <td class="quiet">{event.source}</td>
                <td>{event.text}</td>
                <td>{event.remedy}</td>
              </tr>
            ))}
          </tbody>
        </table>
        {shown.length === 0 && <p class="quiet">Nothing.</p>}
      </div>
      {diagnostics.length > 0 && (
        <div class="card">
          <h2>Diagnostics</h2>
          <table>
            <tbody>
              {diagnostics.map(({ name, level: state, message, values }) => (
                <tr key={name}>
                  <td>
                    <span class={CHIPS[state] ?? "chip"}>{state}</span>
                  </td>
                  <td>
                    <strong>{name}</strong>
                  </td>
                  <td>{message}</td>
                  <td class="quiet small">
                    {Object.entries(values)
                      .map(([key, value]) => `${key} ${value ?? "–"}`)
                      .join(" · ")}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </div>
  );
}
