/** Short answers at the edge of the page. */
import { useApp } from "../state/context.js";
import { useValue } from "../state/value.js";

export function Toasts() {
  const app = useApp();
  return (
    <div class="toasts" aria-live="polite">
      {useValue(app.toasts).map(({ id, level, text, remedy }) => (
        <div key={id} class={`toast ${level}`} role={level === "error" ? "alert" : "status"}>
          <div>
            <div>{text}</div>
            {remedy !== "" && <div class="quiet">{remedy}</div>}
          </div>
          <button type="button" class="button" aria-label="Dismiss" onClick={() => app.dismiss(id)}>
            ×
          </button>
        </div>
      ))}
    </div>
  );
}
