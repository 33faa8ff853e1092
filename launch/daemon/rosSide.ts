/** All of a cell that ROS sees: the daemon's node, one set of topics for each robot, the cameras' subscriptions. */
import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import type { Clock, MonotonicNs } from "../../core/clock.js";
import type { CerebellumError } from "../../core/errors.js";
import type { ImageView } from "../../core/rosWire.js";
import type { RecorderHost } from "../../runtime/recorder/host.js";
import { type ArmNode, startArmNode } from "../../runtime/ros/armNode.js";
import {
  type CameraSubscription,
  type RawTap,
  subscribeCamera,
} from "../../runtime/ros/cameraSubscription.js";
import { type DaemonNode, startDaemonNode } from "../../runtime/ros/daemonNode.js";
import { type RosPoseListener, RosPoseSource, subscribePoseSource } from "../../runtime/ros/poseSource.js";
import { subscribeTopics, tapPublishers } from "../../runtime/ros/rawTopics.js";
import { offerRecorder } from "../../runtime/ros/recorderNode.js";
import type { RosRuntime } from "../../runtime/ros/rosRuntime.js";
import { policyStatusPublisher, publishServoState } from "../../runtime/ros/statusTopics.js";
import type { ServoClient } from "../../runtime/servo/api.js";
import type { DiagnosticItem, Supervisor } from "../../runtime/supervisor.js";
import type { CellConfig } from "../cell/schema.js";
import { fedTopics, type GatewayFeed } from "./gatewayFeed.js";
import { subscribedTopics, tappedTopics } from "./recorderSide.js";

export interface RosSideOptions {
  readonly ros: RosRuntime;
  readonly cell: CellConfig;
  readonly clock: Clock;
  readonly log: Logger;
  readonly supervisor: Supervisor;
  readonly servo: (robot: string) => ServoClient;
  readonly onFrame: (camera: string, image: ImageView, receivedNs: MonotonicNs, bytes: Uint8Array) => void;
  readonly onShutdown: () => void;
  /** Hears trackers that come over ROS; absent in a cell without a gateway. */
  readonly poses?: RosPoseListener | undefined;
  /** Absent in a cell that never records. */
  readonly recorder: RecorderHost | undefined;
  /** What Foxglove clients of the gateway get; absent in a cell without it. */
  readonly feed: GatewayFeed | undefined;
  readonly onDiagnostics: (items: readonly DiagnosticItem[]) => void;
}

export interface RosSide {
  readonly daemonNode: DaemonNode;
  readonly cameras: ReadonlyMap<string, CameraSubscription>;
  readonly publishPolicy: ReturnType<typeof policyStatusPublisher>;
  close(): void;
}

export function startRosSide(options: RosSideOptions): RosSide {
  const { ros, cell, clock, supervisor, onShutdown } = options;
  const arms = new Map<string, ArmNode>();
  const cameras = new Map<string, CameraSubscription>();
  const daemonNode = startDaemonNode(ros, {
    clock,
    supervisor,
    cell,
    sources: () => [
      ...[...arms.values()].flatMap((arm) => arm.diagnostics()),
      ...[...cameras.values()].map(({ stream }) => stream.diagnostic()),
    ],
    onInactive: () => {
      for (const arm of arms.values()) arm.trajectories.cancel();
    },
    onShutdown,
    onDiagnostics: options.onDiagnostics,
    ...(options.feed === undefined ? {} : { publishing: (node) => options.feed!.publishing(node) }),
  });
  const undo = [() => daemonNode.close()];
  // Our own messages, which this process publishes as objects.
  const statusNode = options.feed?.publishing(daemonNode.node) ?? daemonNode.node;
  for (const robot of Object.keys(cell.robots)) {
    const arm = startArm(robot, daemonNode, options);
    arms.set(robot, arm);
    undo.push(publishServoState(statusNode, robot, options.servo(robot), clock), () => arm.close());
  }
  for (const name of Object.keys(cell.cameras)) {
    const subscription = subscribe(name, daemonNode, options);
    cameras.set(name, subscription);
    undo.push(() => subscription.close());
  }
  if (options.recorder !== undefined && cell.recorder !== "off") {
    const { recorder } = options;
    undo.push(
      subscribeTopics(daemonNode.node, subscribedTopics(cell.recorder), clock, tapOf(options)),
      offerRecorder(statusNode, {
        clock,
        recorder,
        isActive: () => daemonNode.lifecycle() === "active",
      }),
    );
  }
  if (options.poses !== undefined) {
    for (const config of cell.teleop.rosSources) {
      const source = new RosPoseSource(config, randomUUID().slice(0, 8), options.poses);
      undo.push(subscribePoseSource(daemonNode.node, source, config, clock));
    }
  }
  return {
    daemonNode,
    cameras,
    publishPolicy: policyStatusPublisher(statusNode, clock),
    close: () => {
      for (const one of undo.splice(0).reverse()) one();
    },
  };
}

function startArm(robot: string, { node, lifecycle }: DaemonNode, options: RosSideOptions): ArmNode {
  const { cell, clock, log } = options;
  const config = cell.robots[robot]!;
  const { recorder, feed } = options;
  const recorded =
    recorder === undefined ? node : tapPublishers(node, tappedTopics(cell), clock, recorderTap(recorder));
  const fed = feed === undefined ? recorded : tapPublishers(recorded, fedTopics(cell), clock, feed.tap);
  return startArmNode(fed, {
    robot,
    client: options.servo(robot),
    clock,
    gripper: config.device === "xarm7" && config.xarm7.gripper !== "none",
    cameras: Object.entries(cell.cameras)
      .filter(([, camera]) => camera.mount.robot === robot)
      .map(([name, { mount }]) => ({
        name,
        poseFlangeOptical: { positionM: mount.positionM, quatXyzw: mount.quatXyzw },
      })),
    jointStateRateHz: cell.ros.jointStateRateHz,
    transformRateHz: cell.ros.transformRateHz,
    accepting: () => lifecycle() === "active",
    log: (level, event, fields) => log[level]({ event, ...fields }),
  });
}

function subscribe(name: string, { node }: DaemonNode, options: RosSideOptions): CameraSubscription {
  const { cell, clock, log, onFrame } = options;
  const camera = {
    name,
    config: cell.cameras[name]!,
    clock,
    ageMsMax: cell.policy?.frameAgeMsMax ?? Number.POSITIVE_INFINITY,
    onFrame: (image: ImageView, receivedNs: MonotonicNs, bytes: Uint8Array) =>
      onFrame(name, image, receivedNs, bytes),
    onTrouble: (trouble: CerebellumError) =>
      log.warn({ event: "cameraTrouble", camera: name, code: trouble.code }, trouble.message),
  };
  return subscribeCamera(node, camera, tapOf(options));
}

const recorderTap =
  (recorder: RecorderHost): RawTap =>
  (topic, receivedNs, cdr) =>
    recorder.write(topic, receivedNs, cdr);

/** What other nodes publish, for whoever of the two wants it. */
function tapOf({ recorder, feed }: RosSideOptions): RawTap {
  const taps = [
    ...(recorder === undefined ? [] : [recorderTap(recorder)]),
    ...(feed === undefined ? [] : [feed.tap]),
  ];
  return (topic, receivedNs, cdr) => {
    for (const tap of taps) tap(topic, receivedNs, cdr);
  };
}
