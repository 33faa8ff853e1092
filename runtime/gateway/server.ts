/**
 * One port for everything that speaks HTTP: the first byte of a connection says whether it is TLS. Plain HTTP is
 * answered to this computer itself only (also through `adb reverse`); everybody else is sent to HTTPS. Knows nothing of
 * robots: WebSockets and requests go to whoever has registered for their path.
 */
import {
  createServer as createHttpServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { createServer as createHttpsServer, type Server as HttpsServer } from "node:https";
import { createServer as createNetServer, type Server as NetServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { type Clock, sleepMs } from "../../core/clock.js";
import { CerebellumError, errorText } from "../../core/errors.js";
import { PairRequest } from "../../core/gateway/library.js";
import type { Role } from "../../core/gateway/requests.js";
import { isLoopback, isOwnHost, isSameOrigin, type Names } from "./addresses.js";
import type { Paired } from "./devices.js";
import { httpLimits, SERVER_LIMITS } from "./httpLimits.js";
import { limitedLog } from "./limitedLog.js";
import { readPage, securityHeaders } from "./pages.js";
import type { HttpHandler, HttpReply, PartContext, UpgradeHandler } from "./part.js";
import { RateLimit } from "./rateLimit.js";
import { refuseUpgrade } from "./upgradeRefusal.js";

export interface TlsIdentity {
  /** PEM. */
  readonly key: string;
  readonly certificate: string;
}

export interface ServerOptions {
  readonly host: string;
  /** 0 = any that is free. */
  readonly port: number;
  readonly tls: TlsIdentity | undefined;
  readonly names: () => Names;
  readonly pages: string;
  readonly clock: Clock;
  readonly log: PartContext["log"];
  readonly authenticate: (token: string) => { readonly device: string; readonly role: Role } | undefined;
  readonly pair: (code: string, name: string) => Paired;
  /** Others than the default, for tests. */
  readonly limits?: Partial<typeof SERVER_LIMITS>;
}

const TLS_HANDSHAKE = 0x16;
const CONNECTIONS_MAX = 256;
/** One computer alone does not keep everybody else out. */
const CONNECTIONS_PER_ADDRESS_MAX = 128;
const PAIR_BYTES_MAX = 1024;
/** Of one address: a page is some dozens, a list with contact sheets some hundreds. Poses come through this thread. */
const REQUESTS = { perS: 100, burst: 600 } as const;
/** Addresses whose requests are counted; more begin anew. */
const ADDRESSES_MAX = 1024;
/** Begins with one slash: two would lead to another host. */
const FOLDER_WITHOUT_SLASH = /^(\/[A-Za-z0-9_-]+)+$/;
const JSON_TYPE = "application/json";

export class GatewayServer {
  readonly #options: ServerOptions;
  readonly #http: HttpServer;
  #https: HttpsServer | undefined;
  readonly #door: NetServer;
  readonly #sockets = new Set<Socket>();
  readonly #handlers = new Map<string, HttpHandler>();
  readonly #upgrades = new Map<
    string,
    { readonly handler: UpgradeHandler; readonly server: WebSocketServer }
  >();
  readonly #limits: typeof SERVER_LIMITS;
  readonly #requests = new Map<string, RateLimit>();
  readonly #refusalLog: PartContext["log"];

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#refusalLog = limitedLog(options.log, options.clock);
    this.#limits = { ...SERVER_LIMITS, ...options.limits };
    const limits = httpLimits(this.#limits);
    this.#http = this.#prepare(createHttpServer(limits), false);
    if (options.tls !== undefined) {
      const { key, certificate } = options.tls;
      this.#https = this.#prepare(
        createHttpsServer({
          ...limits,
          key,
          cert: certificate,
          minVersion: "TLSv1.2",
          handshakeTimeout: this.#limits.handshakeMsMax,
        }),
        true,
      );
    }
    this.#door = createNetServer({ noDelay: true }, (socket) => this.#sniff(socket));
    this.#door.maxConnections = CONNECTIONS_MAX;
  }

  /** @returns the port. @throws CerebellumError PORT_IN_USE, CONFIG_INVALID for an address that is not ours */
  async listen(): Promise<number> {
    const { host, port } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#door.once("error", (cause: NodeJS.ErrnoException) => reject(listenError(host, port, cause)));
      this.#door.listen({ host, port }, resolve);
    });
    this.#door.on("error", (error) => this.#options.log("warn", "gatewayListener", errorText(error)));
    const address = this.#door.address();
    return typeof address === "object" && address !== null ? address.port : port;
  }

  /** For connections from now on. */
  renew({ key, certificate }: TlsIdentity): void {
    this.#https?.setSecureContext({ key, cert: certificate, minVersion: "TLSv1.2" });
  }

  /** @see PartServices.serveHttp */
  serveHttp(prefix: string, handler: HttpHandler): void {
    this.#handlers.set(prefix, handler);
  }

  /** @see PartServices.serveUpgrade */
  serveUpgrade(path: string, handler: UpgradeHandler): void {
    const { protocols, bytesMax } = handler;
    const server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: bytesMax,
      perMessageDeflate: false,
      handleProtocols: (offered) => protocols.find((protocol) => offered.has(protocol)) ?? false,
    });
    this.#upgrades.set(path, { handler, server });
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#door.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    this.#http.close();
    this.#https?.close();
    await closed;
  }

  #prepare<S extends HttpServer | HttpsServer>(server: S, isTls: boolean): S {
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      void this.#answer(request, response, isTls).catch((thrown: unknown) => {
        this.#options.log("error", "defect", `${request.url?.slice(0, 200)}: ${errorText(thrown)}`);
        if (response.headersSent) response.destroy();
        else send(response, 500, { "content-type": "text/plain" }, "A defect; the daemon's log has it\n");
      });
    });
    server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) =>
      this.#upgrade(request, socket, head, isTls),
    );
    // A WebSocket has its own ways to find out, and takes this one off.
    server.timeout = this.#limits.stalledMsMax;
    server.on("clientError", (_error: Error, socket: Duplex) => socket.destroy());
    server.on("tlsClientError", (_error: Error, socket: Duplex) => socket.destroy());
    // It never listens itself, and Node looks after its limits of time only once it does.
    server.emit("listening");
    return server;
  }

  #sniff(socket: Socket): void {
    const { remoteAddress } = socket;
    const fromThere = [...this.#sockets].filter((other) => other.remoteAddress === remoteAddress).length;
    if (fromThere >= CONNECTIONS_PER_ADDRESS_MAX) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    const spoken = new AbortController();
    socket.on("close", () => {
      this.#sockets.delete(socket);
      spoken.abort();
    });
    socket.on("error", () => socket.destroy());
    void sleepMs(this.#options.clock, this.#limits.firstByteMsMax, spoken.signal).then(() => {
      if (!spoken.signal.aborted) socket.destroy();
    });
    socket.once("data", (first: Buffer) => {
      spoken.abort();
      socket.pause();
      socket.unshift(first);
      const server = first[0] === TLS_HANDSHAKE ? this.#https : this.#http;
      if (server === undefined) {
        socket.destroy();
        return;
      }
      server.emit("connection", socket);
      process.nextTick(() => socket.resume());
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse, isTls: boolean): Promise<void> {
    const refused = this.#whyNot(request, isTls);
    if (refused !== undefined) return refuse(response, refused);
    const host = request.headers.host!;
    const url = parseUrl(request.url);
    if (url === undefined) return text(response, 400, "The address cannot be read");
    const { path, query } = url;
    for (const [name, value] of Object.entries(securityHeaders(host))) response.setHeader(name, value);
    if (path === "/api/pair") return this.#pair(request, response, isTls);
    const method = request.method;
    if (method !== "GET" && method !== "HEAD") return text(response, 405, "Only GET is answered here");
    request.resume();
    if (path === "/health") return json(response, 200, { ok: true });
    const prefix = [...this.#handlers.keys()].find((one) => path.startsWith(one));
    if (prefix !== undefined) return this.#serve(this.#handlers.get(prefix)!, request, response, path, query);
    if (FOLDER_WITHOUT_SLASH.test(path)) return send(response, 308, { location: `${path}/` }, "");
    const page = await readPage(this.#options.pages, path, request.headers["if-none-match"]);
    send(response, page.status, page.headers, method === "HEAD" ? "" : page.body);
  }

  async #serve(
    handler: HttpHandler,
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    query: URLSearchParams,
  ): Promise<void> {
    const token = /^Bearer ([A-Za-z0-9_-]{1,200})$/.exec(request.headers.authorization ?? "")?.[1];
    const known = token === undefined ? undefined : this.#options.authenticate(token);
    if (known === undefined)
      return text(response, 401, "Show the token that pairing gave, as Authorization: Bearer");
    const method = request.method as "GET" | "HEAD";
    let reply: HttpReply;
    try {
      reply = await handler({ method, path, query, ...known });
    } catch (thrown) {
      this.#options.log("error", "defect", `${path.slice(0, 200)}: ${errorText(thrown)}`);
      return text(response, 500, "A defect; the daemon's log has it");
    }
    const headers = { "content-type": reply.type, "cache-control": "no-store" };
    send(response, reply.status, headers, method === "HEAD" ? "" : reply.body);
  }

  async #pair(request: IncomingMessage, response: ServerResponse, isTls: boolean): Promise<void> {
    const { origin, host } = request.headers;
    if (request.method !== "POST") return text(response, 405, "Pairing is a POST");
    if (!isSameOrigin(origin, host!, isTls)) return text(response, 403, "Another page may not pair");
    if (!(request.headers["content-type"] ?? "").startsWith(JSON_TYPE))
      return text(response, 415, "Pairing takes application/json");
    const body = await readBody(request, PAIR_BYTES_MAX);
    if (body === undefined) return text(response, 413, `At most ${PAIR_BYTES_MAX} bytes`);
    const parsed = PairRequest.safeParse(parseJson(body));
    if (!parsed.success) return text(response, 400, "Pairing takes a code and a name");
    const paired = this.#options.pair(parsed.data.code, parsed.data.name);
    json(response, paired.ok ? 200 : 403, paired);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, isTls: boolean): void {
    socket.on("error", () => socket.destroy());
    const { origin, host } = request.headers;
    const path = parseUrl(request.url)?.path;
    const found = path === undefined ? undefined : this.#upgrades.get(path);
    const refused =
      this.#whyNot(request, isTls) ??
      (found === undefined ? { status: 404, why: "No WebSocket is served here" } : undefined) ??
      (isSameOrigin(origin, host!, isTls)
        ? undefined
        : { status: 403, why: `A page of ${origin} may not connect` });
    if (refused !== undefined || found === undefined) {
      const { status, why } = refused!;
      this.#refusalLog("warn", "upgradeRefused", `${addressOf(request)}: ${why.slice(0, 200)}`);
      refuseUpgrade(socket, status, why);
      return;
    }
    const { handler, server } = found;
    server.handleUpgrade(request, socket, head, (webSocket) => handler.accept(webSocket, addressOf(request)));
  }

  /**
   * Against too many, against plain HTTP over a network, and against names that somebody else has made to mean this
   * computer.
   */
  #whyNot(request: IncomingMessage, isTls: boolean): Refused | undefined {
    const { host } = request.headers;
    if (!this.#isInTime(addressOf(request))) return { status: 429, why: "Too many requests; wait a second" };
    if (!isOwnHost(host, this.#options.names()))
      return {
        status: 421,
        why: `This is not ${String(host).slice(0, 100)}; add the name to gateway.hostnames if it shall be`,
      };
    if (!isTls && !isLoopback(request.socket.remoteAddress))
      return (request.method === "GET" || request.method === "HEAD") &&
        this.#https !== undefined &&
        !isUpgrade(request)
        ? {
            status: 308,
            why: "Over a network only HTTPS is answered",
            location: `https://${host}${request.url}`,
          }
        : { status: 403, why: "Over a network only HTTPS is answered" };
    return undefined;
  }

  #isInTime(address: string): boolean {
    let limit = this.#requests.get(address);
    if (limit === undefined) {
      if (this.#requests.size >= ADDRESSES_MAX) this.#requests.clear();
      limit = new RateLimit(REQUESTS.perS, REQUESTS.burst);
      this.#requests.set(address, limit);
    }
    return limit.take(this.#options.clock.nowMs());
  }
}

interface Refused {
  readonly status: number;
  readonly why: string;
  readonly location?: string;
}

const isUpgrade = ({ headers }: IncomingMessage): boolean => headers.upgrade !== undefined;
const addressOf = ({ socket }: IncomingMessage): string => socket.remoteAddress ?? "unknown";

function refuse(response: ServerResponse, { status, why, location }: Refused): void {
  if (location !== undefined) response.setHeader("location", location);
  text(response, status, why);
}

function send(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array | string,
): void {
  response.writeHead(status, headers);
  response.end(body);
}

/** What was not read of a request ends with its connection. */
function text(response: ServerResponse, status: number, why: string): void {
  send(
    response,
    status,
    { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store", connection: "close" },
    `${why}\n`,
  );
}

function json(response: ServerResponse, status: number, value: unknown): void {
  send(response, status, { "content-type": JSON_TYPE, "cache-control": "no-store" }, JSON.stringify(value));
}

function parseUrl(url: string | undefined): { path: string; query: URLSearchParams } | undefined {
  if (url === undefined || !url.startsWith("/")) return undefined;
  const [path, query] = url.split("?", 2) as [string, string | undefined];
  try {
    return { path: decodeURIComponent(path), query: new URLSearchParams(query ?? "") };
  } catch {
    return undefined;
  }
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

/** Undefined when it is longer. */
async function readBody(request: IncomingMessage, bytesMax: number): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bytesMax) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function listenError(host: string, port: number, cause: NodeJS.ErrnoException): CerebellumError {
  if (cause.code === "EADDRINUSE")
    return new CerebellumError(
      "PORT_IN_USE",
      `The gateway's port ${port} on ${host} is in use`,
      "End the other program, or set gateway.port in the cell file",
      cause,
    );
  return new CerebellumError(
    "CONFIG_INVALID",
    `The gateway cannot listen on ${host}:${port}: ${cause.code ?? errorText(cause)}`,
    "Set gateway.host to an address of this computer, or to 0.0.0.0 for all, and gateway.port above 1023",
    cause,
  );
}
