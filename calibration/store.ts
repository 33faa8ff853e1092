/**
 * Calibrations of a cell on disk. A frame's file is named by its contents and never edited or replaced:
 *
 *   tracker-frame-<device>-<first 12 digits of its SHA-256>.json
 *   index.jsonl          one line for each frame that came into force: which, since when, by whom; it only grows
 *
 * The newest line of a device is the one in force. Whatever is damaged counts as not there: the device is uncalibrated
 * until a person calibrates it again or puts the file back. Both files reach the disk before a frame counts.
 */
import { readFileSync } from "node:fs";
import { mkdir, open, readFile, rename, unlink } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { CerebellumError, errorText } from "../core/errors.js";
import { DeviceName } from "../core/teleop/pose.js";
import { canonicalText, sha256Of } from "./canonicalJson.js";
import { TrackerFrame, type TrackerFrames } from "./trackerFrame.js";

export const INDEX_FILE = "index.jsonl";
const KIND = "tracker-frame";
/** So many digits of the hash in a file's name; the index has all 64. */
const NAME_DIGITS = 12;
/** A store has one line for each calibration that a person made. */
const INDEX_BYTES_MAX = 1_048_576;

export const IndexLine = z.strictObject({
  v: z.literal(1),
  kind: z.literal(KIND),
  device: DeviceName,
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  sinceEpochMs: z.number(),
  /** Name of the client that kept it. */
  by: z.string(),
});
export type IndexLine = z.infer<typeof IndexLine>;

/** A calibration in force. */
export interface StoredFrame {
  readonly frame: TrackerFrame;
  readonly sha256: string;
  readonly sinceEpochMs: number;
  readonly by: string;
}

export interface TrackerStore extends TrackerFrames {
  readonly folder: string;
  frameOf(device: string): StoredFrame | undefined;
  /** By device's name. */
  inForce(): readonly StoredFrame[];
  /** Every line of the index that can be read, oldest first. */
  history(): readonly IndexLine[];
  /** What is damaged, with the remedy; `device` is empty where it cannot be told. */
  problems(): readonly StoreProblem[];
  /**
   * Writes a frame and puts it into force; resolves when both are on the disk.
   * @returns the frame, and the one that it supersedes
   * @throws CerebellumError CALIBRATION_INVALID when the index is damaged or the disk refuses
   */
  keep(
    frame: TrackerFrame,
    by: string,
    nowEpochMs: number,
  ): Promise<{ readonly stored: StoredFrame; readonly superseded: StoredFrame | undefined }>;
}

export interface StoreProblem {
  readonly device: string;
  readonly error: CerebellumError;
}

/** Never throws: what cannot be read is among the problems. A folder that is not there is an empty store. */
export function openTrackerStore(folder: string): TrackerStore {
  return new FileStore(folder);
}

/** Hashes of the frames in force, as an episode records them: device → hash, space, date and residual. */
export const calibrationRecord = (store: TrackerStore): Record<string, unknown> =>
  Object.fromEntries(
    store.inForce().map(({ frame, sha256 }) => [
      frame.device,
      {
        kind: KIND,
        sha256,
        space: frame.space,
        robot: frame.robot,
        quatBaseTracker: [...frame.quatBaseTracker],
        residualDeg: frame.residualDeg,
        createdEpochMs: frame.createdEpochMs,
      },
    ]),
  );

export const frameFileName = (device: string, sha256: string): string =>
  `${KIND}-${device}-${sha256.slice(0, NAME_DIGITS)}.json`;

class FileStore implements TrackerStore {
  readonly folder: string;
  #lines: IndexLine[] = [];
  #frames = new Map<string, StoredFrame>();
  #problems: StoreProblem[] = [];
  #turn: Promise<unknown> = Promise.resolve();

  constructor(folder: string) {
    this.folder = folder;
    this.#read();
  }

  frameOf(device: string): StoredFrame | undefined {
    return this.#frames.get(device);
  }

  inForce(): readonly StoredFrame[] {
    return [...this.#frames.values()].sort((a, b) => (a.frame.device < b.frame.device ? -1 : 1));
  }

  history(): readonly IndexLine[] {
    return this.#lines;
  }

  problems(): readonly StoreProblem[] {
    return this.#problems;
  }

  keep(frame: TrackerFrame, by: string, nowEpochMs: number): ReturnType<TrackerStore["keep"]> {
    const kept = this.#turn.then(() => this.#keep(TrackerFrame.parse(frame), by, nowEpochMs));
    this.#turn = kept.catch(() => {});
    return kept;
  }

  async #keep(
    frame: TrackerFrame,
    by: string,
    sinceEpochMs: number,
  ): Promise<{ readonly stored: StoredFrame; readonly superseded: StoredFrame | undefined }> {
    const text = canonicalText(frame);
    const sha256 = sha256Of(text);
    const { device } = frame;
    const line: IndexLine = { v: 1, kind: KIND, device, sha256, sinceEpochMs, by };
    try {
      await mkdir(this.folder, { recursive: true, mode: 0o700 });
      await writeOnce(this.folder, frameFileName(device, sha256), text, sha256);
      const index = join(this.folder, INDEX_FILE);
      const before = await readFile(index, "utf8").catch(whenMissing(""));
      const whole = before === "" || before.endsWith("\n") ? before : `${before}\n`;
      await replaceFile(this.folder, INDEX_FILE, `${whole}${JSON.stringify(line)}\n`);
    } catch (thrown) {
      if (thrown instanceof CerebellumError) throw thrown;
      throw invalid(
        `The calibration of ${device} was not kept in ${this.folder}: ${errorText(thrown)}`,
        "Make room on the disk and the folder writable, then keep it again; the former one stays in force",
        thrown,
      );
    }
    const superseded = this.#frames.get(device);
    const stored: StoredFrame = { frame, sha256, sinceEpochMs, by };
    this.#lines.push(line);
    this.#frames.set(device, stored);
    this.#problems = this.#problems.filter((problem) => problem.device !== device);
    return { stored, superseded };
  }

