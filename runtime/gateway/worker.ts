/**
 * The gateway's thread: one hub with its parts behind one server. It holds no lease and moves nothing by itself; when
 * it dies, every connection of its clients and parts dies with it, and what they had engaged ends in a hold.
 */
import type { MessagePort } from "node:worker_threads";
import type { TrackerStore } from "../../calibration/store.js";
import { type Clock, measureMapping, sleepMs } from "../../core/clock.js";
import { errorText } from "../../core/errors.js";
import { CLIENT_BYTES_MAX, GATEWAY_PATH } from "../../core/gateway/client.js";
import type { GatewayRequest } from "../../core/gateway/requests.js";
import type { TeleopStatus } from "../../core/gateway/server.js";
import { toFailure } from "../failure.js";
import type { ServoClient } from "../servo/api.js";
import { type Names, originsOf, ownNames, type Reached } from "./addresses.js";
import { type Certificate, CertificateKeeper } from "./certificate.js";
import { DeviceStore } from "./devices.js";
import { EventLog } from "./eventLog.js";
import { Hub } from "./hub.js";
import { ALIVE_MS, type FromGateway, GatewaySetup, MISFITS, ToGateway } from "./messages.js";
import {
  type Answer,
  done,
  type GatewayClient,
  type GatewayPart,
  type PartFactory,
  type PartServices,
  refuse,
} from "./part.js";
import { RateLimit } from "./rateLimit.js";
import { GatewayServer } from "./server.js";
import { StopLine } from "./stopLine.js";
import { joinHub } from "./webSocket.js";

export interface GatewayWorkerParts {
  readonly port: MessagePort;
  readonly clock: Clock;
  readonly connectServo: (
    socketPath: string,
    role: "observer" | "commander",
    name: string,
    snapshotEveryTicks: number,
  ) => Promise<ServoClient>;
  /** From the system's source of randomness. */
  readonly random: (bytes: number) => Uint8Array;
  readonly factories: readonly PartFactory[];
  /** @param folder of the cell's calibrations */
  readonly trackerFrames: (folder: string) => TrackerStore;
  readonly startLibrary: PartServices["startLibrary"];
}

/** The main thread answers sooner, if only with its own timeout. */
const ANSWER_MS_MAX = 65_000;
const NAMES_LOOK_MS = 5000;
const CERTIFICATE_LOOK_MS = 60_000;

/** Resolves when the thread was told to close, or could not begin and has said so. */
export async function runGatewayWorker(workerData: unknown, parts: GatewayWorkerParts): Promise<void> {
  let session: GatewaySession | undefined;
  try {
    session = new GatewaySession(GatewaySetup.parse(workerData), parts);
    await session.serve();
  } catch (thrown) {
    parts.port.postMessage({ kind: "unusable", failure: toFailure(thrown) } satisfies FromGateway);
  } finally {
    await session?.close();
    parts.port.close();
  }
}

class GatewaySession {
  readonly #setup: GatewaySetup;
  readonly #parts: GatewayWorkerParts;
  readonly #hub: Hub;
  readonly #server: GatewayServer;
  readonly #stops: StopLine;
  readonly #devices: DeviceStore;
  readonly #certificates: CertificateKeeper;
  readonly #mainListeners: ((message: ToGateway) => void)[] = [];
  readonly #events: EventLog;
  readonly #answers = new Map<number, (answer: Answer) => void>();
  readonly #closing = new AbortController();
  readonly #misfits = new RateLimit(MISFITS.perS, MISFITS.burst);
  #made: GatewayPart[] = [];
  #teleop: TeleopStatus | undefined;
  #certificate: Certificate | undefined;
  #names: Names = { hostnames: [], addresses: [] };
  #namesMs = Number.NEGATIVE_INFINITY;
  #requestId = 0;
  #port = 0;

