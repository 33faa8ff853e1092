/** Asks a running daemon one thing. */
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { type Clock, sleepMs } from "../../core/clock.js";
import { CerebellumError, type ErrorCode } from "../../core/errors.js";
import { ControlAnswer, type ControlRequest } from "./protocol.js";

/** @throws CerebellumError NOT_RUNNING when no daemon listens, TIMED_OUT, or the daemon's own error */
export async function askDaemon(
  socketPath: string,
  request: ControlRequest,
  clock: Clock,
  withinMs = 10_000,
): Promise<Extract<ControlAnswer, { ok: true }>> {
  const socket = connect(socketPath);
  const timeout = new AbortController();
  try {
    const line = await Promise.race([
      new Promise<string>((resolve, reject) => {
        socket.once("error", (cause) =>
          reject(
            new CerebellumError(
              "NOT_RUNNING",
              `No daemon of this cell listens on ${socketPath}`,
              "Start it with ./cerebellum up, or name the cell file of the running one",
              cause,
            ),
          ),
        );
        const lines = createInterface({ input: socket });
        // readline passes on the socket's error, which is already handled above.
        lines.on("error", () => {});
        lines.once("line", resolve);
        socket.once("close", () =>
          reject(
            new CerebellumError(
              "LINK_CLOSED",
              "The daemon closed its control socket",
              "Ask again; read its log if it repeats",
            ),
          ),
        );
        socket.write(`${JSON.stringify(request)}\n`);
      }),
      sleepMs(clock, withinMs, timeout.signal).then(() => {
        throw new CerebellumError(
          "TIMED_OUT",
          `The daemon did not answer within ${withinMs} ms`,
          "Read its log; it may be busy or hung",
        );
      }),
    ]);
    const answer = ControlAnswer.parse(JSON.parse(line));
    if (!answer.ok) throw new CerebellumError(answer.code as ErrorCode, answer.happened, answer.remedy);
    return answer;
  } finally {
    timeout.abort();
    socket.destroy();
  }
}
