/** A real gateway in a test: its own server on a free port and real sockets; servo and main thread are played. */
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { WebSocket } from "ws";
import { openTrackerStore } from "../../calibration/store.js";
import type { Clock } from "../../core/clock.js";
import { type ClientMessage, GATEWAY_PATH, GATEWAY_PROTOCOL } from "../../core/gateway/client.js";
import { type PairAnswer, Pairing } from "../../core/gateway/library.js";
import type { GatewayRequest, Role } from "../../core/gateway/requests.js";
import { ServerMessage } from "../../core/gateway/server.js";
import { systemClock } from "../../launch/systemClock.js";
import { GatewayConfig } from "../../runtime/gateway/config.js";
import { FromGateway, type GatewaySetup, type ToGateway } from "../../runtime/gateway/messages.js";
import { pairingPart } from "../../runtime/gateway/pairingPart.js";
import type { PartFactory } from "../../runtime/gateway/part.js";
import { PART_FACTORIES } from "../../runtime/gateway/parts.js";
import { FakeServo, libraryHere, testSetup } from "../../runtime/gateway/partTesting.js";
import { type GatewayWorkerParts, runGatewayWorker } from "../../runtime/gateway/worker.js";
import { freePorts } from "./cell.js";

export interface TestGatewayOptions {
  /** Default: the real one. With a SimClock hello timeouts, keepalive and waits are the test's. */
  readonly clock?: Clock;
  readonly gateway?: Partial<GatewaySetup["gateway"]>;
  readonly setup?: Partial<GatewaySetup>;
  /** Default: the product's. */
  readonly factories?: readonly PartFactory[];
  /** Default: a servo that the test plays through `servo`. */
  readonly connectServo?: GatewayWorkerParts["connectServo"];
  /** What the main thread answers to requests of the control group. Default: done. */
  readonly answer?: (request: GatewayRequest) => { ok: true; message: string } | { ok: false; code: string };
  /** Default: one of its own, removed at the end. */
  readonly stateFolder?: string;
}

export class TestGateway {
  readonly servo = new FakeServo();
  /** What the gateway has said to the main thread. */
  readonly posted: FromGateway[] = [];
  readonly folder: string;
  readonly setup: GatewaySetup;
  readonly #options: TestGatewayOptions;
  readonly #main: MessagePort;
  readonly #worker: MessagePort;
  readonly #clients: TestClient[] = [];
  #served: Promise<void> = Promise.resolve();
  #requestId = 0;

  private constructor(options: TestGatewayOptions, folder: string, port: number) {
    this.#options = options;
    this.folder = folder;
    const { port1, port2 } = new MessageChannel();
    this.#main = port1;
    this.#worker = port2;
    this.setup = testSetup({
      stateFolder: options.stateFolder ?? join(folder, "state"),
      calibrationFolder: join(folder, "state", "calibration"),
      pages: join(folder, "pages"),
      gateway: GatewayConfig.parse({ port, ...options.gateway }),
      ...options.setup,
    });
  }

  /** @throws the failure that the gateway has reported instead of `ready` */
  static async start(options: TestGatewayOptions = {}): Promise<TestGateway> {
    const folder = mkdtempSync(join(tmpdir(), "cerebellum-gateway-"));
    mkdirSync(join(folder, "pages", "assets"), { recursive: true });
    writeFileSync(join(folder, "pages", "index.html"), "<!doctype html><title>console</title>\n");
    writeFileSync(join(folder, "pages", "assets", "main-abc123.js"), "export {};\n");
    const [port] = await freePorts(1);
    const gateway = new TestGateway(options, folder, port!);
    await gateway.#begin();
    return gateway;
  }

  get port(): number {
    return this.setup.gateway.port;
  }

  /** Plain, from this computer. */
  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  ofKind<K extends FromGateway["kind"]>(kind: K): Extract<FromGateway, { kind: K }>[] {
    return this.posted.filter((one): one is Extract<FromGateway, { kind: K }> => one.kind === kind);
  }

  /** As from the main thread. */
  post(message: ToGateway): void {
    this.#main.postMessage(message);
  }

  async code(role: Role = "operator"): Promise<string> {
    const requestId = ++this.#requestId;
    this.post({ kind: "pair", requestId, role });
    const paired = await soon(() => this.ofKind("paired").find((one) => one.requestId === requestId));
    return Pairing.parse(paired.pairing).code;
  }

