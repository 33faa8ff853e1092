/** The page's keys: STOP from everywhere, driving and episode keys unless somebody types. */
import { question } from "../state/confirm.js";
import type { OperatorApp } from "../state/operatorApp.js";
import { KEY_AXES } from "./keyboardSource.js";

/** A key that was held while driving and is let go of a little later must not label an episode. */
const QUIET_AFTER_DRIVING_MS = 1000;

export interface PageKeys {
  /** Letters without modifiers, by `KeyboardEvent.code`. */
  readonly onLetter: (code: string) => void;
}

export function bindKeys(app: OperatorApp, { onLetter }: PageKeys): void {
  const { drive, clock } = app;
  // In the capture phase: no dialog or field may swallow it.
  window.addEventListener(
    "keydown",
    (event) => {
      if (event.code === "Escape") {
        if (!event.repeat) app.stop.press("Escape key of the console");
        question.set(undefined);
        return;
      }
      if (isTyping(event.target)) {
        drive.keyboard.release();
        return;
      }
      const drives = drive.isShown && drive.isDriving.current && drive.source.current === "keyboard";
      if (drives && drive.keyboard.keyDown(event)) {
        event.preventDefault();
        return;
      }
      if (event.repeat || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
      const isQuiet = drive.isHeld.current || clock.nowMs() - drive.heldMs < QUIET_AFTER_DRIVING_MS;
      if (isQuiet && event.code in KEY_AXES) return;
      onLetter(event.code);
    },
    { capture: true },
  );
  window.addEventListener("keyup", (event) => drive.keyboard.keyUp(event), { capture: true });
  window.addEventListener("pointermove", (event) => drive.keyboard.seeShift(event.shiftKey), {
    passive: true,
  });
  window.addEventListener("blur", () => drive.release("the window lost the focus"));
  window.addEventListener("pagehide", () => drive.release("the page was left"));
  document.addEventListener("visibilitychange", () => app.setVisible(document.visibilityState === "visible"));
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (
    target.isContentEditable ||
    target instanceof HTMLTextAreaElement ||
    target instanceof HTMLSelectElement
  )
    return true;
  return (
    target instanceof HTMLInputElement && !["checkbox", "radio", "range", "button"].includes(target.type)
  );
}
