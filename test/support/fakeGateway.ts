/**
 * A gateway for tests of the pages, with no cell behind it: the wire's own schemas, a made-up arm, real sockets. It
 * serves the built pages, so that a real browser can open it, and remembers everything that it was told.
 */
import { readFile } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { type WebSocket, WebSocketServer } from "ws";
import { sleepMs } from "../../core/clock.js";
import { repositoryRootUrl } from "../../core/entry.js";
import { encodeCameraFrame } from "../../core/gateway/cameraFrame.js";
import { ClientMessage, GATEWAY_PATH } from "../../core/gateway/client.js";
import { PairRequest } from "../../core/gateway/library.js";
import type { GatewayRequest } from "../../core/gateway/requests.js";
import { ServerMessage, type Telemetry, type TeleopStatus } from "../../core/gateway/server.js";
import { systemClock } from "../../launch/systemClock.js";
import { FakeWorld } from "./console/fakeAnswers.js";
import { FAKE_TELEOP, FAKE_WELCOME, type FakeWelcome, fakeTelemetry } from "./console/fakeCell.js";
import { drawPictures, drawSheet } from "./console/fakePictures.js";

export interface FakeGatewayOptions {
  readonly port?: number;
  /** Folder of the built pages. */
  readonly pages?: string;
  readonly welcome?: Partial<FakeWelcome>;
  /** Sends camera pictures by itself at the subscribed rate. */
  readonly cameras?: boolean;
}

type Subscription = Extract<ClientMessage, { kind: "subscribe" }>;

interface Client {
  readonly socket: WebSocket;
  isWelcome: boolean;
  subscription: Subscription | undefined;
  lastTelemetryMs: number;
  readonly lastPictureMs: Map<string, number>;
}

const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".map": "application/json",
};
export const FAKE_TOKEN = "fake-token-of-tests";
const FAKE_CODE = "HJKM2PQR";
const TICK_MS = 20;

