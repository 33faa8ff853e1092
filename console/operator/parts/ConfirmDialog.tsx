/**
 * Asks before something that cannot be taken back. The safe answer has the focus. It covers the page but neither STOP nor
 * the states above it, so it is no modal dialog: those make the rest of a page dead.
 */
import { useLayoutEffect, useRef } from "preact/hooks";
import { question } from "../state/confirm.js";
import { useValue } from "../state/value.js";

export function ConfirmDialog() {
  const asked = useValue(question);
  const keep = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => {
    if (asked === undefined) return;
    const before = document.activeElement;
    keep.current?.focus();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, [asked]);
  if (asked === undefined) return null;
  const close = () => question.set(undefined);
  return (
    <div class="veil">
      <dialog open aria-labelledby="question">
        <h1 id="question">{asked.text}</h1>
        <p class="quiet">{asked.detail}</p>
        <div class="row">
          <button ref={keep} type="button" class="button" onClick={close}>
            Keep
          </button>
          <button
            type="button"
            class="button danger"
            onClick={() => {
              close();
              asked.onYes();
            }}
          >
            {asked.yes}
          </button>
        </div>
      </dialog>
    </div>
  );
}
