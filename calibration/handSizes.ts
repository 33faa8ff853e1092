/**
 * Sizes of people's hands on disk, each beside the scale at which it leads a robot's hand. One file a cell:
 *
 *   hand-sizes.jsonl     one line for each measurement that came into force; it only grows
 *
 * The newest line of headset, operator and robot's hand is the one in force. A line that is damaged counts as not there,
 * and so does every line before it that it may have superseded: fingers then lead by the cell file's scale, as they do
 * before anybody has measured, until they are measured again.
 */
import { readFileSync } from "node:fs";
import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { CerebellumError, errorText } from "../core/errors.js";
import { DeviceName } from "../core/teleop/pose.js";
import { HAND_MODELS, HAND_SIDES } from "../kinematics/allegro/hand.js";
import { HandScale } from "../kinematics/allegro/handScale.js";

export const HAND_SIZES_FILE = "hand-sizes.jsonl";
/** A line has about 700 bytes, and a person makes each of them. */
const BYTES_MAX = 1_048_576;

/** Whose hand, seen by what, leads which robot's hand. */
export const HandOwner = z.strictObject({
  device: DeviceName,
  /** Name of the client that operates. */
  operator: z.string().max(200),
  model: z.enum(HAND_MODELS),
  side: z.enum(HAND_SIDES),
});
export type HandOwner = z.infer<typeof HandOwner>;

export const StoredHandSize = z.strictObject({
  v: z.literal(1),
  ...HandOwner.shape,
  sinceEpochMs: z.number(),
  size: HandScale,
});
export type StoredHandSize = z.infer<typeof StoredHandSize>;

export interface HandSizes {
  inForce(): readonly StoredHandSize[];
  sizeOf(owner: HandOwner): StoredHandSize | undefined;
  /** What is damaged, with the remedy; undefined when nothing is. */
  readonly problem: CerebellumError | undefined;
  /**
   * Writes a size and puts it into force; resolves when it is on the disk.
   * @throws CerebellumError CALIBRATION_INVALID when the disk refuses; the former one stays in force
   */
  keep(owner: HandOwner, size: HandScale, nowEpochMs: number): Promise<StoredHandSize>;
}

/** Never throws; a folder that is not there has no sizes. */
export function openHandSizes(folder: string): HandSizes {
  return new FileSizes(folder);
}

/** Sizes in force, as an episode records them: whose hand led with which scale. */
export const handSizeRecord = (sizes: HandSizes): Record<string, unknown> =>
  Object.fromEntries(
    sizes
      .inForce()
      .map(({ device, operator, model, side, sinceEpochMs, size }) => [
        `hand-size ${device} ${operator} ${model} ${side}`,
        { kind: "hand-size", device, operator, model, side, sinceEpochMs, scale: size.scale },
      ]),
  );

const keyOf = ({ device, operator, model, side }: HandOwner): string =>
  JSON.stringify([device, operator, model, side]);

class FileSizes implements HandSizes {
  problem: CerebellumError | undefined;
  readonly #folder: string;
  readonly #inForce = new Map<string, StoredHandSize>();
  #turn: Promise<unknown> = Promise.resolve();
  #endsWhole = true;

  constructor(folder: string) {
    this.#folder = folder;
    this.#read();
  }

  sizeOf(owner: HandOwner): StoredHandSize | undefined {
    return this.#inForce.get(keyOf(owner));
  }

  inForce(): readonly StoredHandSize[] {
    return [...this.#inForce.values()];
  }

  keep(owner: HandOwner, size: HandScale, nowEpochMs: number): Promise<StoredHandSize> {
    const line = StoredHandSize.parse({ v: 1, ...owner, sinceEpochMs: nowEpochMs, size });
    const kept = this.#turn.then(() => this.#append(line));
    this.#turn = kept.catch(() => {});
    return kept;
  }

  async #append(line: StoredHandSize): Promise<StoredHandSize> {
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      const file = await open(this.#path, "a", 0o600);
      try {
        // A line that was cut off before stays a damaged line of its own.
        await file.appendFile(`${this.#endsWhole ? "" : "\n"}${JSON.stringify(line)}\n`);
        await file.sync();
      } finally {
        await file.close();
      }
    } catch (thrown) {
      throw invalid(
        `The hand's size was not kept in ${this.#path}: ${errorText(thrown)}`,
        "Make room on the disk and the folder writable, then measure again; the former size stays in force",
        thrown,
      );
    }
    this.#endsWhole = true;
    this.#inForce.set(keyOf(line), line);
    return line;
  }

  get #path(): string {
    return join(this.#folder, HAND_SIZES_FILE);
  }

  #read(): void {
    let text: string;
    try {
      text = readFileSync(this.#path, "utf8");
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== "ENOENT")
        this.problem = invalid(`${this.#path} cannot be read (${errorText(thrown)})`, AGAIN, thrown);
      return;
    }
    if (text.length > BYTES_MAX) {
      this.problem = invalid(
        `${this.#path} has ${text.length} characters, at most ${BYTES_MAX} are expected`,
        AGAIN,
      );
      return;
    }
    this.#endsWhole = text === "" || text.endsWith("\n");
    for (const [index, raw] of text.split("\n").entries()) {
      if (raw === "") continue;
      const line = parsed(raw);
      if (line !== undefined) this.#inForce.set(keyOf(line), line);
      else {
        // It may have superseded any of them.
        this.#inForce.clear();
        this.problem = invalid(`${this.#path}, line ${index + 1} is damaged`, AGAIN);
      }
    }
  }
}

const AGAIN = "Measure the hand again from the headset; what was kept before stays in the file";

const invalid = (happened: string, remedy: string, cause?: unknown): CerebellumError =>
  new CerebellumError("CALIBRATION_INVALID", happened, remedy, cause);

function parsed(text: string): StoredHandSize | undefined {
  try {
    return StoredHandSize.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
