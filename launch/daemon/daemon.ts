/**
 * A running cell: lab (if the cell has one), one servo process per robot, ROS nodes, cameras, policy worker, control
 * socket. `start` brings everything up in the order in which it depends on each other; `close` takes it down so that
 * an arm is left holding, a hand limp and off, and a robot on legs in damping.
 */

import type { Server } from "node:net";
import type { Logger } from "pino";
import {
  type Clock,
  type ClockMapping,
  type MonotonicNs,
  measureMapping,
  sleepMs,
} from "../../core/clock.js";
import { CerebellumError, errorText } from "../../core/errors.js";
import type { ImageView } from "../../core/rosWire.js";
import type { EpisodeStart } from "../../episodes/format.js";
import type { GatewayHost } from "../../runtime/gateway/host.js";
import { pictureCamera, policyRobots } from "../../runtime/policy/config.js";
import type { PolicyHost } from "../../runtime/policy/host.js";
import { toPolicyReading } from "../../runtime/policy/recordedReading.js";
import { toPolicyStep } from "../../runtime/policy/recordedStep.js";
import type { RecorderHost } from "../../runtime/recorder/host.js";
import type { CameraSubscription } from "../../runtime/ros/cameraSubscription.js";
import { type RosRuntime, startRos } from "../../runtime/ros/rosRuntime.js";
import type { ServoClient } from "../../runtime/servo/api.js";
import { connectGroup } from "../../runtime/servo/group.js";
import { connectServo } from "../../runtime/servo/link/client.js";
import type { CellConfig } from "../cell/schema.js";
import { type ControlHandler, serveControl } from "../control/server.js";
import { EstopHost } from "../estop/host.js";
import type { LogFile } from "../logFile.js";
import { gatherFigures } from "../metrics/gather.js";
import { renderMetrics } from "../metrics/render.js";
import { serveMetrics } from "../metrics/server.js";
import { holdLock, makeRunFolder, type RunFolder } from "../runFolder.js";
import { SystemdNotifier } from "../systemd/notifier.js";
import { answerControl } from "./controlHandler.js";
import { type GatewayFeed, openGatewayFeed } from "./gatewayFeed.js";
import { type GatewaySide, startGateway } from "./gatewaySide.js";
import { type LabProcess, startLabProcess } from "./labProcess.js";
import { endFormerChildren, noteEndedInOrder, noteRunning, pidFileOf, unfinishedRun } from "./lastRun.js";
import { createPolicyHost, policyConfigOf } from "./policySide.js";
import { recorderItem } from "./recorderRequests.js";
import { isRecorderRequired, startRecorder, whyNotWithoutRecorder } from "./recorderSide.js";
import { RESTART_RULES } from "./restartPolicy.js";
import { type RosSide, startRosSide } from "./rosSide.js";
import { ServoKeeper } from "./servoKeeper.js";
import { logFileItem } from "./status.js";
import { SteeringDesk } from "./steeringDesk.js";
import { CellSupervisor } from "./supervisor.js";
import { TeleopSide } from "./teleopSide.js";

export interface DaemonOptions {
  readonly cell: CellConfig;
  /** Where that was read from, for people. */
  readonly cellFile?: string | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly logLevel: string;
  /** Load the cell's policy; without it only robots, cameras and ROS run. */
  readonly policy: boolean;
  /** Bundle in place of the cell's. */
  readonly bundle?: string | undefined;
  /** After a run that did not end in order, start the robots stopped, so that only a person's reset leads on. */
  readonly latchAfterCrash?: boolean | undefined;
  /** Where the log also goes; lines that it lost are shown with the diagnostics. */
  readonly logFile?: LogFile | undefined;
  /** Ends a start that is under way; what already runs is taken down again. */
  readonly signal: AbortSignal;
}

export type FrameListener = (
  camera: string,
  image: ImageView,
  receivedNs: MonotonicNs,
  bytes: Uint8Array,
) => void;

/** A policy that does not give its lease back within this loses it with the servo process. */
const POLICY_STOP_MS_MAX = 500;

