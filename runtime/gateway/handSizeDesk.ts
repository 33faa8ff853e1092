/** Whose hand is how large: what was measured before, the measurement that runs, and what clients are told of both. */
import type { HandOwner, HandSizes } from "../../calibration/handSizes.js";
import { errorText } from "../../core/errors.js";
import type { HandSizeStatus } from "../../core/gateway/server.js";
import type { HandPose, PoseMessage } from "../../core/teleop/pose.js";
import { HandSizing } from "../teleop/handSizing.js";

export interface HandSizeDeskOptions {
  readonly sizes: HandSizes;
  /** Where nothing was measured. */
  readonly scale: number;
  readonly nowEpochMs: () => number;
  /** Something that clients are told has changed. */
  readonly onChange: () => void;
  readonly onMeasured: (owner: HandOwner, scale: number) => void;
}

export class HandSizeDesk {
  readonly #options: HandSizeDeskOptions;
  #sizing: { readonly owner: HandOwner; readonly run: HandSizing } | undefined;
  #problem = "";

  constructor(options: HandSizeDeskOptions) {
    this.#options = options;
    this.#problem = options.sizes.problem?.message ?? "";
  }

  /** Undefined while nobody has measured this hand. */
  scaleOf(owner: HandOwner): number | undefined {
    return this.#options.sizes.sizeOf(owner)?.size.scale;
  }

  status(owner: HandOwner | undefined): HandSizeStatus {
    const stored = owner && this.#options.sizes.sizeOf(owner);
    return {
      scale: stored?.size.scale ?? this.#options.scale,
      measuredEpochMs: stored?.sinceEpochMs ?? null,
      measuring: this.#sizing?.run.progress ?? null,
      problem: this.#problem,
    };
  }

  begin(owner: HandOwner, nowMs: number): void {
    this.#problem = "";
    this.#sizing = { owner, run: new HandSizing(owner.model, owner.side, nowMs) };
    this.#options.onChange();
  }

  /** @param why told to the operator, unless it is empty */
  cancel(why: string): void {
    if (this.#sizing === undefined) return;
    this.#sizing = undefined;
    this.#problem = why;
    this.#options.onChange();
  }

  /** @param hand the leading one */
  take(hand: HandPose | undefined, message: PoseMessage, nowMs: number): void {
    this.#sizing?.run.take(hand, message, nowMs);
    this.#finish();
  }

  /** Called often: ends a measurement that nobody shows a hand to. */
  look(nowMs: number): void {
    this.#sizing?.run.look(nowMs);
    this.#finish();
  }

  #finish(): void {
    const { owner, run } = this.#sizing ?? {};
    if (owner === undefined || run?.end === undefined) return;
    this.#sizing = undefined;
    if (run.end.ok) void this.#keep(owner, run.end.size);
    else this.#problem = `The hand was not measured: ${run.end.why}`;
    this.#options.onChange();
  }

  async #keep(owner: HandOwner, size: Parameters<HandSizes["keep"]>[1]): Promise<void> {
    const { sizes, nowEpochMs, onMeasured, onChange } = this.#options;
    try {
      await sizes.keep(owner, size, nowEpochMs());
      onMeasured(owner, size.scale);
    } catch (thrown) {
      this.#problem = errorText(thrown);
    }
    onChange();
  }
}
