/** All of a cell that ROS sees: the daemon's node, one set of topics for each robot, the cameras' subscriptions. */
import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import type { ArmLimits } from "../../core/arm.js";
import type { Clock, MonotonicNs } from "../../core/clock.js";
import type { CerebellumError } from "../../core/errors.js";
import type { VelocityCommand } from "../../core/floatingBase.js";
import type { ImageView } from "../../core/rosWire.js";
import type { RecorderHost } from "../../runtime/recorder/host.js";
import { armModel } from "../../runtime/ros/armModel.js";
import {
  type CameraSubscription,
  type RawTap,
  subscribeCamera,
} from "../../runtime/ros/cameraSubscription.js";
import { type DaemonNode, startDaemonNode } from "../../runtime/ros/daemonNode.js";
import { handModel } from "../../runtime/ros/handModel.js";
import { type LegModel, legModel } from "../../runtime/ros/legModel.js";
import { startLegNode } from "../../runtime/ros/legNode.js";
import { type RosPoseListener, RosPoseSource, subscribePoseSource } from "../../runtime/ros/poseSource.js";
import { subscribeTopics, tapPublishers } from "../../runtime/ros/rawTopics.js";
import { offerRecorder } from "../../runtime/ros/recorderNode.js";
import type { ModelPlace, RobotModel } from "../../runtime/ros/robotModel.js";
import { startRobotNode } from "../../runtime/ros/robotNode.js";
import type { RosRuntime } from "../../runtime/ros/rosRuntime.js";
import { policyStatusPublisher, publishServoState } from "../../runtime/ros/statusTopics.js";
import type { ServoClient } from "../../runtime/servo/api.js";
import type { DiagnosticItem, Supervisor } from "../../runtime/supervisor.js";
import { cameraLinkOf, carrierOf, framePrefixOf, odometryFrameOf } from "../cell/frames.js";
import { hasGripper } from "../cell/robotConfig.js";
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
  /** How fast a robot on legs is asked to go. @returns why that does not count; undefined when it does */
  readonly onVelocity: (robot: string, velocity: VelocityCommand) => string | undefined;
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

/** A robot's topics. */
interface RobotTopics {
  diagnostics(): readonly DiagnosticItem[];
  /** Ends what was asked for over ROS and is under way. */
  cancel(): void;
  close(): void;
}

export function startRosSide(options: RosSideOptions): RosSide {
  const { ros, cell, clock, supervisor, onShutdown } = options;
  const robots = new Map<string, RobotTopics>();
  const cameras = new Map<string, CameraSubscription>();
  const daemonNode = startDaemonNode(ros, {
    clock,
    supervisor,
    cell,
    sources: () => [
      ...[...robots.values()].flatMap((robot) => robot.diagnostics()),
      ...[...cameras.values()].map(({ stream }) => stream.diagnostic()),
    ],
    onInactive: () => {
      for (const robot of robots.values()) robot.cancel();
    },
    onShutdown,
    onDiagnostics: options.onDiagnostics,
    ...(options.feed === undefined ? {} : { publishing: (node) => options.feed!.publishing(node) }),
  });
  const undo = [() => daemonNode.close()];
  // Our own messages, which this process publishes as objects.
  const statusNode = options.feed?.publishing(daemonNode.node) ?? daemonNode.node;
  for (const robot of Object.keys(cell.robots)) {
    const one = startRobot(robot, daemonNode, options);
    robots.set(robot, one);
    undo.push(publishServoState(statusNode, robot, options.servo(robot), clock), () => one.close());
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

function startRobot(robot: string, { node, lifecycle }: DaemonNode, options: RosSideOptions): RobotTopics {
  const { cell, clock, log, recorder, feed } = options;
  const recorded =
    recorder === undefined ? node : tapPublishers(node, tappedTopics(cell), clock, recorderTap(recorder));
  const fed = feed === undefined ? recorded : tapPublishers(recorded, fedTopics(cell), clock, feed.tap);
  const client = options.servo(robot);
  const model = modelOf(robot, cell, client.info.limits);
  const { jointStateRateHz, transformRateHz } = cell.ros;
  const accepting = () => lifecycle() === "active";
  const common = { robot, client, clock, jointStateRateHz, transformRateHz, accepting };
  if ("base" in model) {
    const onVelocity = (velocity: VelocityCommand) => options.onVelocity(robot, velocity);
    return { ...startLegNode(fed, { ...common, model, onVelocity }), cancel: () => {} };
  }
  const started = startRobotNode(fed, {
    ...common,
    model,
    log: (level, event, fields) => log[level]({ event, ...fields }),
  });
  return { ...started, cancel: () => started.trajectories.cancel() };
}

/** A robot of the cell with its place in the tree of frames. */
export function modelOf(
  robot: string,
  { robots, cameras }: Pick<CellConfig, "robots" | "cameras">,
  limits: ArmLimits,
): RobotModel | LegModel {
  const config = robots[robot]!;
  const carriedBy = carrierOf(robots, robot);
  const place: ModelPlace = {
    robotName: robot,
    framePrefix: framePrefixOf(robots, robot),
    cameras: Object.entries(cameras)
      .filter(([, { mount }]) => mount.robot === robot)
      .map(([name, camera]) => ({
        name,
        link: cameraLinkOf(robots, camera),
        poseParentOptical: { positionM: camera.mount.positionM, quatXyzw: camera.mount.quatXyzw },
      })),
    ...(carriedBy === undefined ? {} : { carriedBy }),
  };
  if (config.device === "xarm7") return armModel(place, { gripper: hasGripper(config) });
  if (config.device === "digit") return legModel(place, odometryFrameOf(robots, robot));
  const { model, side } = config.allegro;
  return handModel(place, { model, side, limits });
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
