/** Services, clients and a servo that parts of the gateway are tested with; for tests only. */
import { MessageChannel } from "node:worker_threads";
import { openTrackerStore } from "../../calibration/store.js";
import { asMonotonicNs, measureMapping } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import type { ServerMessage } from "../../core/gateway/server.js";
import { LatenessHistogram } from "../../core/histogram.js";
import { SimClock } from "../../core/simClock.js";
import type { ServoClient, ServoEvent, ServoInfo, ServoSnapshot, ServoStatistics } from "../servo/api.js";
import { ServoConfig } from "../servo/config.js";
import { TeleopConfig } from "../teleop/config.js";
import { GatewayConfig } from "./config.js";
import { DeviceStore } from "./devices.js";
import { EventLog } from "./eventLog.js";
import type { LibrarySetup, ToLibrary } from "./library/messages.js";
import type { LibraryWorker } from "./library/thread.js";
import { runLibraryWorker } from "./library/worker.js";
import type { FromGateway, GatewaySetup, ToGateway } from "./messages.js";
import { done, type GatewayClient, type PartServices, refuse } from "./part.js";

export const robotDescription = (robot = "arm"): GatewaySetup["robots"][number] => ({
  robot,
  device: "xarm7",
  rateHz: 250,
  jointNames: Array.from({ length: 7 }, (_, joint) => `joint${joint + 1}`),
  positionMinRad: Array(7).fill(-3),
  positionMaxRad: Array(7).fill(3),
  velocityMaxRadPerS: Array(7).fill(3.14),
  workspaceMinM: [-1, -1, 0],
  workspaceMaxM: [1, 1, 1],
  tableM: 0,
  urdf: "<robot/>",
  hasGripper: true,
});

const { workspace, selfCollision } = ServoConfig.parse({});

export function testSetup(change: Partial<GatewaySetup> = {}): GatewaySetup {
  return {
    cell: "test",
    software: "test",
    gateway: GatewayConfig.parse({}),
    teleop: TeleopConfig.parse({}),
    stateFolder: "/nowhere",
    calibrationFolder: "/nowhere",
    pages: "/nowhere",
    sockets: { arm: "/nowhere" },
    robots: [robotDescription()],
    toolPointsM: { arm: [0, 0, 0.172] },
    arms: { arm: { gripper: "xarm", workspace, selfCollision } },
    hands: {},
    cameras: [],
    hasPolicy: false,
    hasRecorder: false,
    hasLab: true,
    episodesFolder: null,
    bundleFolders: [],
    cellFile: "cell.yaml",
    cellYaml: "name: test\n",
    prefixes: [],
    topics: [],
    ring: new SharedArrayBuffer(8),
    ...change,
  };
}

export class FakeClient implements GatewayClient {
  readonly sent: ServerMessage[] = [];
  readonly offered: (ServerMessage | Uint8Array)[] = [];
  readonly #ended = new AbortController();
  readonly kind = "console";
  /** What was offered is dropped. */
  isSlow = false;
  bufferedBytes = 0;

  constructor(
    readonly id = 1,
    readonly role: GatewayClient["role"] = "operator",
    readonly name = `console ${id}`,
  ) {}

  get closed(): AbortSignal {
    return this.#ended.signal;
  }
  send(message: ServerMessage): void {
    this.sent.push(message);
  }
  offer(message: ServerMessage | Uint8Array): boolean {
    if (!this.isSlow) this.offered.push(message);
    return !this.isSlow;
  }
  end(): void {
    this.#ended.abort();
  }
}

/** A servo that a test plays. */
export class FakeServo {
  readonly clients: FakeServoClient[] = [];
  connects = 0;
  isDown = false;
  newest: ServoSnapshot | undefined;
  readonly histogram = new LatenessHistogram();
  /** Every stop that was asked for, and every lease. */
  readonly stops: { readonly category: number; readonly reason: string; readonly by: string }[] = [];
  leases = 0;

  connect(role: string, name: string, everyTicks: number): Promise<ServoClient> {
    this.connects++;
    if (this.isDown) return Promise.reject(new Error("nobody listens"));
    const client = new FakeServoClient(this, role, name, everyTicks);
    this.clients.push(client);
    return Promise.resolve(client as unknown as ServoClient);
  }

  get open(): readonly FakeServoClient[] {
    return this.clients.filter(({ closed }) => !closed.aborted);
  }

  tell(event: ServoEvent): void {
    for (const { eventListeners } of this.open) for (const listener of eventListeners) listener(event);
  }

  /** The process ends. */
  crash(): void {
    this.isDown = true;
    for (const client of this.open) client.end();
  }
}

class FakeServoClient {
  /** Of an arm. */
  readonly info: Pick<ServoInfo, "gainsMax"> = {};
  readonly eventListeners = new Set<(event: ServoEvent) => void>();
  readonly #ended = new AbortController();

  constructor(
    readonly servo: FakeServo,
    readonly role: string,
    readonly name: string,
    readonly everyTicks: number,
  ) {}

