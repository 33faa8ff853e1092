/** The Foxglove server's own port: lets clients in, tells them the channels, and gives each message to who wants it. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { CerebellumError, errorText } from "../../../core/errors.js";
import type { Role } from "../../../core/gateway/requests.js";
import { httpLimits, SERVER_LIMITS } from "../httpLimits.js";
import { refuseUpgrade } from "../upgradeRefusal.js";
import { admit, chooseProtocol, mayLook } from "./door.js";
import { advertise, type Channel, CLIENT_BYTES_MAX, serverInfo } from "./protocol.js";
import { FoxgloveSession, type Outgoing } from "./session.js";

const CLIENTS_MAX = 8;
/** Those that are refused among them. */
const CONNECTIONS_MAX = 32;

export interface FoxgloveServerOptions {
  readonly host: string;
  readonly port: number;
  readonly name: string;
  /** Another one tells clients that the server was started again. */
  readonly sessionId: string;
  readonly channels: readonly Channel[];
  readonly authenticate: (token: string) => { readonly role: Role } | undefined;
  readonly nowMs: () => number;
  /** Channels that somebody has subscribed to have changed. */
  readonly onWanted: (channelIds: ReadonlySet<number>) => void;
  /** The newest latched messages of a channel, oldest first. */
  readonly latched: (channelId: number) => readonly Outgoing[];
  /** Others than the default, for tests. */
  readonly limits?: typeof SERVER_LIMITS;
}

