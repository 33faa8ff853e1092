/** What is wrong with the whole, and the deliberate way back. */

import { forgetPaired } from "../../link/pairing.js";
import { armWord } from "../../shared/format.js";
import { useApp } from "../state/context.js";
import { useValue } from "../state/value.js";

export function Banners() {
  const app = useApp();
  const linkState = useValue(app.linkState);
  const refusal = useValue(app.refusal);
  const isOld = useValue(app.isTelemetryOld);
  const isMisfit = useValue(app.isMisfit);
  const wasOpen = useValue(app.welcome) !== undefined;
  // A token that was refused is of no use; whatever else was refused may be another try away.
  const mustPair = refusal?.code === "NOT_AUTHORISED";
  if (linkState === "refused")
    return (
      <Banner isBad>
        <strong>Refused: {refusal?.happened ?? "this page may not connect"}.</strong> {refusal?.remedy}.
        <div class="row">
          <button
            type="button"
            class="button"
            onClick={() => {
              if (mustPair) forgetPaired(localStorage);
              location.reload();
            }}
          >
            {mustPair ? "Pair again" : "Reload"}
          </button>
        </div>
      </Banner>
    );
  if (linkState === "lost" || (linkState === "connecting" && wasOpen))
    return (
      <Banner isBad>
        <strong>Not connected: STOP does not reach the robot from here.</strong> A robot that was driven from
        this page holds; a policy, or somebody else, may still move it. Use the robot's emergency stop if you
        must. Trying again …
      </Banner>
    );
  if (linkState === "connecting") return <Banner>Connecting …</Banner>;
  return (
    <div class="banners">
      {isOld && (
        <div class="banner bad" role="alert">
          <strong>Nothing new from the daemon:</strong> what this page shows is old.
        </div>
      )}
      {isMisfit && (
        <div class="banner bad" role="alert">
          <strong>This page is of another version than the daemon:</strong> parts of it are missing or old.
          <div class="row">
            <button type="button" class="button" onClick={() => location.reload()}>
              Reload
            </button>
          </div>
        </div>
      )}
      <Rearm />
    </div>
  );
}

function Banner({ isBad = false, children }: { isBad?: boolean; children: preact.ComponentChildren }) {
  return (
    <div class="banners">
      <div class={isBad ? "banner bad" : "banner"} role="alert" data-connection>
        <span>{children}</span>
      </div>
    </div>
  );
}

/** After a stop: two separate steps, each pressed on purpose. */
function Rearm() {
  const app = useApp();
  const telemetry = useValue(app.telemetry);
  const found = Object.entries(telemetry?.robots ?? {}).find(([, { state }]) =>
    ["stopped", "stopping", "faulted", "connected", "disconnected"].includes(state),
  );
  if (found === undefined) return null;
  const [robot, { state, deviceErrorCode }] = found;
  const canReset = state === "stopped" || state === "faulted";
  const isOperator = app.isOperator;
  return (
    <div class={canReset || state === "stopping" ? "banner bad" : "banner"} data-rearm={state}>
      <span>
        <strong>
          {robot}: {armWord(state)}
        </strong>
        {deviceErrorCode !== 0 && ` (device error ${deviceErrorCode})`}.{" "}
        <span class="quiet">
          {state === "disconnected"
            ? "The robot does not answer. See Events for what to check."
            : isOperator
              ? "Look at the robot first. Reset, then Enable; it stays where it is until it is driven."
              : "An operator can reset it."}
        </span>
      </span>
      {isOperator && state !== "disconnected" && (
        <div class="row">
          <button
            type="button"
            class="button"
            disabled={!canReset}
            onClick={() => void app.do({ do: "reset" })}
          >
            1 Reset
          </button>
          <button
            type="button"
            class="button"
            disabled={state !== "connected"}
            title={state === "connected" ? "" : "Reset first"}
            onClick={() => void app.do({ do: "enable" })}
          >
            2 Enable
          </button>
        </div>
      )}
    </div>
  );
}
