/** The big button, and what became of the last press. */
import { useRef } from "preact/hooks";
import { fixed } from "../../shared/format.js";
import { useApp } from "../state/context.js";
import type { StopReport } from "../state/stopButton.js";
import { useValue } from "../state/value.js";

const USE_THE_REAL_ONE = "Use the robot's emergency stop";

function words(report: StopReport): { text: string; isBad: boolean } {
  switch (report.kind) {
    case "none":
      return { text: "A stop by software, not an emergency stop", isBad: false };
    case "sent":
      return { text: "Stop sent …", isBad: false };
    case "acknowledged":
      return { text: `Stop confirmed after ${fixed(report.afterMs, 0)} ms`, isBad: false };
    case "unsent":
      return { text: `Not sent: no connection. ${USE_THE_REAL_ONE}`, isBad: true };
    case "missed":
      return { text: "Connected again, but that STOP was never sent: press it again to stop", isBad: true };
    case "unanswered":
      return { text: `Sent, but nothing confirms it. ${USE_THE_REAL_ONE}`, isBad: true };
  }
}

export function StopControl() {
  const app = useApp();
  const wasPointed = useRef(false);
  const { text, isBad } = words(useValue(app.stop.report));
  return (
    <>
      <p class={isBad ? "report fault" : "report quiet"} role={isBad ? "alert" : "status"} data-stop-report>
        {text}
      </p>
      <button
        type="button"
        class="stop"
        aria-label="Stop every robot. Escape key. A stop by software, not an emergency stop"
        // On the way down: a stop does not wait for the finger to be lifted.
        onPointerDown={() => {
          wasPointed.current = true;
          app.stop.press("STOP button of the console");
        }}
        onClick={({ detail }) => {
          // A click without a pointer came from the keyboard or from a reader's aid; a pointer may also have slid off.
          if (detail === 0 || !wasPointed.current) app.stop.press("STOP button of the console");
          wasPointed.current = false;
        }}
      >
        <b>STOP</b>
        <small>Esc</small>
      </button>
    </>
  );
}
