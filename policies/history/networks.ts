/** The network behind a history policy's window: computed whole at every step, or with each token embedded once. */
import { OnnxModel, type TensorBinding, type TensorSet, tensors } from "../session.js";
import type { HistoryManifest } from "./manifest.js";
import { TokenWindow } from "./window.js";

export interface Network {
  /** The token has been written: takes it into the window and computes the output. */
  step(isFirst: boolean): Promise<void>;
  /**
   * Computes the last step again, to the same bits: its weights come back near the processor, out of main memory, and the
   * next step need not wait for them.
   */
  rehearse(): Promise<void>;
  release(): Promise<void>;
}

export interface NetworkParts {
  readonly manifest: Pick<HistoryManifest, "history" | "model">;
  readonly file: string;
  /** Only with `cached-embedding`. */
  readonly embedFile: string | undefined;
  /** The newest token, read at every step. */
  readonly token: Float32Array;
  /** Overwritten by every step. */
  readonly output: Float32Array;
  readonly intraOpThreads: number;
}

/** @throws BUNDLE_INVALID, BUNDLE_MISMATCH as `OnnxModel.load` */
export async function loadNetwork(parts: NetworkParts): Promise<Network> {
  const { manifest, file, embedFile, token, output, intraOpThreads } = parts;
  const { history, model } = manifest;
  const isCached = model.inference === "cached-embedding";
  const width = isCached ? model.embeddedWidth : token.length;
  const window = new TokenWindow(history.steps, width);
  const mask = history.fill === "mask" ? new Mask(history.steps) : undefined;
  const inputs = (view: Float32Array): TensorBinding[] => [
    { name: isCached ? "embedded" : "tokens", shape: [1, history.steps, width], data: view },
    ...(mask === undefined ? [] : [{ name: "mask", shape: [1, history.steps], data: mask.valid }]),
  ];
  const trunk = await OnnxModel.load(
    file,
    inputs(window.views[0]!),
    [{ name: "action", shape: [1, output.length], data: output }],
    intraOpThreads,
  );
  const base = {
    trunk,
    window,
    feeds: window.views.map((view) => tensors(inputs(view))),
    token,
    fillsWithFirst: history.fill === "first-observation",
    mask,
  };
  if (!isCached) return new WholeWindow(base);
  try {
    const embedded = (data: Float32Array) => [{ name: "embedded", shape: [1, width], data }];
    const embed = await OnnxModel.load(
      embedFile!,
      [{ name: "token", shape: [1, token.length], data: token }],
      embedded(window.rows[0]!),
      intraOpThreads,
    );
    return new CachedEmbedding(
      base,
      embed,
      window.rows.map((row) => tensors(embedded(row))),
    );
  } catch (thrown) {
    await trunk.release();
    throw thrown;
  }
}

interface Base {
  readonly trunk: OnnxModel;
  readonly window: TokenWindow;
  /** For each place of the window. */
  readonly feeds: readonly TensorSet[];
  readonly token: Float32Array;
  readonly fillsWithFirst: boolean;
  readonly mask: Mask | undefined;
}

const rehearse = ({ trunk, feeds, window }: Base): Promise<void> => trunk.run(feeds[window.place]);

class WholeWindow implements Network {
  readonly #base: Base;
  readonly #zeros: Float32Array;

  constructor(base: Base) {
    this.#base = base;
    this.#zeros = new Float32Array(base.token.length);
  }

  async step(isFirst: boolean): Promise<void> {
    const { window, token, fillsWithFirst, mask, trunk, feeds } = this.#base;
    if (isFirst) window.fill(fillsWithFirst ? token : this.#zeros);
    window.rows[window.advance()]!.set(token);
    window.commit();
    mask?.next(isFirst);
    await trunk.run(feeds[window.place]);
  }

  rehearse(): Promise<void> {
    return rehearse(this.#base);
  }

  release(): Promise<void> {
    return this.#base.trunk.release();
  }
}

/** The embedding of a token knows nothing of its place: it is computed when the token comes, and never again. */
class CachedEmbedding implements Network {
  readonly #base: Base;
  readonly #embed: OnnxModel;
  /** For each row of the window. */
  readonly #fetches: readonly TensorSet[];
  readonly #saved: Float32Array;

  constructor(base: Base, embed: OnnxModel, fetches: readonly TensorSet[]) {
    this.#base = base;
    this.#embed = embed;
    this.#fetches = fetches;
    this.#saved = new Float32Array(base.token.length);
  }

  async step(isFirst: boolean): Promise<void> {
    const { window, mask, trunk, feeds } = this.#base;
    if (isFirst) await this.#begin();
    await this.#embed.run(undefined, this.#fetches[window.advance()]);
    window.commit();
    mask?.next(isFirst);
    await trunk.run(feeds[window.place]);
  }

  rehearse(): Promise<void> {
    return rehearse(this.#base);
  }

  async #begin(): Promise<void> {
    const { window, token, fillsWithFirst } = this.#base;
    this.#saved.set(token);
    if (!fillsWithFirst) token.fill(0);
    await this.#embed.run(undefined, this.#fetches[0]);
    window.fill(window.rows[0]!);
    token.set(this.#saved);
  }

  async release(): Promise<void> {
    await this.#base.trunk.release();
    await this.#embed.release();
  }
}

/** Which rows of the window hold a step, oldest first: 1 or 0. */
class Mask {
  readonly valid: Float32Array;
  #count = 0;

  constructor(steps: number) {
    this.valid = new Float32Array(steps);
  }

  next(isFirst: boolean): void {
    if (isFirst) {
      this.#count = 0;
      this.valid.fill(0);
    }
    if (this.#count < this.valid.length) this.valid[this.valid.length - ++this.#count] = 1;
  }
}
