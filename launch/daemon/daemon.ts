/**
 * A running cell: lab (if the cell has one), one servo process per robot, ROS nodes, cameras, policy worker, control
 * socket. `start` brings everything up in the order in which it depends on each other; `close` takes it down so that
 * the arm is left holding.
 */
import type { Server } from "node:net";
import { resolve } from "node:path";
import type { Logger } from "pino";
import { type Clock, type ClockMapping, type MonotonicNs, measureMapping } from "../../core/clock.js";
import { entryUrl } from "../../core/entry.js";
import { CerebellumError, errorText } from "../../core/errors.js";
import type { ImageView } from "../../core/rosWire.js";
import { PolicyHost } from "../../runtime/policy/host.js";
import { type ArmNode, startArmNode } from "../../runtime/ros/armNode.js";
import { type CameraSubscription, subscribeCamera } from "../../runtime/ros/cameraSubscription.js";
import { type DaemonNode, startDaemonNode } from "../../runtime/ros/daemonNode.js";
import { type RosRuntime, startRos } from "../../runtime/ros/rosRuntime.js";
import { policyStatusPublisher, publishServoState } from "../../runtime/ros/statusTopics.js";
import type { ServoClient } from "../../runtime/servo/api.js";
import { connectServo } from "../../runtime/servo/link/client.js";
import type { CellConfig } from "../cell/schema.js";
import { serveControl } from "../control/server.js";
import { holdLock, makeRunFolder, type RunFolder } from "../runFolder.js";
import { answerControl } from "./controlHandler.js";
import { type LabProcess, startLabProcess } from "./labProcess.js";
import { type ServoProcess, startServo } from "./servoProcess.js";
import { CellSupervisor } from "./supervisor.js";

export interface DaemonOptions {
  readonly cell: CellConfig;
  readonly clock: Clock;
  readonly log: Logger;
  readonly logLevel: string;
  /** Load the cell's policy; without it only robots, cameras and ROS run. */
  readonly policy: boolean;
  /** Bundle in place of the cell's. */
  readonly bundle?: string | undefined;
  /** Ends a start that is under way; what already runs is taken down again. */
  readonly signal: AbortSignal;
}

export type FrameListener = (
  camera: string,
  image: ImageView,
  receivedNs: MonotonicNs,
  bytes: Uint8Array,
) => void;

/** A policy step ends within one inference; a servo decelerates within its limits. */
const SERVO_STOP_MS_MAX = 1500;

export class Daemon {
  readonly cell: CellConfig;
  readonly clock: Clock;
  readonly mapping: ClockMapping;
  readonly supervisor: CellSupervisor;
  readonly frameListeners = new Set<FrameListener>();
  /** Aborts when somebody asked for the end: the control socket, or the lifecycle's shutdown. */
  readonly shutdownRequested = new AbortController();

  readonly #options: DaemonOptions;
  readonly #run: RunFolder;
  readonly #undo: (() => Promise<void> | void)[] = [];
  readonly #servos = new Map<string, ServoClient>();
  readonly #servoProcesses: ServoProcess[] = [];
  readonly #cameras = new Map<string, CameraSubscription>();
  readonly #armNodes: ArmNode[] = [];
  #lab: LabProcess | undefined;
  #ros: RosRuntime | undefined;
  #daemonNode: DaemonNode | undefined;
  #policy: PolicyHost | undefined;
  #publishPolicy: ReturnType<typeof policyStatusPublisher> | undefined;