export class FakeGateway {
  readonly world: FakeWorld;
  /** Everything that clients said, in order. */
  readonly received: ClientMessage[] = [];
  /** What was no message of the schema. */
  readonly malformed: string[] = [];
  teleop: TeleopStatus = FAKE_TELEOP;
  /** Changes what is told; undefined leaves it. */
  shape: (telemetry: Telemetry) => Telemetry = (telemetry) => telemetry;
  isTelling = true;
  /** Refuses everybody who says hello, with these words. */
  refusal: { code: string; happened: string; remedy: string } | undefined;
  /** Refuses every pairing code, with these words. */
  pairingRefusal: { code: string; happened: string; remedy: string } | undefined;
  /** How long an answer takes [ms]. */
  answerMs: (request: GatewayRequest) => number = () => 0;
  /** Whether stops take effect. */
  obeysStop = true;
  port = 0;
  readonly #options: FakeGatewayOptions;
  readonly #clients = new Set<Client>();
  readonly #http = createServer(
    (request, response) => void this.#serve(request.url ?? "/", request, response),
  );
  readonly #sockets = new WebSocketServer({ noServer: true, maxPayload: 65_536 });
  readonly #pages: string;
  readonly #abort = new AbortController();
  #pictures: Uint8Array[][] = [];
  #eventId = 0;
  #sequence = 0;

  constructor(options: FakeGatewayOptions = {}) {
    this.#options = options;
    this.#pages = options.pages ?? fileURLToPath(new URL("dist/pages", repositoryRootUrl()));
    this.world = new FakeWorld(this.nowEpochMs);
    this.#http.on("upgrade", (request, socket, head) => {
      if (request.url !== GATEWAY_PATH) socket.destroy();
      else this.#sockets.handleUpgrade(request, socket, head, (ws) => this.#accept(ws));
    });
  }

  get nowEpochMs(): number {
    return Number(systemClock.epochNs() / 1_000_000n);
  }

  get nowMs(): number {
    return Number(systemClock.nowNs()) / 1e6;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Address that pairs the console that opens it. */
  get consoleUrl(): string {
    return `${this.url}/#pair=${FAKE_CODE}`;
  }

  get clientCount(): number {
    return [...this.#clients].filter(({ isWelcome }) => isWelcome).length;
  }

  async start(): Promise<this> {
    this.#pictures = await Promise.all([drawPictures("#1d4e58", 0), drawPictures("#4a4458", 1)]);
    await new Promise<void>((resolve) =>
      this.#http.listen(this.#options.port ?? 0, "127.0.0.1", () => resolve()),
    );
    const address = this.#http.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    this.port = address.port;
    void this.#run();
    return this;
  }

  async close(): Promise<void> {
    this.#abort.abort();
    for (const { socket } of this.#clients) socket.terminate();
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }

  /** Ends every connection as a daemon that dies would. */
  dropConnections(): void {
    for (const { socket } of this.#clients) socket.terminate();
  }

  /** Tells everybody; whatever is no message of the schema throws here. */
  say(message: ServerMessage): void {
    const text = JSON.stringify(ServerMessage.parse(message));
    for (const client of this.#clients) if (client.isWelcome) client.socket.send(text);
  }

  /** What a daemon of another version might say. */
  sayStrange(): void {
    for (const { socket } of this.#clients) socket.send(JSON.stringify({ kind: "novelty" }));
  }

  event(level: "info" | "warn" | "error", source: string, text: string, remedy = ""): void {
    this.say({ kind: "event", id: this.#eventId++, epochMs: this.nowEpochMs, level, source, text, remedy });
  }

  picture(cameraIndex: number, sequence: number, jpeg: Uint8Array, ageMs = 30): void {
    const bytes = encodeCameraFrame({ cameraIndex, sequence, captureEpochMs: this.nowEpochMs, ageMs, jpeg });
    for (const client of this.#clients) if (client.isWelcome) client.socket.send(bytes);
  }

  setTeleop(change: Partial<TeleopStatus>): void {
    this.teleop = { ...this.teleop, ...change };
    this.say({ kind: "teleop", status: this.teleop });
  }

  /** Poses that have come since the last call of `forget`. */
  get poses() {
    return this.received.flatMap((message) => (message.kind === "pose" ? [message.pose] : []));
  }

  forget(): void {
    this.received.length = 0;
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      await sleepMs(systemClock, TICK_MS, signal);
      if (this.isTelling) this.#tick();
    }
  }

  #tick(): void {
    const nowMs = this.nowMs;
    const text = JSON.stringify(this.telemetry());
    for (const client of this.#clients) {
      const { subscription, socket } = client;
      if (!client.isWelcome || subscription === undefined) continue;
      if (
        subscription.telemetryHz > 0 &&
        nowMs - client.lastTelemetryMs >= 1000 / subscription.telemetryHz - 5
      ) {
        client.lastTelemetryMs = nowMs;
        socket.send(text);
      }
      if (this.#options.cameras !== false) this.#sendPictures(client, subscription, nowMs);
    }
  }

  #sendPictures(client: Client, subscription: Subscription, nowMs: number): void {
    const { cameras } = this.#welcome();
    for (const { camera, rateHz } of subscription.cameras) {
      const found = cameras.find((one) => one.camera === camera);
      const jpegs = found === undefined ? undefined : this.#pictures[found.index];
      if (found === undefined || jpegs === undefined) continue;
      if (nowMs - (client.lastPictureMs.get(camera) ?? 0) < 1000 / rateHz - 5) continue;
      client.lastPictureMs.set(camera, nowMs);
      const sequence = this.#sequence++;
      const jpeg = jpegs[Math.floor(nowMs / 120) % jpegs.length]!;
      client.socket.send(
        encodeCameraFrame({
          cameraIndex: found.index,
          sequence,
          captureEpochMs: this.nowEpochMs,
          ageMs: 28,
          jpeg,
        }),
      );
    }
  }

  telemetry(): Telemetry {
    const { armState, policyPhase, recording, lastOutcome } = this.world;
    const isMoving = policyPhase === "running" || this.teleop.state === "engaged";
    const seconds = isMoving ? (this.nowMs / 1000) % 1e5 : 40;
    const telemetry = fakeTelemetry(seconds, this.nowEpochMs);
    const arm = telemetry.robots.arm!;
    arm.state = armState === "holding" && isMoving ? "following" : armState;
    arm.commander = isMoving ? (policyPhase === "running" ? "policy" : "teleop") : "";
    telemetry.policy!.phase = policyPhase;
    if (recording !== undefined)
      Object.assign(telemetry.recorder!, {
        state: "recording",
        task: recording.task,
        episode: recording.episode,
        seconds: (this.nowMs - recording.startedMs) / 1000,
        bytes: (this.nowMs - recording.startedMs) * 2200,
      });
    else telemetry.recorder!.lastOutcome = lastOutcome;
    return this.shape(telemetry);
  }

  #welcome(): FakeWelcome {
    return { ...FAKE_WELCOME, serverTimeMs: this.nowMs, ...this.#options.welcome };
  }

  #accept(socket: WebSocket): void {
    const client: Client = {
      socket,
      isWelcome: false,
      subscription: undefined,
      lastTelemetryMs: 0,
      lastPictureMs: new Map(),
    };
    this.#clients.add(client);
    socket.on("close", () => this.#clients.delete(client));
    socket.on("error", () => socket.terminate());
    socket.on("message", (data) => this.#take(client, String(data)));
  }

  #take(client: Client, text: string): void {
    const parsed = ClientMessage.safeParse(JSON.parse(text));
    if (!parsed.success) {
      this.malformed.push(`${parsed.error.message} in ${text.slice(0, 300)}`);
      return;
    }
    const message = parsed.data;
    this.received.push(message);
    const tell = (answer: ServerMessage) => client.socket.send(JSON.stringify(ServerMessage.parse(answer)));
    if (message.kind === "hello") {
      const refusal =
        this.refusal ??
        (message.token === FAKE_TOKEN
          ? undefined
          : { code: "NOT_AUTHORISED", happened: "This device is not paired", remedy: "Pair it again" });
      if (refusal !== undefined) {
        tell({ kind: "refused", ...refusal });
        client.socket.close(4401);
        return;
      }
      client.isWelcome = true;
      tell(this.#welcome());
      tell({ kind: "teleop", status: this.teleop });
    } else if (message.kind === "ping")
      tell({ kind: "pong", id: message.id, clientTimeMs: message.clientTimeMs, serverTimeMs: this.nowMs });
    else if (message.kind === "subscribe") client.subscription = message;
    else if (message.kind === "stop" && this.obeysStop) {
      this.world.stop();
      this.setTeleop({ state: "off", operator: "", source: null });
      this.event(
        "warn",
        "stop",
        `Stopped by ${this.#welcome().client}: ${message.reason}`,
        "Reset, then enable",
      );
    } else if (message.kind === "request") void this.#answer(message, tell);
    else if (message.kind === "pose") this.#followPose(message.pose);
  }

  async #answer(
    { id, request }: Extract<ClientMessage, { kind: "request" }>,
    tell: (answer: ServerMessage) => void,
  ): Promise<void> {
    const ms = this.answerMs(request);
    if (ms > 0) await sleepMs(systemClock, ms, this.#abort.signal);
    const answer = this.world.answer(request, this.#welcome().client, this.nowMs);
    if ("refusal" in answer) tell({ kind: "refusal", id, ok: false, ...answer.refusal });
    else tell({ kind: "answer", id, ok: true, ...answer });
    this.#followTeleop();
  }

  #followTeleop(): void {
    const { operator, translationScale } = this.world;
    if (operator !== this.teleop.operator || translationScale !== this.teleop.translationScale)
      this.setTeleop({ operator, state: operator === "" ? "off" : "ready", translationScale, why: null });
  }

  #followPose({ source, device, hands }: Extract<ClientMessage, { kind: "pose" }>["pose"]): void {
    if (this.world.operator === "") return;
    const isHeld = (hands[0]?.clutch ?? 0) > 0.8;
    const state = isHeld ? "engaged" : "ready";
    if (state === this.teleop.state) return;
    const { positionM, quatXyzw } = fakeTelemetry(40, 0).robots.arm!.tool!;
    this.setTeleop({
      state,
      source,
      device,
      rateHz: 60,
      poseAgeMs: 9,
      alignment: "base",
      target: isHeld
        ? { positionM: [positionM[0] + 0.05, positionM[1] + 0.02, positionM[2]], quatXyzw }
        : null,
      leashM: isHeld ? 0.012 : null,
      latency: {
        transportMs: 1.4,
        mappingMs: 0.6,
        toWireMs: 6.8,
        toWireP50Ms: 6.1,
        toWireP99Ms: 14.2,
        filterMs: 22,
        roundTripMs: 2.8,
      },
    });
  }

  async #serve(
    url: string,
    request: {
      method?: string | undefined;
      headers: { authorization?: string | undefined };
    } & AsyncIterable<Buffer>,
    response: ServerResponse,
  ): Promise<void> {
    const [path = "/"] = url.split("?");
    if (path === "/api/pair" && request.method === "POST") {
      const parts: Buffer[] = [];
      for await (const part of request) parts.push(part);
      const { name } = PairRequest.parse(JSON.parse(Buffer.concat(parts).toString("utf8")));
      response.setHeader("content-type", "application/json");
      response.end(
        JSON.stringify(
          this.pairingRefusal === undefined
            ? { ok: true, token: FAKE_TOKEN, device: name, role: "operator" }
            : { ok: false, ...this.pairingRefusal },
        ),
      );
    } else if (path.startsWith("/api/episodes/")) {
      if (request.headers.authorization !== `Bearer ${FAKE_TOKEN}`) response.writeHead(401).end();
      else response.setHeader("content-type", "image/png").end(await drawSheet(path));
    } else await this.#servePage(path, response);
  }

  async #servePage(path: string, response: ServerResponse): Promise<void> {
    const file = normalize(join(this.#pages, path.endsWith("/") ? `${path}index.html` : path));
    try {
      if (!file.startsWith(this.#pages)) throw new Error("outside");
      response.setHeader("content-type", TYPES[extname(file)] ?? "application/octet-stream");
      response.end(await readFile(file));
    } catch {
      response.writeHead(404).end("not found");
    }
  }
}

export const startFakeGateway = (options: FakeGatewayOptions = {}): Promise<FakeGateway> =>
  new FakeGateway(options).start();
