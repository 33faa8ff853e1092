/**
 * One robot on ROS: measured joints, joints as sent, link transforms, robot description, a hand's fingertips, and the
 * trajectory input. Topics lie below `/<robot>`. Renames and restamps; decides nothing but how often to publish.
 */
import { type Clock, type MonotonicNs, measureMapping, NS_PER_S, toEpochNs } from "../../core/clock.js";
import { writeString } from "../../core/rosWire.js";
import { compose, type Pose, quatFromRpy } from "../../kinematics/pose.js";
import type { Joint } from "../../kinematics/xarm7.js";
import type { ServoClient, ServoSnapshot } from "../servo/api.js";
import type { DiagnosticItem } from "../supervisor.js";
import type { Placement, RobotModel } from "./robotModel.js";
import type { RosNode } from "./rosRuntime.js";
import { JointStateMessage, PoseArrayMessage, TransformsMessage } from "./stateMessages.js";
import { TrajectoryInput, type TrajectoryInputOptions } from "./trajectoryInput.js";

export interface RobotNodeOptions {
  /** The ROS namespace, e.g. "arm". */
  readonly robot: string;
  readonly model: RobotModel;
  readonly client: ServoClient;
  readonly clock: Clock;
  readonly jointStateRateHz: number;
  readonly transformRateHz: number;
  readonly accepting: () => boolean;
  readonly log: TrajectoryInputOptions["log"];
}

export interface RobotNode {
  readonly trajectories: TrajectoryInput;
  diagnostics(): readonly DiagnosticItem[];
  close(): void;
}

export function startRobotNode(node: RosNode, options: RobotNodeOptions): RobotNode {
  const { robot, model, client, clock } = options;
  node
    .publisher("std_msgs/msg/String", `/${robot}/robot_description`, "latched")
    .publish(writeString(model.urdf));
  const still = fixedTransforms(model.fixed);
  still.stamp(clock.epochNs());
  node.publisher("tf2_msgs/msg/TFMessage", "/tf_static", "latched").publish(still.bytes);

  const jointCommands = node.publisher("sensor_msgs/msg/JointState", `/${robot}/joint_command`, "reliable");
  const transforms = node.publisher("tf2_msgs/msg/TFMessage", "/tf", "reliable");
  const measured = new MeasuredState(node, robot, model);
  const command = new JointStateMessage(model.jointNames);
  const links = new LinkTransforms(model);
  const stateDue = rateGate(options.jointStateRateHz);
  const commandDue = rateGate(options.jointStateRateHz);
  const transformDue = rateGate(options.transformRateHz);
  let stateSequence = 0;

  const stopListening = client.onSnapshot((snapshot) => {
    const mapping = measureMapping(clock);
    // A device state that does not change is not published again: silence is how others see that it is stale.
    if (snapshot.stateSequence !== stateSequence && stateDue(snapshot.tickNs)) {
      stateSequence = snapshot.stateSequence;
      measured.publish(snapshot, toEpochNs(mapping, snapshot.stateNs));
    }
    if (commandDue(snapshot.tickNs)) {
      for (let joint = 0; joint < snapshot.sentRad.length; joint++) {
        command.set(joint, snapshot.sentRad[joint]!, 0, 0);
      }
      command.stamp(toEpochNs(mapping, snapshot.tickNs));
      jointCommands.publish(command.bytes);
    }
    if (transformDue(snapshot.tickNs) && model.links.length > 0) {
      links.fill(snapshot);
      links.message.stamp(toEpochNs(mapping, snapshot.stateNs));
      transforms.publish(links.message.bytes);
    }
  });

  const trajectories = new TrajectoryInput({ ...options, reference: model.trajectoryReference });
  const stopTrajectories = node.subscribe(
    "trajectory_msgs/msg/JointTrajectory",
    `/${robot}/joint_trajectory`,
    "reliable",
    (message) => void trajectories.accept(message),
  );
  return {
    trajectories,
    diagnostics: () => [trajectories.diagnostic()],
    close: () => {
      stopListening();
      stopTrajectories();
      trajectories.cancel();
    },
  };
}