  private constructor(options: DaemonOptions) {
    this.#options = options;
    this.cell = options.cell;
    this.clock = options.clock;
    this.mapping = measureMapping(options.clock);
    this.#run = makeRunFolder(options.cell.name);
    this.supervisor = new CellSupervisor({
      clock: options.clock,
      servos: this.#servos,
      policy: () => this.#policy,
      loadPolicy: (bundle) => this.#openPolicy(bundle),
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

  get ros(): RosRuntime {
    if (this.#ros === undefined) throw new Error("Broken invariant: ROS runs while the daemon does");
    return this.#ros;
  }

  get rosNode() {
    return this.#daemonNode!.node;
  }

  servo(robot: string): ServoClient {
    const client = this.#servos.get(robot);
    if (client === undefined) throw new Error(`Broken invariant: robot ${robot} is in the cell`);
    return client;
  }

  /** A connection of its own that may take the lease; whoever asks closes it. */
  connectCommander(robot: string, name: string): Promise<ServoClient> {
    return connectServo(this.#run.servoSocket(robot), { role: "commander", name, clock: this.clock });
  }

  camera(name: string): CameraSubscription | undefined {
    return this.#cameras.get(name);
  }

  async #start(): Promise<void> {
    const { cell, clock, log } = this.#options;
    const lock: Server = await holdLock(
      `cell-${cell.name}`,
      `Cell ${cell.name}`,
      "`./cerebellum status` shows it; `./cerebellum stop --shutdown` ends it",
    );
    this.#undo.push(() => void lock.close());
    if (cell.ros.domainId !== undefined) process.env.ROS_DOMAIN_ID = String(cell.ros.domainId);
    const rosStarted = startRos().then((ros) => {
      this.#ros = ros;
      this.#undo.push(() => ros.shutdown());
    });
    rosStarted.catch(() => {});
    if (cell.lab !== undefined) {
      this.#step("starting the simulated lab");
      this.#lab = await startLabProcess(cell, this.#run.labSocket, this.#options);
      const lab = this.#lab;
      this.#undo.push(() => lab.close());
    }
    this.#step("connecting to the robots");
    for (const [robot, config] of Object.entries(cell.robots)) {
      const servo = await startServo(robot, config, this.#run.servoSocket(robot), this.#options);
      this.#servos.set(robot, servo.client);
      this.#servoProcesses.push(servo);
      this.#undo.push(async () => {
        await servo.client.close();
        await servo.child.stop(SERVO_STOP_MS_MAX);
      });
    }
    const policyOpened = this.#options.policy ? this.#openPolicy(this.#options.bundle) : Promise.resolve();
    policyOpened.catch(() => {});
    await rosStarted;
    this.#step("joining ROS 2");
    await this.#startRosNodes();
    await policyOpened;
    const closeControl = await serveControl(
      this.#run.controlSocket,
      answerControl(this, () => this.shutdownRequested.abort()),
    );
    this.#undo.push(closeControl);
    log.info(
      { event: "daemonReady", uptimeS: Number(clock.nowNs() - this.mapping.monotonicNs) / 1e9 },
      `cell ${cell.name} is up`,
    );
  }

  #step(doing: string): void {
    if (this.#options.signal.aborted)
      throw new CerebellumError("NOT_RUNNING", "The start was interrupted", "Start again");
    this.#options.log.info({ event: "starting" }, doing);
  }

  async #startRosNodes(): Promise<void> {
    const { cell, clock, log } = this.#options;
    const ros = this.ros;
    const daemonNode = startDaemonNode(ros, {
      clock,
      supervisor: this.supervisor,
      cell,
      sources: () => this.#rosDiagnostics(),
      onInactive: () => {
        for (const node of this.#armNodes) node.trajectories.cancel();
      },
      onShutdown: () => this.shutdownRequested.abort(),
    });
    this.#daemonNode = daemonNode;
    this.#undo.push(() => daemonNode.close());
    const publishPolicy = policyStatusPublisher(daemonNode.node, clock);
    this.#publishPolicy = publishPolicy;
    this.#undo.push(() => {
      this.#publishPolicy = undefined;
    });
    for (const [robot, config] of Object.entries(cell.robots)) {
      const client = await this.connectCommander(robot, "ros");
      this.#undo.push(() => client.close());
      const node = startArmNode(daemonNode.node, {
        robot,
        client,
        clock,
        gripper: config.xarm7.gripper !== "none",
        cameras: Object.entries(cell.cameras)
          .filter(([, camera]) => camera.mount.robot === robot)
          .map(([name, { mount }]) => ({
            name,
            poseFlangeOptical: { positionM: mount.positionM, quatXyzw: mount.quatXyzw },
          })),
        jointStateRateHz: cell.ros.jointStateRateHz,
        transformRateHz: cell.ros.transformRateHz,
        accepting: () => daemonNode.lifecycle() === "active",
        log: (level, event, fields) => log[level]({ event, ...fields }),
      });
      this.#armNodes.push(node);
      this.#undo.push(publishServoState(daemonNode.node, robot, client, clock));
      this.#undo.push(() => node.close());
    }
    for (const [name, config] of Object.entries(cell.cameras)) {
      const subscription = subscribeCamera(daemonNode.node, {
        name,
        config,
        clock,
        ageMsMax: cell.policy?.frameAgeMsMax ?? Number.POSITIVE_INFINITY,
        onFrame: (image, receivedNs, bytes) => this.#takeFrame(name, image, receivedNs, bytes),
        onTrouble: (trouble) =>
          log.warn({ event: "cameraTrouble", camera: name, code: trouble.code }, trouble.message),
      });
      this.#cameras.set(name, subscription);
      this.#undo.push(() => subscription.close());
    }
  }

  #rosDiagnostics() {
    return [
      ...this.#armNodes.flatMap((node) => node.diagnostics()),
      ...[...this.#cameras.values()].map(({ stream }) => stream.diagnostic()),
    ];
  }

  #takeFrame(camera: string, image: ImageView, receivedNs: MonotonicNs, bytes: Uint8Array): void {
    if (camera === this.cell.policy?.camera) {
      this.#policy?.frames.write(image.data, image.stepBytes, image.stampNs, receivedNs);
    }
    for (const listener of this.frameListeners) listener(camera, image, receivedNs, bytes);
  }