  #read(): void {
    let text: string;
    try {
      text = readFileSync(join(this.folder, INDEX_FILE), "utf8");
    } catch (thrown) {
      if (codeOf(thrown) !== "ENOENT") this.#report("", unreadable(join(this.folder, INDEX_FILE), thrown));
      return;
    }
    if (text.length > INDEX_BYTES_MAX) {
      const expected = `at most ${INDEX_BYTES_MAX} are expected`;
      this.#report(
        "",
        invalid(`${this.folder}/${INDEX_FILE} has ${text.length} characters, ${expected}`, AGAIN),
      );
      return;
    }
    const newest = this.#readIndex(text);
    for (const line of newest.values()) this.#readFrame(line);
  }

  /** Which line of which device counts: none from before a damaged line, which may have superseded any of them. */
  #readIndex(text: string): Map<string, IndexLine> {
    const newest = new Map<string, IndexLine>();
    for (const [index, raw] of text.split("\n").entries()) {
      if (raw === "") continue;
      const parsed = parseAs(IndexLine, raw);
      if (typeof parsed !== "string") {
        this.#lines.push(parsed);
        newest.set(parsed.device, parsed);
        continue;
      }
      const devices = [...newest.keys()];
      const lost = devices.length === 0 ? "" : `; ${devices.join(", ")} may have been superseded by it`;
      newest.clear();
      const where = `${join(this.folder, INDEX_FILE)}, line ${index + 1}`;
      for (const device of devices.length === 0 ? [""] : devices)
        this.#report(device, invalid(`${where} is damaged (${parsed})${lost}`, AGAIN));
    }
    return newest;
  }

  #readFrame(line: IndexLine): void {
    const { device, sha256, sinceEpochMs, by } = line;
    const file = join(this.folder, frameFileName(device, sha256));
    const counts = `${device} counts as uncalibrated`;
    let text: string;
    try {
      text = readFileSync(file, "utf8");
    } catch (thrown) {
      this.#report(device, unreadable(file, thrown, counts));
      return;
    }
    const found = sha256Of(text);
    if (found !== sha256) {
      this.#report(
        device,
        invalid(`${file} has SHA-256 ${found}, the index says ${sha256}: ${counts}`, RESTORE_OR_AGAIN),
      );
      return;
    }
    const parsed = parseAs(TrackerFrame, text);
    if (typeof parsed === "string" || parsed.device !== device) {
      const why = typeof parsed === "string" ? parsed : `it is of ${parsed.device}`;
      this.#report(device, invalid(`${file} does not fit its schema (${why}): ${counts}`, RESTORE_OR_AGAIN));
      return;
    }
    this.#problems = this.#problems.filter((problem) => problem.device !== device);
    this.#frames.set(device, { frame: parsed, sha256, sinceEpochMs, by });
  }

  #report(device: string, error: CerebellumError): void {
    this.#problems.push({ device, error });
  }
}

const AGAIN = "Calibrate again with `./cerebellum calibrate tracker`; the old files stay where they are";
const RESTORE_OR_AGAIN =
  "Put the file back from a copy, or calibrate again with `./cerebellum calibrate tracker`";

const invalid = (happened: string, remedy: string, cause?: unknown) =>
  new CerebellumError("CALIBRATION_INVALID", happened, remedy, cause);
const unreadable = (file: string, thrown: unknown, counts = "") =>
  invalid(
    `${file} cannot be read (${errorText(thrown)})${counts === "" ? "" : `: ${counts}`}`,
    RESTORE_OR_AGAIN,
    thrown,
  );

const codeOf = (thrown: unknown) => (thrown as NodeJS.ErrnoException | undefined)?.code;
const whenMissing =
  <T>(value: T) =>
  (thrown: unknown): T => {
    if (codeOf(thrown) === "ENOENT") return value;
    throw thrown;
  };

/** What is wrong with it, as a text, when it does not fit. */
function parseAs<T extends z.ZodType>(schema: T, text: string): z.infer<T> | string {
  try {
    const parsed = schema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : z.prettifyError(parsed.error);
  } catch {
    return "it is not JSON";
  }
}

/** A file of that name with those contents may be there already: the same calibration, kept twice. */
async function writeOnce(folder: string, name: string, text: string, sha256: string): Promise<void> {
  const present = await readFile(join(folder, name), "utf8").catch(whenMissing(undefined));
  if (present === undefined) await replaceFile(folder, name, text);
  else if (sha256Of(present) !== sha256) {
    throw invalid(
      `${join(folder, name)} is there and says something else than its name`,
      "Move it away, then keep the calibration again; the former one stays in force",
    );
  }
}

/** Whole or not at all, also when the power fails: the new contents are on the disk before the name changes hands. */
async function replaceFile(folder: string, name: string, text: string): Promise<void> {
  const temporary = join(folder, `.${name}.new`);
  const handle = await open(temporary, "w", 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } catch (thrown) {
    await unlink(temporary).catch(() => {});
    throw thrown;
  } finally {
    await handle.close();
  }
  await rename(temporary, join(folder, name));
  const at = await open(folder, "r");
  try {
    await at.sync();
  } finally {
    await at.close();
  }
}
