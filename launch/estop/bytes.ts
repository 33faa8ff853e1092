/**
 * Bytes of a device file, FIFO or program for a stop source. A small child reads them: a read that blocks would hold one
 * of Node's few I/O threads for good and could not be ended. The child dies with the thread that started it, so that no
 * left-over reader swallows a press that is meant for the next daemon.
 */
import { spawn } from "node:child_process";

/** Ctrl-C and a stopped service reach this child too; its end then must not look like a button. Only we end it. */
const IMMUNE = 'trap "" INT TERM HUP; ';
/** Opening a FIFO waits for its writer, so it says when it has. */
const READ_FILE = `${IMMUNE}exec 3<"$1" || exit 1; echo opened >&2; exec cat <&3`;
const RUN_COMMAND = `${IMMUNE}exec "$@"`;
const TROUBLE_CHARS_MAX = 200;

export interface ByteEvents {
  open(): void;
  data(chunk: Buffer): void;
}

/** Resolves with why the bytes ended. */
export function readBytes(
  what: { readonly path: string } | { readonly command: readonly string[] },
  on: ByteEvents,
  signal: AbortSignal,
): Promise<string> {
  const program = "path" in what ? [READ_FILE, "sh", what.path] : [RUN_COMMAND, "sh", ...what.command];
  const child = spawn("setpriv", ["--pdeathsig", "KILL", "sh", "-c", ...program], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let trouble = "";
  const end = () => child.kill("SIGKILL");
  signal.addEventListener("abort", end, { once: true });
  child.stdout.on("data", (chunk: Buffer) => on.data(chunk));
  child.stderr.on("data", (chunk: Buffer) => {
    const text = chunk.toString("utf8");
    if ("path" in what && text.startsWith("opened")) on.open();
    else trouble = (trouble + text).slice(-TROUBLE_CHARS_MAX);
  });
  if ("command" in what) child.once("spawn", () => on.open());
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(`it cannot be read: ${error.message}`));
    child.once("close", (code) => {
      signal.removeEventListener("abort", end);
      const said = trouble.trim().split("\n").at(-1);
      resolve(said ? said : `it ended${code === 0 ? "" : ` with exit code ${code}`}`);
    });
  });
}
