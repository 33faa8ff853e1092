/** Asks before something that cannot be taken back. The safe answer has the focus. */
import { useEffect, useRef } from "preact/hooks";
import { question } from "../state/confirm.js";
import { useValue } from "../state/value.js";

export function ConfirmDialog() {
  const asked = useValue(question);
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (asked !== undefined && element.current?.open === false) element.current.showModal();
  }, [asked]);
  if (asked === undefined) return null;
  const close = () => question.set(undefined);
  return (
    <dialog ref={element} onClose={close} aria-labelledby="question">
      <form method="dialog">
        <h1 id="question">{asked.text}</h1>
        <p class="quiet">{asked.detail}</p>
        <div class="row">
          <button type="submit" class="button">
            Keep
          </button>
          <button
            type="button"
            class="button danger"
            onClick={() => {
              asked.onYes();
              element.current?.close();
            }}
          >
            {asked.yes}
          </button>
        </div>
      </form>
    </dialog>
  );
}