  get closed(): AbortSignal {
    return this.#ended.signal;
  }
  latest(): ServoSnapshot | undefined {
    return this.servo.newest;
  }
  onEvent(listener: (event: ServoEvent) => void): () => void {
    this.eventListeners.add(listener);
    return () => this.eventListeners.delete(listener);
  }
  statistics(): Promise<Partial<ServoStatistics>> {
    const { histogram } = this.servo;
    const counts = histogram.counts();
    return Promise.resolve({
      ticks: counts.reduce((sum, count) => sum + count, 0),
      counts,
      bucketsUs: histogram.bucketsUs,
      latenessUs: {
        p50: histogram.percentileUs(0.5),
        p99: histogram.percentileUs(0.99),
        p999: histogram.percentileUs(0.999),
        max: histogram.maxUs,
      },
    });
  }
  stop(category: number, reason: string): Promise<void> {
    this.servo.stops.push({ category, reason, by: this.name });
    return this.servo.isDown ? Promise.reject(new Error("nobody listens")) : Promise.resolve();
  }
  acquireLease(): Promise<never> {
    this.servo.leases++;
    return Promise.reject(new CerebellumError("LEASE_REFUSED", "the servo is played by a test", "none"));
  }
  end(): void {
    this.#ended.abort();
  }
  close(): Promise<void> {
    this.end();
    return Promise.resolve();
  }
}

export const snapshotAt = (clock: SimClock, positionRad: readonly number[]): ServoSnapshot => ({
  tick: 1,
  tickNs: clock.nowNs(),
  state: "holding",
  epoch: 1,
  commander: "",
  stateNs: asMonotonicNs(clock.nowNs() - 3_000_000n),
  stateSequence: 1,
  positionRad: Float64Array.from(positionRad),
  velocityRadPerS: new Float64Array(positionRad.length),
  effortNm: new Float64Array(positionRad.length).fill(Number.NaN),
  requestedRad: Float64Array.from(positionRad),
  limitedRad: Float64Array.from(positionRad),
  sentRad: Float64Array.from(positionRad),
  reasons: 0,
  commandSeq: 0,
  commandWireNs: asMonotonicNs(0n),
  gripperCommandM: Number.NaN,
  gripperOpeningM: 0.05,
  deviceTimeUs: 0,
  deviceErrorCode: 0,
});

/** The library's thread in this one. */
export function libraryHere(setup: LibrarySetup): LibraryWorker {
  const { port1, port2 } = new MessageChannel();
  runLibraryWorker(setup, port2);
  const here = {
    postMessage: (message: ToLibrary) => port1.postMessage(message),
    on: (event: string, listener: (value: unknown) => void) => port1.on(event as "message", listener),
    once: (_: "exit", listener: () => void) => port1.once("close", listener),
    terminate: () => {
      port1.close();
      return Promise.resolve();
    },
  };
  return here as LibraryWorker;
}

export interface Bench {
  readonly services: PartServices;
  readonly clock: SimClock;
  readonly servo: FakeServo;
  /** What parts have said to the main thread. */
  readonly posted: FromGateway[];
  /** As from the main thread. */
  readonly fromMain: (message: ToGateway) => void;
}

export function partBench(setup: GatewaySetup = testSetup()): Bench {
  const clock = new SimClock();
  const servo = new FakeServo();
  const posted: FromGateway[] = [];
  const listeners = new Set<(message: ToGateway) => void>();
  const events = new EventLog(clock);
  const services: PartServices = {
    clock,
    setup,
    events,
    mapping: measureMapping(clock),
    skippedPictures: new Map(),
    log: () => {},
    clients: () => [],
    event: (level, source, text, remedy) => events.add(level, source, text, remedy),
    connectServo: (_, role, name, everyTicks) => servo.connect(role, name, everyTicks),
    post: (message) => posted.push(message),
    askMain: () => Promise.resolve(refuse("NOT_RUNNING", "no main thread", "none")),
    ask: () => Promise.resolve(refuse("NOT_RUNNING", "no other part", "none")),
    teleop: () => undefined,
    deliverPose: () => {},
    deliverMalformed: () => {},
    addClient: (client) => ({ id: 99, ...client }),
    removeClient: () => {},
    stopRobots: () => Promise.resolve(done("stopped")),
    serveHttp: () => {},
    serveUpgrade: () => {},
    devices: new DeviceStore({
      folder: setup.stateFolder,
      clock,
      tokenDaysMax: 365,
      random: (bytes) => new Uint8Array(bytes),
      log: () => {},
    }),
    isConnected: () => false,
    disconnectDevice: () => {},
    reachedAt: () => ({ origins: ["http://localhost:8443"], fingerprint: null, certificateDaysLeft: null }),
    onMain: (listener) => listeners.add(listener),
    trackerFrames: openTrackerStore(setup.calibrationFolder),
    startLibrary: libraryHere,
    authenticate: () => undefined,
  };
  return {
    services,
    clock,
    servo,
    posted,
    fromMain: (message) => {
      for (const listener of listeners) listener(message);
    },
  };
}

/** Moves time on in steps, so that whatever a moment sets off has happened before the next. */
export async function pass(clock: SimClock, ms: number): Promise<void> {
  for (let passedMs = 0; passedMs < ms; passedMs += STEP_MS) {
    await clock.advance(Math.min(STEP_MS, ms - passedMs));
    await new Promise((resolve) => setImmediate(resolve));
  }
}
const STEP_MS = 5;

export const wanting = (
  change: Partial<{
    telemetryHz: number;
    teleop: boolean;
    events: boolean;
    cameras: { camera: string; rateHz: number }[];
  }> = {},
) => ({ kind: "subscribe" as const, telemetryHz: 0, teleop: false, events: false, cameras: [], ...change });
