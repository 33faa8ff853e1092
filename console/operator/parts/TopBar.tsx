/** What state everything is in, in one line, and STOP. */
import { armWord, bytes, duration, milliseconds } from "../../shared/format.js";
import { useApp } from "../state/context.js";
import { isRecording } from "../state/episodeControls.js";
import { useValue } from "../state/value.js";
import { StopControl } from "./StopControl.js";

const chipOf = (state: string): string =>
  state === "faulted" || state === "stopped" || state === "stopping"
    ? "chip bad"
    : state === "following"
      ? "chip on"
      : "chip";

export function TopBar() {
  const app = useApp();
  const welcome = useValue(app.welcome);
  const telemetry = useValue(app.telemetry);
  const linkState = useValue(app.linkState);
  const { recorder, policy, robots = {} } = telemetry ?? {};
  return (
    <header class="top">
      <div class="cell">
        <strong>{welcome?.cell ?? "Cerebellum"}</strong>
        <small class="quiet">
          {linkState === "open" ? `round trip ${milliseconds(app.link.timing?.roundTripMs)}` : linkState}
        </small>
      </div>
      <div class="states" role="status" aria-label="State">
        {Object.entries(robots).map(([robot, { state }]) => (
          <span key={robot} class={chipOf(state)} data-state={state}>
            {robot} {armWord(state)}
          </span>
        ))}
        {policy != null && (policy.phase === "running" || policy.phase === "approaching") && (
          <span class="chip on">policy {policy.phase}</span>
        )}
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
