/** What leads a hand: not this page, but a person's fingers before a headset's cameras. */
import type { TeleopStatus } from "../../../core/gateway/server.js";
import { useApp } from "../state/context.js";
import { useValue } from "../state/value.js";
import { PairHeadset } from "./PairHeadset.js";

const STATE_WORDS: Readonly<Record<TeleopStatus["state"], string>> = {
  off: "Nobody leads it",
  ready: "Taken: pinch to lead",
  engaging: "Asking for the hand …",
  engaged: "The fingers follow",
  latched: "Let go, then pinch again",
};

export function HandCard({ robot, carriedBy }: { robot: string; carriedBy: string | null }) {
  const app = useApp();
  const status = useValue(app.teleop);
  if (status === undefined) return null;
  const isLed = status.robot === robot || status.robot === carriedBy;
  const state = isLed ? status.state : "off";
  return (
    <section class="card teleop" aria-labelledby="teleop">
      <div class="spread">
        <h2 id="teleop">Teleoperation</h2>
        <span
          class={state === "engaged" ? "chip on" : state === "latched" ? "chip bad" : "chip"}
          data-teleop={state}
        >
          {STATE_WORDS[state]}
        </span>
      </div>
      <p class="quiet">
        A person's own fingers lead {robot}, seen by a headset with hand tracking: take it on the headset's
        page. The other hand's pinch, or a controller's grip in it, is what must be held.
        {carriedBy !== null && ` Who takes ${carriedBy} there leads both.`} Keys and pads of this page cannot.
      </p>
      {isLed && status.operator !== "" && <p class="quiet">{status.operator} leads it now.</p>}
      {isLed && status.why !== null && (
        <p class={state === "latched" ? "why" : "why care"} role="alert">
          {status.why.happened}. <span class="quiet">{status.why.remedy}.</span>
        </p>
      )}
      {isLed && status.warning !== "" && (
        <p class="limits" role="status">
          <span class="warn">{status.warning}</span>
        </p>
      )}
      {app.isOperator && <PairHeadset />}
    </section>
  );
}
