/** The emulated Digit's network: one UDP port for commands, one source port a robot's life for observations, the JSON port. */
import { createSocket, type Socket } from "node:dgram";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { CerebellumError, errorText } from "../../core/errors.js";
import { type DigitEmulator, type SourceId, STRANGER } from "./emulator.js";
import type { JsonApi, JsonPeer } from "./jsonApi.js";

export interface DigitPorts {
  /** On which the robot takes commands. */
  readonly command: number;
  /** Of the client, to which observations go. */
  readonly observation: number;
  /** Of the JSON interface. */
  readonly json: number;
}

const SUBPROTOCOL = "json-v1-agility";
const MESSAGE_BYTES_MAX = 1024 * 1024;

export class DigitSockets {
  readonly #host: string;
  readonly #wanted: DigitPorts;
  readonly #sources = new Map<SourceId, Socket>();
  #command: Socket | undefined;
  #json: WebSocketServer | undefined;

  /** Stores only; see `open`. @param wanted 0 takes any free port, but for `observation`, which is the client's */
  constructor(host: string, wanted: DigitPorts) {
    this.#host = host;
    this.#wanted = wanted;
  }

  /** @throws CerebellumError PORT_IN_USE, and leaves nothing open */
  async open(emulator: DigitEmulator): Promise<DigitPorts> {
    try {
      const command = await this.#openCommand(emulator);
      const json = await this.#openJson(emulator.json);
      return { command, observation: this.#wanted.observation, json };
    } catch (thrown) {
      await this.close();
      throw thrown;
    }
  }

  readonly send = (datagram: Uint8Array, toAddress: string, from: SourceId): void => {
    let socket = this.#sources.get(from);
    if (socket === undefined) {
      socket = createSocket("udp4");
      // Whoever does not listen is no failure of the robot's.
      socket.on("error", () => {});
      this.#sources.set(from, socket);
    }
    socket.send(datagram, this.#wanted.observation, toAddress);
  };

  /** Observations come from a new port; the old one is given back. */
  readonly renew = (id: SourceId): void => {
    for (const [source, socket] of this.#sources) {
      if (source === STRANGER || source === id) continue;
      this.#sources.delete(source);
      socket.close();
    }
  };

  async close(): Promise<void> {
    for (const socket of this.#sources.values()) socket.close();
    this.#sources.clear();
    const [command, json] = [this.#command, this.#json];
    this.#command = undefined;
    this.#json = undefined;
    if (command !== undefined) await new Promise<void>((resolve) => command.close(resolve));
    if (json !== undefined) {
      for (const client of json.clients) client.terminate();
      await new Promise<void>((resolve) => json.close(() => resolve()));
    }
  }

  async #openCommand(emulator: DigitEmulator): Promise<number> {
    const socket = createSocket({ type: "udp4", reuseAddr: false });
    await new Promise<void>((resolve, reject) => {
      socket.once("error", (cause) => reject(portInUse(this.#host, "UDP", this.#wanted.command, cause)));
      socket.bind(this.#wanted.command, this.#host, resolve);
    });
    this.#command = socket;
    socket.removeAllListeners("error");
    socket.on("error", () => {});
    socket.on("message", (datagram, { address, port }) => emulator.receive(datagram, address, port));
    return socket.address().port;
  }

  async #openJson(api: JsonApi): Promise<number> {
    const server = new WebSocketServer({
      host: this.#host,
      port: this.#wanted.json,
      perMessageDeflate: false,
      maxPayload: MESSAGE_BYTES_MAX,
      verifyClient: ({ req }: { req: { headers: Record<string, string | string[] | undefined> } }) =>
        api.accepts && String(req.headers["sec-websocket-protocol"] ?? "").includes(SUBPROTOCOL),
      handleProtocols: (protocols) => protocols.has(SUBPROTOCOL) && SUBPROTOCOL,
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", (cause) => reject(portInUse(this.#host, "TCP", this.#wanted.json, cause)));
      server.once("listening", resolve);
    });
    this.#json = server;
    server.removeAllListeners("error");
    server.on("error", () => {});
    server.on("connection", (socket) => serve(api, socket));
    return (server.address() as AddressInfo).port;
  }
}

function serve(api: JsonApi, socket: WebSocket): void {
  socket.on("error", () => socket.terminate());
  const peer: JsonPeer = {
    send: (text) => socket.send(text),
    ping: () => socket.ping(),
    close: () => socket.terminate(),
  };
  const session = api.connect(peer);
  socket.on("message", (data, isBinary) => session.receive(isBinary ? "" : data.toString()));
  socket.on("pong", () => session.heard());
  socket.on("ping", () => session.heard());
  socket.on("close", () => session.end());
}

const portInUse = (host: string, kind: string, port: number, cause: unknown) =>
  new CerebellumError(
    "PORT_IN_USE",
    `The emulated Digit cannot open ${kind} port ${port} at ${host}: ${errorText(cause)}`,
    "End the lab that uses it, or name another port in the cell file",
    cause,
  );
