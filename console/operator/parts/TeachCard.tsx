/** Kinesthetic teaching: the arm goes along with a hand that leads it. */

import { askFirst } from "../state/confirm.js";
import { useApp } from "../state/context.js";
import { useValue } from "../state/value.js";

export function TeachCard({ robot }: { robot: string }) {
  const app = useApp();
  const state = useValue(app.telemetry)?.robots[robot]?.state;
  const isDriving = useValue(app.drive.isDriving);
  if (!app.isOperator || state === undefined) return null;
  const isTeaching = state === "teaching";
  if (!isTeaching && state !== "holding") return null;
  return (
    <section class="card" aria-labelledby="teach">
      <div class="spread">
        <h2 id="teach">Lead by hand</h2>
        <span class={isTeaching ? "chip on" : "chip"}>{isTeaching ? "the arm gives way" : "off"}</span>
      </div>
      <button
        type="button"
        class="button wide"
        disabled={isDriving}
        onClick={() =>
          isTeaching
            ? void app.do({ do: "teach", robot, on: false })
            : askFirst({
                text: "Let the arm give way?",
                detail: "Take hold of it first. It carries its own weight, but not what it was not told of.",
                yes: "Give way",
                onYes: () => void app.do({ do: "teach", robot, on: true }),
              })
        }
      >
        {isTeaching ? "Hold again" : "Teach"}
      </button>
    </section>
  );
}
