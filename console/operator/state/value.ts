/** A value that components follow: the smallest thing that lets the wire change a page without a framework of its own. */
import { useEffect, useState } from "preact/hooks";

export class Value<T> {
  #current: T;
  readonly #listeners = new Set<() => void>();

  constructor(first: T) {
    this.#current = first;
  }

  get current(): T {
    return this.#current;
  }

  set(next: T): void {
    if (Object.is(next, this.#current)) return;
    this.#current = next;
    for (const listener of [...this.#listeners]) listener();
  }

  /** Calls at every change; returns its undo. */
  follow(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** The value now; the component is drawn again when it changes. */
export function useValue<T>(value: Value<T>): T {
  const [, redraw] = useState({});
  const shown = value.current;
  useEffect(() => {
    // It may have changed between drawing and following.
    if (!Object.is(shown, value.current)) redraw({});
    return value.follow(() => redraw({}));
  }, [value]);
  return shown;
}
