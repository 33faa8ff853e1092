/** What the policy does, how long each part of a step takes, and why it failed. */
import type { PolicyTelemetry, Telemetry } from "../../../core/gateway/server.js";
import { fixed } from "../../shared/format.js";
import { useApp } from "../state/context.js";
import type { OperatorApp } from "../state/operatorApp.js";
import { useValue } from "../state/value.js";

const RUNS = new Set(["approaching", "running"]);
const ENABLED = new Set(["holding", "following"]);
export const runsPolicy = (policy: PolicyTelemetry | null | undefined): boolean =>
  policy != null && RUNS.has(policy.phase);

/** Why no policy can be started now; empty when one can. */
export function whyNoPolicy(app: OperatorApp, telemetry: Telemetry | undefined): string {
  const states = Object.values(telemetry?.robots ?? {}).map(({ state }) => state);
  if (!app.isOperator) return "This browser is paired as an observer: it may look and stop.";
  return states.length > 0 && states.every((state) => ENABLED.has(state)) ? "" : "The robot is not enabled.";
}

export function PolicyCard() {
  const app = useApp();
  const welcome = useValue(app.welcome);
  const telemetry = useValue(app.telemetry);
  const policy = telemetry?.policy;
  if (welcome?.hasPolicy !== true || policy == null) return null;
  const runs = runsPolicy(policy);
  const whyNot = whyNoPolicy(app, telemetry);
  return (
    <section class="card" aria-labelledby="policy">
      <div class="spread">
        <h2 id="policy">Policy</h2>
        <span
          class={policy.phase === "failed" ? "chip bad" : runs ? "chip on" : "chip"}
          data-policy={policy.phase}
        >
          {policy.phase}
        </span>
      </div>
      <div class="spread">
        <span>{policy.policy}</span>
        <span class="quiet">{policy.commands} commands</span>
      </div>
      {runs ? (
        <button
          type="button"
          class="button wide"
          disabled={!app.isOperator}
          onClick={() => void app.do({ do: "stopPolicy" })}
        >
          Stop the policy
        </button>
      ) : (
        <>
          <button
            type="button"
            class="button wide"
            disabled={whyNot !== ""}
            onClick={() => void app.do({ do: "startPolicy" })}
          >
            Start the policy
          </button>
          {whyNot !== "" && <p class="quiet">{whyNot}</p>}
        </>
      )}
      {policy.failure !== null && (
        <p class="why" role="alert">
          {policy.failure.happened}. <span class="quiet">{policy.failure.remedy}.</span>
        </p>
      )}
      {runs && <Stages policy={policy} />}
    </section>
  );
}

/** Names of a step's parts in words; others are shown as they come. */
const PART_WORDS: Readonly<Record<string, string>> = {
  startLateness: "start late",
  imageAge: "picture's age",
  queue: "queue",
  preprocess: "prepare",
  encode: "encode",
  control: "decide",
  send: "send",
  imageToWire: "picture to wire",
  stateAge: "state's age",
  stateToWire: "state to wire",
};

export function Stages({ policy }: { policy: PolicyTelemetry }) {
  const parts = Object.entries(policy.partsMs);
  const longestMs = Math.max(1, ...parts.map(([, { p99 }]) => p99 ?? 0));
  const refusals = Object.entries(policy.refusals);
  return (
    <>
      <table class="stages">
        <thead>
          <tr>
            <th>part of a step</th>
            <th />
            <th class="number">p50</th>
            <th class="number">p99 ms</th>
          </tr>
        </thead>
        <tbody>
          {parts.map(([name, { p50, p99 }]) => (
            <tr key={name}>
              <td>{PART_WORDS[name] ?? name}</td>
              <td class="spark" aria-hidden="true">
                <i style={{ width: `${(100 * (p99 ?? 0)) / longestMs}%` }} />
                <b style={{ width: `${(100 * (p50 ?? 0)) / longestMs}%` }} />
              </td>
              <td class="number">{fixed(p50, 1)}</td>
              <td class="number">{fixed(p99, 1)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {refusals.length > 0 && (
        <p class="quiet">refused: {refusals.map(([why, count]) => `${why} ${count}`).join(", ")}</p>
      )}
    </>
  );
}