export class FoxgloveServer {
  readonly #options: FoxgloveServerOptions;
  readonly #http: Server;
  readonly #webSockets = new WebSocketServer({
    noServer: true,
    maxPayload: CLIENT_BYTES_MAX,
    perMessageDeflate: false,
    handleProtocols: (offered) => chooseProtocol(offered) ?? false,
  });
  readonly #sessions = new Map<WebSocket, FoxgloveSession>();
  /** Latched messages that a slow client still has to get, by channel. */
  readonly #owed = new Map<FoxgloveSession, Set<number>>();
  readonly #channels: ReadonlyMap<number, Channel>;
  /** What those who came with a token have shown. */
  readonly #tokens = new WeakMap<WebSocket, string>();
  /** Have not answered the newest ping yet. */
  readonly #unheard = new WeakSet<WebSocket>();

  constructor(options: FoxgloveServerOptions) {
    this.#options = options;
    this.#channels = new Map(options.channels.map((channel) => [channel.id, channel]));
    const { limits = SERVER_LIMITS } = options;
    this.#http = createServer(httpLimits(limits), (_, response) => {
      response.writeHead(426, { "content-type": "text/plain" });
      response.end("This is a Foxglove WebSocket server; open it with Foxglove\n");
    });
    this.#http.timeout = limits.stalledMsMax;
    this.#http.maxConnections = CONNECTIONS_MAX;
    this.#http.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
  }

  /** Resolves with the port. @throws CerebellumError PORT_IN_USE */
  async listen(): Promise<number> {
    const { host, port } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#http.once("error", (cause) =>
        reject(
          new CerebellumError(
            "PORT_IN_USE",
            `The Foxglove server cannot listen on ${host}:${port}: ${errorText(cause)}`,
            "Another program may use the port: set `gateway.foxglove.port`, or end that program",
            cause,
          ),
        ),
      );
      this.#http.listen(port, host, resolve);
    });
    return (this.#http.address() as AddressInfo).port;
  }

  /** Each client for itself: one that is slow misses the message. @param isLatched it gets the newest later, then */
  publish(message: Outgoing, isLatched: boolean): void {
    for (const session of this.#sessions.values()) {
      if (!session.wants(message.channelId)) continue;
      if (session.offer(message)) continue;
      session.missed(1);
      if (isLatched) this.#owe(session, message.channelId);
    }
  }

  /** Nobody gets this one: it was lost before, or there was too much of everything. */
  miss(channelId: number, count: number): void {
    for (const session of this.#sessions.values()) if (session.wants(channelId)) session.missed(count);
  }

  /** Call now and then: what slow clients are owed, and what they have to be told. */
  settle(): void {
    for (const [session, channelIds] of this.#owed) {
      for (const channelId of channelIds) this.#giveLatched(session, channelId);
    }
    for (const session of this.#sessions.values()) session.tellMissed();
  }

  /** Call regularly: who has not answered since the last time is gone, and its place free. */
  ping(): void {
    for (const socket of this.#sessions.keys()) {
      if (this.#unheard.has(socket)) socket.terminate();
      else {
        this.#unheard.add(socket);
        socket.ping();
      }
    }
  }

  /** Tokens are revoked, and expire, while their devices are connected. */
  dropUnauthorised(): void {
    for (const socket of this.#sessions.keys()) {
      const token = this.#tokens.get(socket);
      if (token !== undefined && !mayLook(this.#options.authenticate(token)))
        socket.close(1008, "its token is revoked or has expired");
    }
  }

  async close(): Promise<void> {
    for (const socket of this.#sessions.keys()) socket.close(1001, "the daemon ends");
    const closed = new Promise<void>((resolve) => this.#http.close(() => resolve()));
    for (const socket of this.#sessions.keys()) socket.terminate();
    this.#webSockets.close();
    this.#http.closeAllConnections();
    await closed;
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => socket.destroy());
    const header = (name: "origin" | "host" | "sec-websocket-protocol") => {
      const value = request.headers[name];
      return Array.isArray(value) ? value.join(",") : value;
    };
    const admission = admit(
      {
        path: request.url ?? "/",
        remoteAddress: request.socket.remoteAddress ?? "",
        origin: header("origin"),
        host: header("host"),
        protocols: (header("sec-websocket-protocol") ?? "").split(",").map((name) => name.trim()),
      },
      this.#options.authenticate,
    );
    const isFull = this.#sessions.size >= CLIENTS_MAX;
    if (!admission.ok || isFull) {
      const { httpStatus, why } = admission.ok
        ? { httpStatus: 503, why: `${CLIENTS_MAX} clients are connected already` }
        : admission;
      refuseUpgrade(socket, httpStatus, why);
      return;
    }
    const { token } = admission;
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      if (token !== undefined) this.#tokens.set(webSocket, token);
      this.#welcome(webSocket);
    });
  }

  #welcome(webSocket: WebSocket): void {
    const { name, sessionId, channels, nowMs } = this.#options;
    const session = new FoxgloveSession({
      socket: {
        get bufferedBytes() {
          return webSocket.bufferedAmount;
        },
        send: (data) => webSocket.send(data, () => {}),
        close: (code, reason) => {
          webSocket.close(code, reason);
        },
      },
      channels: this.#channels,
      nowMs,
      onChanged: (channelId) => {
        this.#tellWanted();
        if (channelId !== undefined) this.#giveLatched(session, channelId);
      },
    });
    this.#sessions.set(webSocket, session);
    webSocket.on("message", (data: Buffer, isBinary: boolean) => {
      if (webSocket.readyState !== webSocket.OPEN) return;
      if (isBinary) session.takeBinary();
      else session.takeText(data.toString("utf8"));
    });
    webSocket.on("pong", () => this.#unheard.delete(webSocket));
    webSocket.on("error", () => webSocket.terminate());
    webSocket.on("close", () => {
      this.#sessions.delete(webSocket);
      this.#owed.delete(session);
      this.#tellWanted();
    });
    webSocket.send(serverInfo(name, sessionId));
    webSocket.send(advertise(channels));
  }

  #tellWanted(): void {
    this.#options.onWanted(new Set([...this.#sessions.values()].flatMap(({ channelIds }) => channelIds)));
  }

  #giveLatched(session: FoxgloveSession, channelId: number): void {
    const isTaken = this.#options.latched(channelId).every((message) => session.offer(message));
    if (isTaken) {
      this.#owed.get(session)?.delete(channelId);
      if (this.#owed.get(session)?.size === 0) this.#owed.delete(session);
    } else this.#owe(session, channelId);
  }

  #owe(session: FoxgloveSession, channelId: number): void {
    const owed = this.#owed.get(session) ?? new Set();
    this.#owed.set(session, owed.add(channelId));
  }
}
