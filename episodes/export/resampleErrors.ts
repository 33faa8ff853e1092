/** What frames at a fixed rate miss of what was recorded, collected while they are made. */
import type { Column, Frame, FrameColumns } from "./resample.js";
import { Spread } from "./spread.js";
import type { Streams } from "./streams.js";

/** Quantile to within 0.02 % of its value. */
export interface MaxAndP99 {
  readonly max: number;
  readonly p99: number;
}

export interface ImageError {
  readonly ageMs: MaxAndP99;
  /** Frames whose image the frame before had, and images that no frame has. */
  readonly repeatedCount: number;
  readonly skippedCount: number;
}

export interface ValueError {
  /** State: distance to the nearest measurement. Action and label: age of what is held. */
  readonly timeMs: MaxAndP99;
  /**
   * By column: |recorded - straight line between the two frames around it|, over everything recorded between frames, in
   * the column's unit: what is lost to whoever has the frames only.
   */
  readonly lost: Readonly<Record<string, MaxAndP99 & { readonly unit: string }>>;
}

export interface ResampleReport {
  readonly frameCount: number;
  readonly images: Readonly<Record<string, ImageError>>;
  readonly state: ValueError;
  readonly action: ValueError;
  readonly label: { readonly ageMs: MaxAndP99; readonly missingCount: number } | undefined;
  /** Frames whose gripper action is the measured opening, because none had been commanded yet. */
  readonly gripperUncommandedCount: number;
}

export class ResampleErrors {
  gripperUncommandedCount = 0;
  #frameCount = 0;
  #labelMissingCount = 0;
  readonly #labelAgeMs = new Spread();
  readonly #images: Map<string, { ageMs: Spread; repeatedCount: number; skippedCount: number }>;
  readonly #state: ValueErrors;
  readonly #action: ValueErrors;
  readonly #hasLabels: boolean;

  constructor(columns: FrameColumns, streams: Streams) {
    this.#images = new Map(
      streams.cameras.map(({ camera }) => [
        camera,
        { ageMs: new Spread(), repeatedCount: 0, skippedCount: 0 },
      ]),
    );
    this.#state = new ValueErrors(columns.state);
    this.#action = new ValueErrors(columns.action);
    this.#hasLabels = streams.stepTopic !== undefined;
  }

  frame(frame: Frame): void {
    this.#frameCount++;
    for (const [camera, image] of Object.entries(frame.images)) {
      const found = this.#images.get(camera)!;
      found.ageMs.record(image.ageMs);
      if (image.isRepeat) found.repeatedCount++;
    }
    this.#state.timeMs.record(Math.min(frame.stateBeforeMs, frame.stateAfterMs));
    this.#action.timeMs.record(frame.actionAgeMs);
    if (frame.labelAgeMs === undefined) return;
    if (Number.isNaN(frame.labelAgeMs)) this.#labelMissingCount++;
    else this.#labelAgeMs.record(frame.labelAgeMs);
  }

  skipped(camera: string): void {
    this.#images.get(camera)!.skippedCount++;
  }

  /** A recorded value between two frames' values, at `share` (0 to 1) of the way. */
  between(
    what: "state" | "action",
    found: Float64Array,
    a: Float64Array,
    b: Float64Array,
    share: number,
  ): void {
    (what === "state" ? this.#state : this.#action).between(found, a, b, share);
  }

  report(): ResampleReport {
    return {
      frameCount: this.#frameCount,
      images: Object.fromEntries(
        [...this.#images].map(([camera, { ageMs, ...counts }]) => [
          camera,
          { ageMs: summary(ageMs), ...counts },
        ]),
      ),
      state: this.#state.report(),
      action: this.#action.report(),
      label: this.#hasLabels
        ? { ageMs: summary(this.#labelAgeMs), missingCount: this.#labelMissingCount }
        : undefined,
      gripperUncommandedCount: this.gripperUncommandedCount,
    };
  }
}

class ValueErrors {
  readonly timeMs = new Spread();
  readonly #lost: readonly Spread[];

  constructor(private readonly columns: readonly Column[]) {
    this.#lost = columns.map(() => new Spread());
  }

  between(found: Float64Array, a: Float64Array, b: Float64Array, share: number): void {
    for (let column = 0; column < this.#lost.length; column++) {
      const straight = a[column]! + (b[column]! - a[column]!) * share;
      this.#lost[column]!.record(Math.abs(found[column]! - straight));
    }
  }

  report(): ValueError {
    return {
      timeMs: summary(this.timeMs),
      lost: Object.fromEntries(
        this.columns.map(({ name, unit }, column) => [name, { ...summary(this.#lost[column]!), unit }]),
      ),
    };
  }
}

/** 0 where nothing was seen: no frame has such an error. */
const summary = (spread: Spread): MaxAndP99 =>
  spread.count === 0 ? { max: 0, p99: 0 } : { max: spread.max, p99: spread.quantile(0.99) };