/** What the device said: its joints, and where that puts fingertips. */
class MeasuredState {
  readonly #model: RobotModel;
  readonly #joints: JointStateMessage;
  /** Once the further joint is known. */
  readonly #all: JointStateMessage;
  readonly #states: ReturnType<RosNode["publisher"]>;
  readonly #tips: { readonly message: PoseArrayMessage; readonly poses: Float64Array } | undefined;
  readonly #tipsPublisher: ReturnType<RosNode["publisher"]> | undefined;

  constructor(node: RosNode, robot: string, model: RobotModel) {
    const { jointNames, furtherJoint, fingertips } = model;
    this.#model = model;
    this.#joints = new JointStateMessage(jointNames);
    this.#all =
      furtherJoint === undefined ? this.#joints : new JointStateMessage([...jointNames, furtherJoint.name]);
    this.#states = node.publisher("sensor_msgs/msg/JointState", `/${robot}/joint_states`, "reliable");
    if (fingertips === undefined) return;
    const { frame, count } = fingertips;
    this.#tips = { message: new PoseArrayMessage(frame, count), poses: new Float64Array(7 * count) };
    this.#tipsPublisher = node.publisher("geometry_msgs/msg/PoseArray", `/${robot}/fingertips`, "reliable");
  }

  publish(snapshot: ServoSnapshot, stampNs: Parameters<JointStateMessage["stamp"]>[0]): void {
    const { positionRad, velocityRadPerS, effortNm } = snapshot;
    const furtherRad = this.#model.furtherJoint?.angleRad(snapshot) ?? Number.NaN;
    const message = Number.isFinite(furtherRad) ? this.#all : this.#joints;
    for (let joint = 0; joint < positionRad.length; joint++)
      message.set(joint, positionRad[joint]!, velocityRadPerS[joint]!, effortNm[joint]!);
    if (Number.isFinite(furtherRad)) message.set(positionRad.length, furtherRad, 0, 0);
    message.stamp(stampNs);
    this.#states.publish(message.bytes);
    if (this.#tips === undefined) return;
    this.#model.fingertips!.update(positionRad, this.#tips.poses);
    this.#tips.message.set(this.#tips.poses);
    this.#tips.message.stamp(stampNs);
    this.#tipsPublisher!.publish(this.#tips.message.bytes);
  }
}

/** Says yes on a fixed grid of times; a late caller skips grid points and never catches up with a burst. */
export function rateGate(rateHz: number): (nowNs: MonotonicNs) => boolean {
  const periodNs = BigInt(Math.round(Number(NS_PER_S) / rateHz));
  let dueNs = 0n;
  return (nowNs) => {
    if (nowNs < dueNs) return false;
    dueNs = dueNs === 0n ? nowNs + periodNs : dueNs + ((nowNs - dueNs) / periodNs + 1n) * periodNs;
    return true;
  };
}

export function fixedTransforms(frames: readonly Placement[]): TransformsMessage {
  const message = new TransformsMessage(frames);
  frames.forEach(({ pose }, index) => {
    message.set(index, pose.positionM, pose.quatXyzw);
  });
  return message;
}

/** Parent-to-child transforms of every moving link. */
export class LinkTransforms {
  readonly message: TransformsMessage;
  readonly #model: Pick<RobotModel, "links" | "anglesRad">;
  readonly #anglesRad: Float64Array;

  constructor(model: Pick<RobotModel, "links" | "anglesRad">) {
    this.#model = model;
    this.#anglesRad = new Float64Array(model.links.length);
    this.message = new TransformsMessage(model.links);
  }

  fill(snapshot: ServoSnapshot): void {
    this.#model.anglesRad(snapshot, this.#anglesRad);
    this.#model.links.forEach(({ joint }, index) => {
      const turned = jointPose(joint, this.#anglesRad[index]!);
      this.message.set(index, turned.positionM, turned.quatXyzw);
    });
  }
}

function jointPose(joint: Joint, angleRad: number): Pose {
  const origin: Pose = { positionM: joint.originM, quatXyzw: quatFromRpy(...joint.rpyRad) };
  const [sin, cos] = [Math.sin(angleRad / 2), Math.cos(angleRad / 2)];
  const [ax, ay, az] = joint.axis;
  return compose(origin, { positionM: [0, 0, 0], quatXyzw: [ax * sin, ay * sin, az * sin, cos] });
}
