/**
 * A new HDF5 file, written piece by piece to the disk. The library keeps parts back and does not tell of every refusal, so
 * what counts is what can be read back: `check` opens the finished file anew and compares samples of it.
 */
import { createHash } from "node:crypto";
import { type Dataset, File, type Group, ready } from "h5wasm/node";
import { CerebellumError, errorText } from "../../../core/errors.js";

export type Numbers = Float64Array | Uint8Array | Int32Array;
const DTYPE = { Float64Array: "<d", Uint8Array: "<B", Int32Array: "<i" } as const;
const dtypeOf = (values: Numbers) => DTYPE[values.constructor.name as keyof typeof DTYPE];
/** Fast; pictures hardly become smaller above. */
const GZIP_LEVEL = 1;

interface Sample {
  readonly path: string;
  readonly ranges: [number, number][];
  readonly sha256: string;
}
interface Expected {
  readonly path: string;
  readonly shape: readonly number[];
}

export class Hdf5File {
  readonly #expected: Expected[] = [];
  readonly #samples: Sample[] = [];
  private constructor(
    private readonly path: string,
    private readonly file: File,
  ) {}

  /** @throws CerebellumError EXPORT_FAILED, as all that follow */
  static async create(path: string): Promise<Hdf5File> {
    // A refused write then throws, instead of filling standard error.
    (await ready).activate_throwing_error_handler();
    return attempt(path, () => new Hdf5File(path, new File(path, "x")));
  }

  group(path: string, attributes: Readonly<Record<string, string | number>> = {}): void {
    attempt(this.path, () => {
      this.file.create_group(path);
      for (const [name, value] of Object.entries(attributes)) this.attribute(path, name, value);
    });
  }

  /** Whole numbers become 64-bit integers. */
  attribute(path: string, name: string, value: string | number): void {
    attempt(this.path, () => {
      const group = this.file.get(path) as Group;
      if (typeof value === "string") group.create_attribute(name, value);
      else if (Number.isInteger(value))
        group.create_attribute(name, BigInt64Array.of(BigInt(value)), [], "<q");
      else group.create_attribute(name, value);
    });
  }

  /** @param values row by row */
  numbers(path: string, values: Numbers, shape: readonly number[]): void {
    attempt(this.path, () => {
      this.file.create_dataset({ name: path, data: values, shape: [...shape], dtype: dtypeOf(values) });
      this.#expected.push({ path, shape });
      this.#sample(path, shape, values);
    });
  }

  /** Of fixed length, as NumPy's byte strings. */
  texts(path: string, values: readonly string[]): void {
    attempt(this.path, () => {
      const bytes = Math.max(1, ...values.map((value) => Buffer.byteLength(value)));
      this.file.create_dataset({ name: path, data: [...values], shape: [values.length], dtype: `S${bytes}` });
      this.#expected.push({ path, shape: [values.length] });
    });
  }

  /** Room for pictures, each packed by itself so that one can be read without the others. */
  pictures(path: string, count: number, heightPx: number, widthPx: number): PictureSet {
    return attempt(this.path, () => {
      const shape = [count, heightPx, widthPx, 3];
      // Nothing is allocated before it is written; the data given here only names the type.
      const dataset = this.file.create_dataset({
        name: path,
        data: new Uint8Array(0),
        shape: [0, heightPx, widthPx, 3],
        maxshape: [count, heightPx, widthPx, 3],
        chunks: [1, heightPx, widthPx, 3],
        dtype: "<B",
        compression: "gzip",
        compression_opts: GZIP_LEVEL,
      });
      dataset.resize(shape);
      this.#expected.push({ path, shape });
      return {
        write: (index, pixels) =>
          attempt(this.path, () => {
            const ranges: [number, number][] = [
              [index, index + 1],
              [0, heightPx],
              [0, widthPx],
              [0, 3],
            ];
            dataset.write_slice(ranges, pixels);
            if (index === 0 || index === count - 1)
              this.#samples.push({ path, ranges, sha256: sha256(pixels) });
          }),
      };
    });
  }

  close(): void {
    attempt(this.path, () => this.file.close());
  }

  /** Opens the closed file anew. @throws CerebellumError EXPORT_FAILED when it is not what was written */
  check(): void {
    attempt(this.path, () => {
      const file = new File(this.path, "r");
      try {
        for (const { path, shape } of this.#expected) {
          const found = (file.get(path) as Dataset | null)?.shape;
          if (found?.join() !== shape.join())
            throw new Error(`${path} has the shape ${found?.join(" x ")} in place of ${shape.join(" x ")}`);
        }
        for (const { path, ranges, sha256: expected } of this.#samples) {
          const found = (file.get(path) as Dataset).slice(ranges) as Numbers;
          if (sha256(found) !== expected) throw new Error(`${path} has other values than were written`);
        }
      } finally {
        file.close();
      }
    });
  }

  #sample(path: string, shape: readonly number[], values: Numbers): void {
    if (values.length === 0) return;
    this.#samples.push({ path, ranges: shape.map((count) => [0, count]), sha256: sha256(values) });
  }
}

export interface PictureSet {
  write(index: number, pixels: Uint8Array): void;
}

const sha256 = ({ buffer, byteOffset, byteLength }: Numbers): string =>
  createHash("sha256")
    .update(new Uint8Array(buffer, byteOffset, byteLength))
    .digest("hex");

function attempt<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw new CerebellumError(
      "EXPORT_FAILED",
      `${path} cannot be written: ${reasonOf(cause)}`,
      "Check the folder, its permissions and the free disk space",
      cause,
    );
  }
}

/** HDF5 gives the whole stack of its functions; what the system said is at the bottom of it, if anywhere. */
function reasonOf(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  return /error message = '([^']+)'/.exec(text)?.[1] ?? errorText(cause, 200).split("\n")[0]!;
}
