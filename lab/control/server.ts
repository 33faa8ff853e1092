/**
 * Serves the lab's control socket: one JSON request a line, one answer a line, in order. What does not parse is
 * answered and changes nothing; a line without end closes its connection.
 */
import { rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { z } from "zod";
import { CerebellumError, errorText } from "../../core/errors.js";
import { type LabAnswer, LabRequest } from "./protocol.js";

export type LabHandler = (request: LabRequest) => Promise<Omit<Extract<LabAnswer, { ok: true }>, "ok">>;

const LINE_BYTES_MAX = 64 * 1024;

export class LabControlServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #handler: LabHandler;

  constructor(handler: LabHandler) {
    this.#handler = handler;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  /** @throws CerebellumError PORT_IN_USE when the socket cannot be opened */
  listen(path: string): Promise<void> {
    rmSync(path, { force: true });
    return new Promise((resolve, reject) => {
      this.#server.once("error", (cause) =>
        reject(
          new CerebellumError(
            "PORT_IN_USE",
            `Cannot open the lab's control socket ${path}: ${errorText(cause)}`,
            "End the lab that uses it, or choose a shorter path that may be written",
            cause,
          ),
        ),
      );
      this.#server.listen(path, resolve);
    });
  }

  close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((resolve) => {
      if (this.#server.listening) this.#server.close(() => resolve());
      else resolve();
    });
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    socket.setEncoding("utf8");
    let rest = "";
    let turn: Promise<void> = Promise.resolve();
    socket.on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) {
        turn = turn.then(async () => {
          const answer = await this.#answer(line);
          if (!socket.destroyed) socket.write(`${JSON.stringify(answer)}\n`);
        });
      }
      if (rest.length > LINE_BYTES_MAX) socket.destroy();
    });
  }

  async #answer(line: string): Promise<LabAnswer> {
    try {
      return { ok: true, ...(await this.#handler(parseRequest(line))) };
    } catch (thrown) {
      if (thrown instanceof CerebellumError) {
        return { ok: false, error: thrown.happened, remedy: thrown.remedy };
      }
      return { ok: false, error: errorText(thrown), remedy: "This is a defect of the lab; report it" };
    }
  }
}

function parseRequest(line: string): LabRequest {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new CerebellumError(
      "LAB_REFUSED",
      `Request is not JSON: ${errorText(cause, 100)}`,
      "Send one JSON object a line",
      cause,
    );
  }
  const parsed = LabRequest.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new CerebellumError(
    "LAB_REFUSED",
    `Request is not understood: ${errorText(z.prettifyError(parsed.error), 300)}`,
    "lab/control/protocol.ts lists the requests",
  );
}