export class Daemon {
  readonly cell: CellConfig;
  readonly clock: Clock;
  readonly mapping: ClockMapping;
  readonly supervisor: CellSupervisor;
  readonly teleop: TeleopSide;
  readonly steering: SteeringDesk;
  readonly frameListeners = new Set<FrameListener>();
  /** What the daemon does by itself right now, for people; empty while it waits for somebody. */
  activity = "";
  /** Aborts when somebody asked for the end: the control socket, or the lifecycle's shutdown. */
  readonly shutdownRequested = new AbortController();

  readonly #options: DaemonOptions;
  readonly #run: RunFolder;
  readonly #undo: (() => Promise<void> | void)[] = [];
  readonly #keepers = new Map<string, ServoKeeper>();
  #lab: LabProcess | undefined;
  #ros: RosRuntime | undefined;
  #rosSide: RosSide | undefined;
  #policy: PolicyHost | undefined;
  #bundle: string | undefined;
  #bundleRecord: EpisodeStart["bundle"] = null;
  #recorder: RecorderHost | undefined;
  #failure: CerebellumError | undefined;
  #isReady = false;
  #estop: EstopHost | undefined;
  #gateway: GatewaySide | undefined;
  #feed: GatewayFeed | undefined;
  readonly #notifier: SystemdNotifier | undefined;