  /** Loads and verifies a bundle in a worker of its own; a former policy is closed first. */
  async #openPolicy(bundle: string | undefined): Promise<PolicyHost> {
    const { cell, clock, log } = this.#options;
    const config = cell.policy;
    if (config === undefined) {
      throw new CerebellumError(
        "CONFIG_INVALID",
        `Cell ${cell.name} has no policy section`,
        "Add `policy` to the cell file",
      );
    }
    const former = this.#policy;
    this.#policy = undefined;
    await former?.close();
    const camera = cell.cameras[config.camera]!;
    const host = new PolicyHost({
      entry: entryUrl("../processes/policyWorker.js", import.meta.url),
      clock,
      name: "policy",
      socketPath: this.#run.servoSocket(config.robot),
      bundleDirectory: bundle === undefined ? config.bundle : resolve(bundle),
      camera,
      frameAgeMsMax: config.frameAgeMsMax,
      approachSpeedScale: config.approachSpeedScale,
      intraOpThreads: config.intraOpThreads,
    });
    host.onPhase(({ phase, failure }) => {
      if (failure === undefined) log.info({ event: "policyPhase", phase }, `policy ${phase}`);
      else log.error({ event: "policyFailed", code: failure.code }, `${failure.happened}. ${failure.remedy}`);
    });
    try {
      await host.configure();
    } catch (thrown) {
      await host.close().catch(() => {});
      throw thrown;
    }
    this.#policy = host;
    host.onStep((record) => this.#publishPolicy?.(host.status(), record));
    host.onPhase((status) => this.#publishPolicy?.(status));
    const loaded = host.status().bundle;
    log.info(
      { event: "policyReady", policy: loaded?.policy, precision: loaded?.precision, loadMs: loaded?.loadMs },
      "policy verified",
    );
    return host;
  }

  /** Ends policy, ROS, servo and lab in this order; the servo leaves the arm holding. Never rejects. */
  async close(): Promise<void> {
    const attempt = async (what: string, work: () => Promise<void> | void) => {
      try {
        await work();
      } catch (thrown) {
        this.#options.log.error({ event: "closeFailed", what }, errorText(thrown));
      }
    };
    await attempt("policy", async () => this.#policy?.stop());
    await attempt("policy", async () => this.#policy?.close());
    for (const undo of this.#undo.splice(0).reverse()) await attempt("part", undo);
  }
}