  async pair(code: string, name = "tester", headers: Record<string, string> = {}): Promise<PairAnswer> {
    const response = await fetch(`${this.origin}/api/pair`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify({ code, name }),
    });
    return (await response.json()) as PairAnswer;
  }

  async token(role: Role = "operator", name = "tester"): Promise<string> {
    const paired = await this.pair(await this.code(role), name);
    if (!paired.ok) throw new Error(paired.happened);
    return paired.token;
  }

  /** A socket that has said nothing yet. */
  open(headers: Record<string, string> = {}, path = GATEWAY_PATH): TestClient {
    const client = new TestClient(
      new WebSocket(`ws://127.0.0.1:${this.port}${path}`, { headers, perMessageDeflate: false }),
    );
    this.#clients.push(client);
    return client;
  }

  /** A client that has been welcomed. */
  async client(role: Role = "operator", name = "tester", kind: HelloKind = "program"): Promise<TestClient> {
    const client = this.open();
    await client.opened;
    client.hello(await this.token(role, name), name, kind);
    await client.next("welcome");
    return client;
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.socket.terminate();
    this.post({ kind: "close" });
    await this.#served;
    this.#main.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #begin(): Promise<void> {
    const { clock = systemClock, factories = PART_FACTORIES, connectServo } = this.#options;
    this.#main.on("message", (raw: unknown) => {
      const message = FromGateway.parse(raw);
      this.posted.push(message);
      if (message.kind === "request") this.#answer(message.requestId, message.request);
    });
    this.#served = runGatewayWorker(this.setup, {
      port: this.#worker,
      clock,
      connectServo:
        connectServo ?? ((_path, role, name, everyTicks) => this.servo.connect(role, name, everyTicks)),
      random: randomBytes,
      // Nobody becomes a client without it.
      factories: factories.includes(pairingPart) ? factories : [...factories, pairingPart],
      trackerFrames: openTrackerStore,
      startLibrary: libraryHere,
    });
    const first = await soon(() => this.ofKind("ready")[0] ?? this.ofKind("unusable")[0]);
    if (first.kind === "ready") return;
    await this.close();
    throw Object.assign(new Error(first.failure.happened), first.failure);
  }

  #answer(requestId: number, request: GatewayRequest): void {
    const answer = this.#options.answer?.(request) ?? { ok: true as const, message: `did ${request.do}` };
    if (answer.ok) this.post({ kind: "answer", requestId, ...answer });
    else this.post({ kind: "refusal", requestId, code: answer.code, happened: "played", remedy: "none" });
  }
}

type HelloKind = Extract<ClientMessage, { kind: "hello" }>["client"];

/** A client of the WebSocket with everything that it was told. */
export class TestClient {
  readonly socket: WebSocket;
  readonly messages: ServerMessage[] = [];
  readonly binaries: Buffer[] = [];
  readonly opened: Promise<void>;
  /** Close code and reason; also resolves when it never opened, with the HTTP status as the code. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  #requestId = 0;

  constructor(socket: WebSocket) {
    this.socket = socket;
    this.opened = new Promise((resolve) => socket.once("open", () => resolve()));
    this.closed = new Promise((resolve) => {
      socket.once("close", (code, reason) => resolve({ code, reason: reason.toString() }));
      socket.once("unexpected-response", (_request, response) => {
        resolve({ code: response.statusCode ?? 0, reason: "" });
        response.resume();
        socket.terminate();
      });
    });
    socket.on("error", () => {});
    socket.on("message", (data: Buffer, isBinary) => {
      if (isBinary) this.binaries.push(data);
      else this.messages.push(ServerMessage.parse(JSON.parse(data.toString())));
    });
  }

  hello(token: string, name = "tester", client: HelloKind = "program"): void {
    this.send({ kind: "hello", protocol: GATEWAY_PROTOCOL, token, client, name });
  }

  send(message: ClientMessage): void {
    this.socket.send(JSON.stringify(message));
  }

  ofKind<K extends ServerMessage["kind"]>(kind: K): Extract<ServerMessage, { kind: K }>[] {
    return this.messages.filter((one): one is Extract<ServerMessage, { kind: K }> => one.kind === kind);
  }

  /** The first of its kind, when it has come. */
  next<K extends ServerMessage["kind"]>(kind: K, withinS = 5): Promise<Extract<ServerMessage, { kind: K }>> {
    return soon(() => this.ofKind(kind)[0], withinS);
  }

  /** The answer or refusal of one request. */
  async request(request: GatewayRequest): Promise<Extract<ServerMessage, { kind: "answer" | "refusal" }>> {
    const id = ++this.#requestId;
    this.send({ kind: "request", id, request });
    return soon(() => [...this.ofKind("answer"), ...this.ofKind("refusal")].find((one) => one.id === id));
  }
}

/** What `look` finds, as soon as it does. @throws when it never does */
export async function soon<T>(look: () => T | undefined, withinS = 5): Promise<T> {
  const startMs = performance.now();
  for (;;) {
    const found = look();
    if (found !== undefined) return found;
    if (performance.now() - startMs > 1000 * withinS) throw new Error(`nothing came within ${withinS} s`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
