/** What state everything is in, in one line, and STOP. */
import { armWord, bytes, duration, milliseconds } from "../../shared/format.js";
import { useApp } from "../state/context.js";
import { isRecording } from "../state/episodeControls.js";
import { useValue } from "../state/value.js";
import { runsPolicy } from "./PolicyCard.js";
import { StopControl } from "./StopControl.js";

const BAD_STATES = new Set(["faulted", "stopped", "stopping", "unknown"]);
const chipOf = (state: string): string =>
  BAD_STATES.has(state) ? "chip bad" : state === "following" ? "chip on" : "chip";

export function TopBar() {
  const app = useApp();
  const welcome = useValue(app.welcome);
  const telemetry = useValue(app.telemetry);
  const linkState = useValue(app.linkState);
  const isOld = useValue(app.isTelemetryOld) || linkState !== "open";
  const { recorder, policy } = telemetry ?? {};
  // A robot of which nothing is told must not look as if there were none.
  const states = (telemetry === undefined ? [] : (welcome?.robots ?? [])).map(
    ({ robot }) => [robot, telemetry?.robots[robot]?.state ?? "unknown"] as const,
  );
  return (
    <header class="top">
      <div class="cell">
        <strong>{welcome?.cell ?? "Cerebellum"}</strong>
        <small class="quiet">
          {linkState === "open" ? `round trip ${milliseconds(app.link.timing?.roundTripMs)}` : linkState}
        </small>
      </div>
      <div class={isOld ? "states old" : "states"} role="status" aria-label="State">
        {states.map(([robot, state]) => (
          <span key={robot} class={chipOf(state)} data-state={state}>
            {robot} {armWord(state)}
          </span>
        ))}
        {runsPolicy(policy) && <span class="chip on">policy {policy?.phase}</span>}
        {isRecording(recorder) && (
          <span class="chip on" data-recording>
            ● {duration(recorder?.seconds)} · {bytes(recorder?.bytes)}
          </span>
        )}
        {telemetry !== undefined && telemetry.activity !== "" && (
          <span class="chip">{telemetry.activity}</span>
        )}
        {welcome?.role === "observer" && <span class="chip">you may look and stop</span>}
      </div>
      <StopControl />
    </header>
  );
}
