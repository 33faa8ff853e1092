/** The other end of the lab's control socket: asks in order, one answer each. */
import { connect, type Socket } from "node:net";
import { CerebellumError, errorText } from "../../core/errors.js";
import { LabAnswer, type LabRequest } from "./protocol.js";

export type LabOk = Extract<LabAnswer, { ok: true }>;

interface Waiting {
  readonly resolve: (answer: LabOk) => void;
  readonly reject: (error: CerebellumError) => void;
}

export class LabClient {
  readonly #socket: Socket;
  readonly #waiting: Waiting[] = [];
  #rest = "";

  /** @throws CerebellumError LAB_REFUSED when nothing listens there */
  static connect(path: string): Promise<LabClient> {
    return new Promise((resolve, reject) => {
      const socket = connect(path);
      socket.once("error", (cause) =>
        reject(
          new CerebellumError(
            "LAB_REFUSED",
            `No lab answers at ${path}: ${errorText(cause)}`,
            "Start it with `./cerebellum up` or `./cerebellum lab`",
            cause,
          ),
        ),
      );
      socket.once("connect", () => resolve(new LabClient(socket)));
    });
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.removeAllListeners("error");
    socket.on("error", () => socket.destroy());
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => this.#read(text));
    socket.on("close", () => {
      for (const { reject } of this.#waiting.splice(0)) reject(gone());
    });
  }

  /** @throws CerebellumError LAB_REFUSED with the lab's own words, or when the lab ended */
  ask(request: LabRequest): Promise<LabOk> {
    if (this.#socket.destroyed) return Promise.reject(gone());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#socket.write(`${JSON.stringify(request)}\n`);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop()!;
    for (const line of lines) {
      const waiting = this.#waiting.shift();
      const parsed = LabAnswer.safeParse(parseJson(line));
      if (!parsed.success) {
        waiting?.reject(
          new CerebellumError(
            "LAB_REFUSED",
            `The lab answered nonsense: ${line.slice(0, 200)}`,
            "Use lab and client of one version",
          ),
        );
      } else if (parsed.data.ok) waiting?.resolve(parsed.data);
      else waiting?.reject(new CerebellumError("LAB_REFUSED", parsed.data.error, parsed.data.remedy));
    }
  }
}

const gone = () => new CerebellumError("LAB_REFUSED", "The lab ended", "Start it again");

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
