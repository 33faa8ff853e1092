/**
 * The little of a browser that iwer reaches for while it makes, draws and ends a session. It is there during a call and
 * gone after it, so that nothing else in the process takes itself to be in a browser.
 */

class Point {
  constructor(
    readonly x = 0,
    readonly y = 0,
    readonly z = 0,
    readonly w = 1,
  ) {}
}

const STAND_INS: Readonly<Record<string, unknown>> = {
  DOMPointReadOnly: Point,
  /** Frames are driven from outside. */
  requestAnimationFrame: () => 0,
  cancelAnimationFrame: () => undefined,
  /** iwer keeps anchors there, of which there are none. */
  localStorage: { getItem: () => null, setItem: () => undefined },
};

/** @param call synchronous: what it leaves for later finds no stand-ins */
export function withBrowserGlobals<T>(call: () => T): T {
  const saved = Object.keys(STAND_INS).map(
    (name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)] as const,
  );
  for (const [name, value] of Object.entries(STAND_INS))
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  try {
    return call();
  } finally {
    for (const [name, descriptor] of saved) {
      if (descriptor === undefined) Reflect.deleteProperty(globalThis, name);
      else Object.defineProperty(globalThis, name, descriptor);
    }
  }
}
