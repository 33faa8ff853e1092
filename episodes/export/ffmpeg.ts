/** The ffmpeg program: where it is, and videos written through it by a pipe. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { CerebellumError, errorText } from "../../core/errors.js";
import type { ImageSize } from "../pixels.js";

/** Names another program than the one that the PATH has. */
export const FFMPEG_VARIABLE = "CEREBELLUM_FFMPEG";
const ENCODER = "libx264";
const ERROR_TEXT_MAX = 2000;

export const VIDEO_CODEC = "h264";
export const VIDEO_PIXELS = "yuv420p";
/** Every second picture is a key frame, as LeRobot's own videos have it: training reads single pictures at random. */
export const VIDEO_KEY_EVERY = 2;
/** Visually without loss at the encoder's own scale, at about a tenth of the pixels' bytes. */
export const VIDEO_QUALITY_CRF = 20;

/**
 * @returns the program, or undefined when the PATH has none that can encode
 * @throws CerebellumError EXPORT_FAILED when CEREBELLUM_FFMPEG names one that cannot
 */
export async function findFfmpeg(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const named = env[FFMPEG_VARIABLE] || undefined;
  const program = named ?? "ffmpeg";
  const encoders = await outputOf(program, ["-hide_banner", "-encoders"]).catch(() => "");
  if (encoders.includes(ENCODER)) return program;
  if (named === undefined) return undefined;
  throw new CerebellumError(
    "EXPORT_FAILED",
    `${FFMPEG_VARIABLE} names "${named}", which ${encoders === "" ? "does not run" : `has no encoder ${ENCODER}`}`,
    `Name an ffmpeg with ${ENCODER}, unset the variable, or export with --images`,
  );
}

async function outputOf(program: string, words: readonly string[]): Promise<string> {
  const child = spawn(program, words, { stdio: ["ignore", "pipe", "ignore"] });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (part: string) => (text += part));
  await once(child, "close");
  return text;
}

/** One H.264 file, frame after frame; every frame lasts exactly one period. */
export class VideoFile {
  frameCount = 0;
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | undefined>;
  #failure: unknown;
  #errors = "";

  /** @param size both sides even: chroma has half of each */
  constructor(
    program: string,
    readonly file: string,
    private readonly size: ImageSize,
    rateHz: number,
  ) {
    const { widthPx, heightPx } = size;
    this.#child = spawn(
      program,
      [
        ...["-hide_banner", "-nostdin", "-loglevel", "error", "-y"],
        ...["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", `${widthPx}x${heightPx}`, "-framerate", `${rateHz}`],
        ...["-i", "pipe:0", "-an", "-c:v", ENCODER, "-preset", "veryfast", "-crf", `${VIDEO_QUALITY_CRF}`],
        // Without B pictures a file's times start at 0 and rise in the order of its bytes.
        ...["-pix_fmt", VIDEO_PIXELS, "-g", `${VIDEO_KEY_EVERY}`, "-bf", "0"],
        // The file's size on disk tells when to begin another one.
        ...["-flush_packets", "1", "-f", "mp4", file],
      ],
      // In a group of its own: Ctrl-C on a terminal is ours to handle. It ends with its input, however we end.
      { stdio: ["pipe", "ignore", "pipe"], detached: true },
    );
    this.#child.stdin!.on("error", (cause) => (this.#failure ??= cause));
    this.#child.stderr!.setEncoding("utf8").on("data", (part: string) => {
      this.#errors = (this.#errors + part).slice(-ERROR_TEXT_MAX);
    });
    this.#ended = new Promise((resolve) => {
      this.#child.on("error", (cause) => {
        this.#failure ??= cause;
        resolve(undefined);
      });
      this.#child.on("close", (code) => resolve(code ?? undefined));
    });
  }

  /** Resolves when the pipe has room for more. @throws CerebellumError EXPORT_FAILED */
  async write(pixels: Uint8Array): Promise<void> {
    const stdin = this.#child.stdin!;
    if (this.#failure !== undefined || !stdin.writable) throw await this.#fail();
    this.frameCount++;
    if (stdin.write(pixels)) return;
    await Promise.race([once(stdin, "drain").catch(() => undefined), this.#ended]);
    if (this.#failure !== undefined) throw await this.#fail();
  }

  /** @throws CerebellumError EXPORT_FAILED */
  async finish(): Promise<void> {
    this.#child.stdin!.end();
    if ((await this.#ended) !== 0) throw await this.#fail();
  }

  async abort(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  async #fail(): Promise<CerebellumError> {
    this.#child.stdin!.destroy();
    const code = await this.#ended;
    const { widthPx, heightPx } = this.size;
    const said = this.#errors.trim() || errorText(this.#failure ?? `it ended with ${code}`);
    return new CerebellumError(
      "EXPORT_FAILED",
      `ffmpeg could not write ${this.file} (${widthPx}x${heightPx}): ${said}`,
      "Check the free disk space, or export with --images",
      this.#failure,
    );
  }
}
