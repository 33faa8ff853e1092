/** Bundles that this cell has, which of them is loaded, and what runs. */
import { BundleList } from "../../../core/gateway/library.js";
import { fixed } from "../../shared/format.js";
import { PolicyCard, runsPolicy, whyNoPolicy } from "../parts/PolicyCard.js";
import { useAsked } from "../state/asked.js";
import { askFirst } from "../state/confirm.js";
import { useApp } from "../state/context.js";
import { useValue } from "../state/value.js";

export function PoliciesPage() {
  const app = useApp();
  const { data, isAsking, again } = useAsked({ do: "listBundles" }, BundleList);
  const telemetry = useValue(app.telemetry);
  const whyNot =
    whyNoPolicy(app, telemetry) || (runsPolicy(telemetry?.policy) ? "Stop the running policy first." : "");
  const start = (directory: string, name: string) =>
    askFirst({
      text: `Start ${name}?`,
      detail: "The arm will move: slowly to its start pose first, then by itself. Keep STOP at hand.",
      yes: "Start",
      onYes: () => void app.do({ do: "startPolicy", bundle: directory }).then(again),
    });
  return (
    <div class="page">
      <div class="row">
        <h1>Policies</h1>
        <button type="button" class="button" disabled={isAsking} onClick={again}>
          {isAsking ? "Loading …" : "Reload"}
        </button>
        <span class="quiet">{whyNot}</span>
      </div>
      <div class="beside">
        <div class="card">
          <table>
            <thead>
              <tr>
                <th>bundle</th>
                <th>task</th>
                <th class="number">rate</th>
                <th>precision</th>
                <th>made from, or why it cannot be used</th>
                <th />
              </tr>
            </thead>
            <tbody>
              {data?.bundles.map(({ directory, name, task, rateHz, precision, loaded, note }) => (
                <tr key={directory} data-bundle={name}>
                  <td>
                    <strong>{name}</strong> {loaded && <span class="chip on">loaded</span>}
                    <br />
                    <code class="quiet">{directory}</code>
                  </td>
                  <td>{task}</td>
                  <td class="number">{fixed(rateHz, 0)} Hz</td>
                  <td>{precision}</td>
                  <td class="quiet">{note}</td>
                  <td>
                    <button
                      type="button"
                      class="button"
                      aria-label={`Start ${name}`}
                      disabled={whyNot !== ""}
                      onClick={() => start(directory, name)}
                    >
                      Start
                    </button>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          {data?.bundles.length === 0 && <p class="quiet">No bundles yet. Train one from episodes.</p>}
        </div>
        <PolicyCard />
      </div>
    </div>
  );
}
