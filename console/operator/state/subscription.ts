/** What the visible parts of the page want from the gateway, as one subscription. A hidden page wants nothing that flows. */
import type { Subscription } from "../../link/gatewayLink.js";

export interface Want {
  readonly telemetryHz?: number;
  readonly cameras?: readonly { readonly camera: string; readonly rateHz: number }[];
}

/** Enough for states, for the acknowledgement of a stop and for numbers that a person reads. */
export const BASE_TELEMETRY_HZ = 5;
const CAMERAS_MAX = 8;

export const HIDDEN: Subscription = { telemetryHz: 0, teleop: false, events: true, cameras: [] };

export function mergeWants(wants: Iterable<Want>): Subscription {
  let telemetryHz = BASE_TELEMETRY_HZ;
  const cameras = new Map<string, number>();
  for (const want of wants) {
    telemetryHz = Math.max(telemetryHz, want.telemetryHz ?? 0);
    for (const { camera, rateHz } of want.cameras ?? [])
      cameras.set(camera, Math.max(rateHz, cameras.get(camera) ?? 0));
  }
  return {
    telemetryHz,
    teleop: true,
    events: true,
    cameras: [...cameras].slice(0, CAMERAS_MAX).map(([camera, rateHz]) => ({ camera, rateHz })),
  };
}

export class Wants {
  readonly #wants = new Set<Want>();
  readonly #apply: (subscription: Subscription) => void;
  #isVisible = true;
  #said = "";

  constructor(apply: (subscription: Subscription) => void) {
    this.#apply = apply;
  }

  /** Returns its undo. */
  add(want: Want): () => void {
    this.#wants.add(want);
    this.#update();
    return () => {
      this.#wants.delete(want);
      this.#update();
    };
  }

  setVisible(isVisible: boolean): void {
    this.#isVisible = isVisible;
    this.#update();
  }

  #update(): void {
    const subscription = this.#isVisible ? mergeWants(this.#wants) : HIDDEN;
    const text = JSON.stringify(subscription);
    if (text === this.#said) return;
    this.#said = text;
    this.#apply(subscription);
  }
}