  constructor(setup: GatewaySetup, parts: GatewayWorkerParts) {
    this.#setup = setup;
    this.#parts = parts;
    const { clock, random, connectServo } = parts;
    this.#events = new EventLog(clock);
    const { gateway, stateFolder } = setup;
    this.#devices = new DeviceStore({
      folder: stateFolder,
      clock,
      tokenDaysMax: gateway.tokenDaysMax,
      random,
      log: this.#log,
    });
    this.#devices.open();
    const authenticate = (token: string) => this.#devices.authenticate(token);
    this.#hub = new Hub({
      clock,
      log: this.#log,
      authenticate,
      isPaired: (device) => this.#devices.isPaired(device),
      welcome: welcomeOf(setup),
      stop: (reason) => void this.#stopRobots(2, reason),
      onClients: (clients) =>
        this.#post({
          kind: "clients",
          clients: clients.map(({ name, role, kind }) => ({ name, role, kind })),
        }),
    });
    this.#stops = new StopLine({
      clock,
      robots: Object.keys(setup.sockets),
      connect: (robot) => connectServo(setup.sockets[robot]!, "observer", "gateway", 0),
    });
    this.#certificates = new CertificateKeeper({ folder: stateFolder, clock, random, log: this.#log });
    this.#certificate = this.#certificates.current(this.#ownNames());
    this.#server = new GatewayServer({
      host: gateway.host,
      port: gateway.port,
      tls: this.#certificate,
      names: () => this.#ownNames(),
      pages: setup.pages,
      clock,
      log: this.#log,
      authenticate,
      pair: (code, name) => this.#devices.pair(code, name),
    });
    this.#server.serveUpgrade(GATEWAY_PATH, {
      protocols: [],
      bytesMax: CLIENT_BYTES_MAX,
      accept: (socket, address) => joinHub(this.#hub, socket, address),
    });
  }

  async serve(): Promise<void> {
    const { port, factories } = this.#parts;
    void this.#showLife();
    const services = this.#services();
    for (const factory of factories) this.#made.push(await factory(services));
    this.#hub.setParts(this.#made);
    const closed = new Promise<void>((resolve) => {
      port.on("message", (raw: unknown) => {
        const parsed = ToGateway.safeParse(raw);
        if (!parsed.success) this.#onMisfit(raw, parsed.error);
        else if (parsed.data.kind === "close") resolve();
        else this.#take(parsed.data);
      });
      port.on("close", () => resolve());
    });
    void this.#stops.keep();
    this.#port = await this.#server.listen();
    void this.#hub.watch();
    void this.#keepCertificate();
    this.#tellReady();
    await closed;
  }

  /** Clients first, so that parts hear of their end; then what parts hold; the robots' stop line last. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#hub.close();
    for (const part of this.#made.splice(0))
      await part.close?.().catch((thrown: unknown) => this.#defect(thrown));
    await this.#server.close();
    await this.#stops.close();
    await this.#devices.written();
  }

  #services(): PartServices {
    const { clock, connectServo, trackerFrames, startLibrary } = this.#parts;
    const setup = this.#setup;
    return {
      clock,
      setup,
      mapping: measureMapping(clock),
      log: this.#log,
      clients: () => this.#hub.clients,
      event: (level, source, text, remedy) => this.#events.add(level, source, text, remedy),
      events: this.#events,
      skippedPictures: new Map(),
      connectServo: (robot, role, name, everyTicks) =>
        connectServo(setup.sockets[robot]!, role, name, everyTicks),
      post: (message) => {
        if (message.kind === "teleop") this.#teleop = message.status;
        this.#post(message);
      },
      askMain: (request, client) => this.#askMain(request, client),
      ask: (request, client) => this.#hub.ask(client, request),
      teleop: () => this.#teleop,
      deliverPose: (arrival) => this.#hub.deliverPose(arrival),
      deliverMalformed: (client, why) => this.#hub.deliverMalformed(client, why),
      addClient: (client) => this.#hub.addClient(client),
      removeClient: (client, why) => this.#hub.removeClient(client, why),
      stopRobots: (category, reason) => this.#stopRobots(category, reason),
      serveHttp: (prefix, handler) => this.#server.serveHttp(prefix, handler),
      serveUpgrade: (path, handler) => this.#server.serveUpgrade(path, handler),
      devices: this.#devices,
      isConnected: (device) => this.#hub.isConnected(device),
      disconnectDevice: (device, why) => this.#hub.removeDevice(device, why),
      reachedAt: () => this.#reached(),
      onMain: (listener) => void this.#mainListeners.push(listener),
      trackerFrames: trackerFrames(setup.calibrationFolder),
      startLibrary,
      authenticate: (token) => this.#devices.authenticate(token),
    };
  }

  #take(message: ToGateway): void {
    if (message.kind === "answer") this.#answers.get(message.requestId)?.(done(message.message));
    else if (message.kind === "refusal")
      this.#answers.get(message.requestId)?.(refuse(message.code, message.happened, message.remedy));
    for (const listener of this.#mainListeners) listener(message);
  }

  /** A figure that is none must not cost everybody their console. */
  #onMisfit(raw: unknown, error: Error): void {
    if (!this.#misfits.take(this.#parts.clock.nowMs())) return;
    const kind = String((raw as { kind?: unknown } | null)?.kind).slice(0, 40);
    this.#log("error", "defect", `the daemon said a "${kind}" that is none: ${errorText(error)}`);
  }

  async #askMain(request: GatewayRequest, client: GatewayClient): Promise<Answer> {
    const requestId = ++this.#requestId;
    const answered = new Promise<Answer>((resolve) => this.#answers.set(requestId, resolve));
    this.#post({ kind: "request", requestId, client: client.name, request });
    const settled = new AbortController();
    const late = sleepMs(this.#parts.clock, ANSWER_MS_MAX, settled.signal).then(() =>
      refuse(
        "TIMED_OUT",
        `The daemon did not answer ${request.do} within ${ANSWER_MS_MAX / 1000} s`,
        "Read its log; it may be busy or hung",
      ),
    );
    const answer = await Promise.race([answered, late]);
    settled.abort();
    this.#answers.delete(requestId);
    return answer;
  }

  async #stopRobots(category: 0 | 1 | 2, reason: string): Promise<Answer> {
    const text = reason.slice(0, 200);
    const stopping = this.#stops.stop(category, text);
    // The servos are told; policies and recordings need not wait until the motion has ended.
    this.#post({ kind: "stopped", category, reason: text, failures: [] });
    const failures = await stopping;
    if (failures.length === 0) {
      this.#events.add("warn", "stop", text, RESET);
      return done(`stopped (category ${category})`);
    }
    this.#post({ kind: "stopped", category, reason: text, failures: [...failures] });
    const happened = `NOT STOPPED by the gateway: ${failures.join("; ")}`;
    this.#events.add("error", "stop", happened, USE_ESTOP);
    return refuse("DEVICE_REFUSED", happened, USE_ESTOP);
  }

  /** Addresses come and go; asking for them at every request would cost more than the request. */
  #ownNames(): Names {
    const nowMs = this.#parts.clock.nowMs();
    if (nowMs - this.#namesMs > NAMES_LOOK_MS) {
      this.#namesMs = nowMs;
      const { host, hostnames } = this.#setup.gateway;
      this.#names = ownNames(host, hostnames);
    }
    return this.#names;
  }

  #reached(): Reached {
    const certificate = this.#certificate;
    return {
      origins: originsOf(this.#setup.gateway.host, this.#port, this.#ownNames()),
      fingerprint: certificate?.fingerprint ?? null,
      certificateDaysLeft: certificate?.daysLeft(this.#epochMs()) ?? null,
    };
  }

  async #keepCertificate(): Promise<void> {
    const { signal } = this.#closing;
    for (;;) {
      await sleepMs(this.#parts.clock, CERTIFICATE_LOOK_MS, signal);
      if (signal.aborted) return;
      const certificate = this.#certificates.current(this.#ownNames());
      if (certificate?.fingerprint !== this.#certificate?.fingerprint && certificate !== undefined)
        this.#server.renew(certificate);
      this.#certificate = certificate ?? this.#certificate;
      this.#tellReady();
    }
  }

  async #showLife(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      this.#post({ kind: "alive", counts: { ...this.#hub.counts } });
      await sleepMs(this.#parts.clock, ALIVE_MS, signal);
    }
  }

  #tellReady(): void {
    const { origins, fingerprint, certificateDaysLeft } = this.#reached();
    this.#post({
      kind: "ready",
      port: this.#port,
      addresses: [...origins],
      fingerprint,
      certificateDaysLeft,
    });
  }

  #epochMs(): number {
    return Number(this.#parts.clock.epochNs()) / 1e6;
  }

  #post(message: FromGateway): void {
    this.#parts.port.postMessage(message);
  }

  readonly #log: PartServices["log"] = (level, event, text) =>
    this.#post({ kind: "log", level, event, text });

  #defect(thrown: unknown): void {
    this.#log("error", "defect", thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown));
  }
}

const RESET = "Reset, then enable, when the robot may move again";
const USE_ESTOP = "Use the emergency stop";

const welcomeOf = ({
  cell,
  software,
  robots,
  cameras,
  hasPolicy,
  hasRecorder,
  hasLab,
  teleop,
}: GatewaySetup) => ({
  cell,
  software,
  robots,
  cameras: cameras.map(({ frames: _frames, encoding: _encoding, ...camera }) => camera),
  hasPolicy,
  hasRecorder,
  hasLab,
  defaultTask: teleop.defaultTask,
});