  private constructor(options: DaemonOptions) {
    this.#options = options;
    this.cell = options.cell;
    this.clock = options.clock;
    this.mapping = measureMapping(options.clock);
    this.#run = makeRunFolder(options.cell.name);
    this.#bundle = options.bundle;
    this.#notifier = SystemdNotifier.start({
      env: process.env,
      clock: options.clock,
      log: options.log,
      whyNotAlive: () =>
        [...this.#keepers.values()].map(({ stillness }) => stillness).find((why) => why !== undefined),
    });
    this.teleop = new TeleopSide({
      clock: options.clock,
      stopPolicy: () => void this.#policy?.stop().catch(() => {}),
      log: (text) => options.log.info({ event: "teleop" }, text),
    });
    this.steering = new SteeringDesk({
      clock: options.clock,
      policy: () => this.#policy,
      robots: options.cell.policy === undefined ? [] : policyRobots(options.cell.policy),
    });
    this.supervisor = new CellSupervisor({
      clock: options.clock,
      log: options.log,
      robots: this.#keepers,
      policy: () => this.#policy,
      loadPolicy: (bundle) => this.#openPolicy(bundle),
      whyNotEnable: () =>
        this.#estop?.whyNotEnable() ?? whyNotWithoutRecorder(this.cell, this.#recorder?.status()),
      whyNotStartPolicy: () => this.teleop.whyNotBegin(),
      watchers: () => [
        ...(this.#estop?.diagnostics() ?? []),
        ...recorderItem(this.#recorder),
        ...(this.#gateway?.host.diagnostics() ?? []),
        ...this.teleop.diagnostics(),
        ...logFileItem(options.logFile),
      ],
    });
  }

  /** @throws CerebellumError of whichever part did not come up; everything started before is taken down */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const daemon = new Daemon(options);
    try {
      await daemon.#start();
      return daemon;
    } catch (thrown) {
      await daemon.close();
      throw thrown;
    }
  }

  get lab(): LabProcess | undefined {
    return this.#lab;
  }

  get policy(): PolicyHost | undefined {
    return this.#policy;
  }

  /** Undefined in a cell that never records. */
  get recorder(): RecorderHost | undefined {
    return this.#recorder;
  }

  /** Undefined in a cell without one. */
  get gateway(): GatewayHost | undefined {
    return this.#gateway?.host;
  }

  get ros(): RosRuntime {
    if (this.#ros === undefined) throw new Error("Broken invariant: ROS runs while the daemon does");
    return this.#ros;
  }

  get rosNode() {
    return this.#rosSide!.daemonNode.node;
  }

  /** Why the daemon ends by itself, once it does. */
  get failure(): CerebellumError | undefined {
    return this.#failure;
  }

  servo(robot: string): ServoClient {
    return this.keeper(robot).supervisor;
  }

  keeper(robot: string): ServoKeeper {
    const keeper = this.#keepers.get(robot);
    if (keeper === undefined) throw new Error(`Broken invariant: robot ${robot} is in the cell`);
    return keeper;
  }

  /** Ends the daemon in order, with this as the reason of its failure. The first one counts. */
  fail(failure: CerebellumError): void {
    if (this.#failure !== undefined || this.shutdownRequested.signal.aborted) return;
    this.#failure = failure;
    this.#options.log.fatal({ event: "daemonFailed", code: failure.code }, failure.message);
    this.shutdownRequested.abort();
  }

  /** A connection of its own that may take the lease; whoever asks closes it. */
  /** Of several robots as one, their joints in the order of the list. */
  connectCommander(robots: string | readonly string[], name: string): Promise<ServoClient> {
    const { clock } = this;
    return connectGroup([robots].flat(), (robot) =>
      connectServo(this.#run.servoSocket(robot), { role: "commander", name, clock }),
    );
  }

  camera(name: string): CameraSubscription | undefined {
    return this.#rosSide?.cameras.get(name);
  }

  async #start(): Promise<void> {
    const { cell, clock, log } = this.#options;
    const lock: Server = await holdLock(
      `cell-${cell.name}`,
      `Cell ${cell.name}`,
      "`./cerebellum status` shows it; `./cerebellum stop --shutdown` ends it",
    );
    this.#undo.push(() => void lock.close());
    await endFormerChildren(this.#run.folder, clock, log);
    const latched = this.#options.latchAfterCrash ? unfinishedRun(this.#run.folder) : undefined;
    if (latched !== undefined)
      log.warn(
        { event: "startsStopped" },
        `${latched}: the robots start stopped. ${RESTART_RULES.daemon.remedy}`,
      );
    if (cell.ros.domainId !== undefined) process.env.ROS_DOMAIN_ID = String(cell.ros.domainId);
    const rosStarted = startRos().then((ros) => {
      this.#ros = ros;
      this.#undo.push(() => ros.shutdown());
    });
    rosStarted.catch(() => {});
    // Its thread loads and repairs while lab and robots start; it goes to them only when an episode begins.
    this.#recorder = await startRecorder({
      cell,
      clock,
      log,
      servoSocket: (robot) => this.#run.servoSocket(robot),
      bundle: () => this.#bundleRecord,
      engine: () => this.#policy?.status().bundle?.engine ?? {},
      onFailed: (text) => this.#onRecorderFailed(text),
    });
    this.#undo.push(() => this.#recorder?.close());
    if (cell.lab !== undefined) {
      this.#step("starting the simulated lab");
      const lab = await startLabProcess(cell, this.#run.labSocket, {
        ...this.#options,
        pidFile: pidFileOf(this.#run.folder, "lab"),
      });
      this.#lab = lab;
      this.#undo.push(() => lab.close());
      void lab.child.exited.then(() => this.#onLabGone(lab));
    }
    this.#step("connecting to the robots");
    for (const [robot, config] of Object.entries(cell.robots)) {
      const { logLevel, signal } = this.#options;
      const socketPath = this.#run.servoSocket(robot);
      const pidFile = pidFileOf(this.#run.folder, `servo-${robot}`);
      const start = { robot, config, socketPath, pidFile, clock, log, logLevel, signal };
      const keeper = await ServoKeeper.start(start, latched);
      this.#keepers.set(robot, keeper);
    }
    this.#feed = openGatewayFeed(cell, clock, log);
    await this.#serveMetrics();
    await this.#listenForStops();
    const policyOpened = this.#options.policy ? this.#openPolicy(this.#options.bundle) : Promise.resolve();
    policyOpened.catch(() => {});
    await rosStarted;
    this.#step("joining ROS 2");
    const rosSide = startRosSide({
      ros: this.ros,
      cell,
      clock,
      log,
      supervisor: this.supervisor,
      servo: (robot) => this.keeper(robot).commander,
      onFrame: (camera, image, receivedNs, bytes) => this.#takeFrame(camera, image, receivedNs, bytes),
      onVelocity: (robot, velocity) => this.steering.takeTopic(robot, velocity),
      onShutdown: () => this.shutdownRequested.abort(),
      poses:
        cell.gateway === "off"
          ? undefined
          : {
              onPose: (pose, receivedNs) => this.gateway?.pose(pose, receivedNs),
              onMalformed: (device, why) => this.gateway?.malformedPose(device, why),
            },
      recorder: this.#recorder,
      feed: this.#feed,
      onDiagnostics: (items) => this.#gateway?.takeDiagnostics(items),
    });
    this.#rosSide = rosSide;
    this.#undo.push(() => {
      this.#rosSide = undefined;
      rosSide.close();
    });
    await policyOpened;
    if (isRecorderRequired(cell)) await this.#recorder?.ready(this.#options.signal);
    const control = answerControl(this, () => this.shutdownRequested.abort());
    await this.#startGateway(control);
    this.#undo.push(await serveControl(this.#run.controlSocket, control));
    this.#isReady = true;
    this.#notifier?.ready();
    if (this.#options.latchAfterCrash) noteRunning(this.#run.folder);
    log.info(
      { event: "daemonReady", uptimeS: Number(clock.nowNs() - this.mapping.monotonicNs) / 1e9 },
      `cell ${cell.name} is up`,
    );
  }

  async #startGateway(control: ControlHandler): Promise<void> {
    const { cell, clock, log } = this.#options;
    if (this.#feed === undefined) return;
    this.#gateway = await startGateway({
      cell,
      cellFile: this.#options.cellFile ?? cell.name,
      clock,
      log,
      servoInfo: (robot) => this.servo(robot).info,
      servoSocket: (robot) => this.#run.servoSocket(robot),
      control,
      supervisor: this.supervisor,
      stopPolicy: () => void this.#policy?.stop().catch(() => {}),
      isPolicyRunning: () => ["approaching", "running"].includes(this.#policy?.status().phase ?? ""),
      recorder: this.#recorder,
      feed: this.#feed,
      policyStatus: () => this.#policy?.status(),
      activity: () => this.activity,
      cameras: () => new Map([...(this.#rosSide?.cameras ?? [])].map(([name, { stream }]) => [name, stream])),
      teleop: this.teleop,
      steering: this.steering,
    });
    this.#undo.push(() => this.#gateway?.close());
  }

  async #serveMetrics(): Promise<void> {
    const { cell, log } = this.#options;
    if (cell.metrics === undefined) return;
    const render = async () => renderMetrics(await gatherFigures(this));
    const metrics = await serveMetrics(cell.metrics, render, log);
    this.#undo.push(() => metrics.close());
    log.info({ event: "metrics" }, `figures at http://${cell.metrics.host}:${metrics.port}/metrics`);
  }

  async #listenForStops(): Promise<void> {
    const { cell, clock, log } = this.#options;
    if (cell.estop === undefined) return;
    const sockets = Object.fromEntries(
      Object.keys(cell.robots).map((robot) => [robot, this.#run.servoSocket(robot)]),
    );
    const estop = await EstopHost.start({
      setup: { estop: cell.estop, sockets },
      clock,
      log,
      // The worker has stopped the robots that it reached; this reaches the policy, and the others once more.
      onStop: ({ category, reason, failures }) => {
        if (failures.length > 0) void this.supervisor.stop(category, reason);
        else this.#policy?.stop().catch(() => {});
      },
      onGone: (why) =>
        this.fail(
          new CerebellumError(
            "NOT_RUNNING",
            `The e-stop worker failed: ${why}. ${RESTART_RULES.estopWorker.effect}`,
            RESTART_RULES.estopWorker.remedy,
          ),
        ),
    });
    this.#estop = estop;
    this.#undo.push(() => estop.close());
  }

  /** Only where the cell wants it so does a failed recorder stop robots. */
  #onRecorderFailed(text: string): void {
    if (isRecorderRequired(this.cell))
      void this.supervisor.stop(2, `the cell requires a recorder, and ${text}`);
  }

  async #onLabGone(lab: LabProcess): Promise<void> {
    await sleepMs(this.clock, RESTART_RULES.lab.delayMs);
    this.fail(
      new CerebellumError(
        "NOT_RUNNING",
        `The lab process ended with ${lab.child.exitText}. ${RESTART_RULES.lab.effect}`,
        RESTART_RULES.lab.remedy,
      ),
    );
  }

  #step(doing: string): void {
    if (this.#options.signal.aborted)
      throw new CerebellumError("NOT_RUNNING", "The start was interrupted", "Start again");
    this.#options.log.info({ event: "starting" }, doing);
  }

  #takeFrame(camera: string, image: ImageView, receivedNs: MonotonicNs, bytes: Uint8Array): void {
    if (camera === this.cell.policy?.camera) {
      this.#policy?.frames?.write(image.data, image.stepBytes, image.stampNs, receivedNs);
    }
    this.#gateway?.takeFrame(camera, image, receivedNs);
    for (const listener of this.frameListeners) listener(camera, image, receivedNs, bytes);
  }

  /** Loads and verifies a bundle in a worker of its own; a former policy is closed first. */
  async #openPolicy(bundle: string | undefined): Promise<PolicyHost> {
    const { cell, clock, log } = this.#options;
    const camera = pictureCamera(policyConfigOf(cell));
    const former = this.#policy;
    this.#policy = undefined;
    this.#bundleRecord = null;
    await former?.close();
    this.#bundle = bundle ?? this.#bundle;
    const servoSocket = (robot: string) => this.#run.servoSocket(robot);
    const host = createPolicyHost({ cell, clock, log, servoSocket, bundle: this.#bundle });
    try {
      await host.configure();
    } catch (thrown) {
      await host.close().catch(() => {});
      throw thrown;
    }
    this.#policy = host;
    const { policy = "", task = "", manifestSha256 = "" } = host.status().bundle ?? {};
    this.#bundleRecord = { name: policy, task, manifestSha256 };
    host.onStep((record) => {
      this.#rosSide?.publishPolicy(host.status(), record);
      const mapping = this.#recorder?.mapping;
      if (mapping === undefined) return;
      if (record.reading !== undefined)
        this.#recorder?.policyReading(toPolicyReading(record.step, record.reading));
      this.#recorder?.policyStep(toPolicyStep(record, mapping, { policy, camera }));
    });
    host.onPhase((status) => this.#rosSide?.publishPolicy(status));
    const loaded = host.status().bundle;
    log.info(
      { event: "policyReady", policy: loaded?.policy, precision: loaded?.precision, loadMs: loaded?.loadMs },
      "policy verified",
    );
    return host;
  }

  /** Brings the robots to a hold first and all at once, then ends policy, ROS and lab. Never rejects. */
  async close(): Promise<void> {
    const attempt = async (what: string, work: () => Promise<void> | void) => {
      try {
        await work();
      } catch (thrown) {
        this.#options.log.error({ event: "closeFailed", what }, errorText(thrown));
      }
    };
    // From here on a child that ends is no failure.
    this.shutdownRequested.abort();
    this.#notifier?.stopping();
    const stopped = new AbortController();
    await Promise.race([
      attempt("policy", async () => this.#policy?.stop()),
      sleepMs(this.clock, POLICY_STOP_MS_MAX, stopped.signal),
    ]);
    stopped.abort();
    // Its end takes the disk's time; the robots' end does not wait for it.
    const recorded = this.#recorder?.finishForEnd();
    await Promise.all([...this.#keepers.values()].map((keeper) => attempt("servo", () => keeper.close())));
    await recorded;
    await attempt("policy", async () => this.#policy?.close());
    for (const undo of this.#undo.splice(0).reverse()) await attempt("part", undo);
    this.#notifier?.close();
    // A start that fails leaves the note of the run before.
    const inOrder = this.#isReady && this.#failure === undefined;
    if (this.#options.latchAfterCrash && inOrder) noteEndedInOrder(this.#run.folder);
  }
}
