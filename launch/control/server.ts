/** The daemon's control socket: checks each line, answers in order, survives whatever is sent. */
import { rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { CerebellumError, errorText } from "../../core/errors.js";
import { type ControlAnswer, ControlRequest, REQUEST_BYTES_MAX } from "./protocol.js";

/** @param by who asks, for what people read later, e.g. "command line" or "console anna" */
export type ControlHandler = (
  request: ControlRequest,
  by: string,
) => Promise<Extract<ControlAnswer, { ok: true }>>;

export async function serveControl(socketPath: string, handle: ControlHandler): Promise<() => Promise<void>> {
  // A socket file left by a killed daemon is in the way; the cell's lock is held, so nobody listens on it.
  await rm(socketPath, { force: true });
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    answerLines(socket, handle);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(socketPath, resolve);
  });
  return async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    await rm(socketPath, { force: true });
  };
}

function answerLines(socket: Socket, handle: ControlHandler): void {
  let pending = "";
  let turn: Promise<void> = Promise.resolve();
  socket.setEncoding("utf8");
  socket.on("data", (text: string) => {
    pending += text;
    if (pending.length > REQUEST_BYTES_MAX && !pending.includes("\n")) {
      socket.end(`${JSON.stringify(refusal(`A request line is longer than ${REQUEST_BYTES_MAX} bytes`))}\n`);
      pending = "";
      return;
    }
    const lines = pending.split("\n");
    pending = lines.pop()!;
    for (const line of lines) {
      turn = turn.then(async () => {
        const answer = await answerOne(line, handle);
        if (!socket.destroyed) socket.write(`${JSON.stringify(answer)}\n`);
      });
    }
  });
}

async function answerOne(line: string, handle: ControlHandler): Promise<ControlAnswer> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return refusal("The request is not JSON");
  }
  const request = ControlRequest.safeParse(value);
  if (!request.success) return refusal(`The request is not known: ${request.error.issues[0]?.message}`);
  try {
    return await handle(request.data, "command line");
  } catch (thrown) {
    return thrown instanceof CerebellumError
      ? { ok: false, code: thrown.code, happened: thrown.happened, remedy: thrown.remedy }
      : { ok: false, code: "CHECK_FAILED", happened: errorText(thrown), remedy: "Read the daemon's log" };
  }
}

const refusal = (happened: string): ControlAnswer => ({
  ok: false,
  code: "CONFIG_INVALID",
  happened,
  remedy: "Use the ./cerebellum commands of the same version as the daemon",
});
