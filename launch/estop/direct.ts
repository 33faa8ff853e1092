/**
 * Stops cells from another process: every servo process directly, and the daemon beside it, all at once, so that a
 * daemon that hangs or is dead keeps nobody from stopping. Requests leave before anything is loaded that only answers
 * need: this file and what it imports at its head must stay small.
 */
import { accessSync, constants } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { basename, dirname } from "node:path";
import type { Clock } from "../../core/clock.js";
import { sleepMs } from "../../core/clock.js";
import { errorText } from "../../core/errors.js";
import type { StopCategory } from "../../drivers/contract.js";
import { STOP_REQUEST_ID, stopFrames } from "../../runtime/servo/link/stopFrames.js";
import { type RunFolder, servoSocketsIn } from "../runFolder.js";

/** Braking ends within this; a servo that has not answered by then is not known to have stopped. */
const SERVO_MS_MAX = 5000;
/** The daemon stops the same servos; it is not waited for much longer than they took. */
const DAEMON_MS_MAX = 3000;

export type StopAnswer =
  /** The motion has ended and stays ended until a reset. */
  | { readonly kind: "stopped"; readonly message: string }
  /** Nothing listens: a socket file that a dead process left. */
  | { readonly kind: "absent" }
  | { readonly kind: "failed"; readonly message: string };

export interface StoppedPart {
  readonly cell: string;
  readonly controlSocket: string;
  /** "servo arm" or "daemon"; "cell" when even its folder cannot be read. */
  readonly part: string;
  readonly answer: StopAnswer;
}

export interface StopOptions {
  readonly category: StopCategory;
  readonly reason: string;
  readonly clock: Clock;
}

/** Sends every request in this call; resolves when all answers are there or overdue. Never rejects. */
export function stopDirectly(runs: readonly RunFolder[], options: StopOptions): Promise<StoppedPart[]> {
  const frames = stopFrames("stop command", options.category, options.reason);
  const line = `${JSON.stringify({ do: "stop", category: options.category, reason: options.reason })}\n`;
  const asked = runs.flatMap((run) => {
    const { controlSocket } = run;
    const named = { cell: basename(run.folder), controlSocket };
    const locked = whyLocked(run.folder);
    if (locked !== undefined) return [Promise.resolve({ ...named, part: "cell", answer: locked })];
    const servos = servoSocketsIn(run.folder).map(async (path) => ({
      ...named,
      part: `servo ${basename(path, ".sock").slice("servo-".length)}`,
      answer: await ask(path, frames, SERVO_MS_MAX, options.clock, servoAnswer),
    }));
    const daemon = ask(controlSocket, line, DAEMON_MS_MAX, options.clock, daemonAnswer);
    return [...servos, daemon.then((answer) => ({ ...named, part: "daemon", answer }))];
  });
  return Promise.all(asked);
}

/** False when a robot is not known to stand still; a daemon that hangs is no such thing while its servos answer. */
export function allStopped(parts: readonly StoppedPart[]): boolean {
  const servoStopped = (cell: string) =>
    parts.some((part) => part.cell === cell && part.part !== "daemon" && part.answer.kind === "stopped");
  return parts.every(
    ({ cell, part, answer }) =>
      answer.kind !== "failed" ||
      (part === "daemon" && servoStopped(cell) && answer.message.startsWith(NO_ANSWER)),
  );
}

const NO_ANSWER = "did not answer";

type ReadAnswer = (socket: Socket) => Promise<StopAnswer>;

async function ask(
  path: string,
  request: Buffer | string,
  msMax: number,
  clock: Clock,
  read: ReadAnswer,
): Promise<StopAnswer> {
  const socket = createConnection(path);
  socket.write(request);
  const settled = new AbortController();
  const broken = new Promise<StopAnswer>((resolve) => {
    socket.once("error", (error: NodeJS.ErrnoException) =>
      resolve(
        error.code === "ECONNREFUSED" || error.code === "ENOENT"
          ? { kind: "absent" }
          : { kind: "failed", message: errorText(error) },
      ),
    );
    socket.once("close", () =>
      resolve({ kind: "failed", message: `${NO_ANSWER}: it closed the connection` }),
    );
  });
  const late = sleepMs(clock, msMax, settled.signal).then(
    (): StopAnswer => ({ kind: "failed", message: `${NO_ANSWER} within ${msMax} ms` }),
  );
  try {
    return await Promise.race([read(socket), broken, late]);
  } finally {
    settled.abort();
    socket.destroy();
  }
}

const servoAnswer: ReadAnswer = async (socket) => {
  const chunks: Buffer[] = [];
  let take = (chunk: Buffer): void => void chunks.push(chunk);
  socket.on("data", (chunk: Buffer) => take(chunk));
  const { decodeFromServo, FrameReader } = await import("../../runtime/servo/link/codec.js");
  return new Promise((resolve) => {
    const reader = new FrameReader(decodeFromServo);
    take = (chunk) => {
      reader.push(chunk, (message) => {
        if (message.type !== "result" || message.requestId !== STOP_REQUEST_ID) return;
        const { ok, happened, remedy } = message;
        resolve(ok ? { kind: "stopped", message: "stopped" } : failed(happened, remedy));
      });
      if (reader.failure !== undefined) resolve({ kind: "failed", message: reader.failure });
    };
    for (const chunk of chunks.splice(0)) take(chunk);
  });
};

const daemonAnswer: ReadAnswer = async (socket) => {
  let text = "";
  const line = await new Promise<string>((resolve) =>
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("utf8");
      if (text.includes("\n")) resolve(text.slice(0, text.indexOf("\n")));
    }),
  );
  const { ControlAnswer } = await import("../control/protocol.js");
  const answer = ControlAnswer.safeParse(JSON.parse(line));
  if (!answer.success) return { kind: "failed", message: "the daemon is of another version" };
  return answer.data.ok
    ? { kind: "stopped", message: answer.data.message }
    : failed(answer.data.happened, answer.data.remedy);
};

const failed = (happened: string, remedy: string): StopAnswer => ({
  kind: "failed",
  message: `${happened}. ${remedy}.`,
});

function whyLocked(folder: string): StopAnswer | undefined {
  try {
    accessSync(folder, constants.R_OK | constants.X_OK);
    return undefined;
  } catch {
    return {
      kind: "failed",
      message: `${dirname(folder)} is another user's: stop it as that user or as root`,
    };
  }
}
