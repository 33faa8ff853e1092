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
  let isEscapeDown = false;
  const stop = () => app.stop.press("Escape key of the console");
  /** While a menu or list of the browser is open, or something is dragged, no key is heard to go up. */
  const keysAreTaken = (why: string) => {
    if (drive.keyboard.isHeld) drive.release(why);
  };
  // In the capture phase: no dialog or field may swallow it.
  window.addEventListener(
    "keydown",
    (event) => {
      if (event.code === "Escape") {
        if (!event.repeat) stop();
        isEscapeDown = true;
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
  window.addEventListener(
    "keyup",
    (event) => {
      if (event.code === "Escape") {
        // An open list of the browser took its way down.
        if (!isEscapeDown) stop();
        isEscapeDown = false;
      }
      drive.keyboard.keyUp(event);
    },
    { capture: true },
  );
  window.addEventListener("contextmenu", ({ defaultPrevented }) => {
    if (!defaultPrevented) keysAreTaken("a menu takes the keys");
  });
  window.addEventListener("dragstart", () => keysAreTaken("something is dragged"));
  window.addEventListener("pointerdown", ({ target }) => {
    if (isTyping(target)) keysAreTaken("a field takes the keys");
  });
  window.addEventListener("pointermove", (event) => drive.keyboard.seeShift(event.shiftKey), {
    passive: true,
  });
  window.addEventListener("blur", () => {
    isEscapeDown = false;
    drive.release("the window lost the focus");
  });
  window.addEventListener("pagehide", () => drive.release("the page was left"));
  drive.hasFocus = () => document.hasFocus();
  const see = () => app.setVisible(document.visibilityState === "visible");
  document.addEventListener("visibilitychange", see);
  see();
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
