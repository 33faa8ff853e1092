/**
 * One robot on ROS: measured joints, joints as sent, link transforms, robot description, and the trajectory input.
 * Topics lie below `/<robot>`. Renames and restamps; decides nothing but how often to publish.
 */
import { type Clock, type MonotonicNs, measureMapping, NS_PER_S, toEpochNs } from "../../core/clock.js";
import { writeString } from "../../core/rosWire.js";
import { compose, type Pose, quatFromRpy } from "../../kinematics/pose.js";
import { type CameraMount, fixedFrames, urdf } from "../../kinematics/urdf.js";
import { XARM7_JOINT_NAMES, XARM7_JOINTS } from "../../kinematics/xarm7.js";
import { DRIVE_JOINT, driveFromOpeningRad, GRIPPER_JOINTS } from "../../kinematics/xarmGripper.js";
import type { ServoClient, ServoSnapshot } from "../servo/api.js";
import type { DiagnosticItem } from "../supervisor.js";
import type { RosNode } from "./rosRuntime.js";
import { JointStateMessage, TransformsMessage } from "./stateMessages.js";
import { TrajectoryInput, type TrajectoryInputOptions } from "./trajectoryInput.js";

export interface ArmNodeOptions {
  /** The ROS namespace, e.g. "arm". */
  readonly robot: string;
  readonly client: ServoClient;
  readonly clock: Clock;
  readonly gripper: boolean;
  readonly cameras: readonly CameraMount[];
  readonly jointStateRateHz: number;
  readonly transformRateHz: number;
  /** Put before link names where several robots share one tf tree; "" for one robot. */
  readonly framePrefix?: string;
  readonly accepting: () => boolean;
  readonly log: TrajectoryInputOptions["log"];
}

export interface ArmNode {
  readonly trajectories: TrajectoryInput;
  diagnostics(): readonly DiagnosticItem[];
  close(): void;
}

export function startArmNode(node: RosNode, options: ArmNodeOptions): ArmNode {
  const { robot, client, clock, framePrefix = "" } = options;
  const description = { robotName: robot, gripper: options.gripper, cameras: options.cameras, framePrefix };
  node
    .publisher("std_msgs/msg/String", `/${robot}/robot_description`, "latched")
    .publish(writeString(urdf(description)));
  const still = fixedTransforms(description);
  still.stamp(clock.epochNs());
  node.publisher("tf2_msgs/msg/TFMessage", "/tf_static", "latched").publish(still.bytes);

  const jointStates = node.publisher("sensor_msgs/msg/JointState", `/${robot}/joint_states`, "reliable");
  const jointCommands = node.publisher("sensor_msgs/msg/JointState", `/${robot}/joint_command`, "reliable");
  const transforms = node.publisher("tf2_msgs/msg/TFMessage", "/tf", "reliable");
  const armOnly = new JointStateMessage(XARM7_JOINT_NAMES);
  const withGripper = new JointStateMessage([...XARM7_JOINT_NAMES, DRIVE_JOINT]);
  const command = new JointStateMessage(XARM7_JOINT_NAMES);
  const links = new LinkTransforms(options.gripper, framePrefix);
  const stateDue = rateGate(options.jointStateRateHz);
  const commandDue = rateGate(options.jointStateRateHz);
  const transformDue = rateGate(options.transformRateHz);
  let stateSequence = 0;

  const stopListening = client.onSnapshot((snapshot) => {
    const mapping = measureMapping(clock);
    // A device state that does not change is not published again: silence is how others see that it is stale.
    if (snapshot.stateSequence !== stateSequence && stateDue(snapshot.tickNs)) {
      stateSequence = snapshot.stateSequence;
      const message = Number.isFinite(snapshot.gripperOpeningM) ? withGripper : armOnly;
      fillMeasured(message, snapshot);
      message.stamp(toEpochNs(mapping, snapshot.stateNs));
      jointStates.publish(message.bytes);
    }
    if (commandDue(snapshot.tickNs)) {
      for (let joint = 0; joint < snapshot.sentRad.length; joint++) {
        command.set(joint, snapshot.sentRad[joint]!, 0, 0);
      }
      command.stamp(toEpochNs(mapping, snapshot.tickNs));
      jointCommands.publish(command.bytes);
    }
    if (transformDue(snapshot.tickNs)) {
      links.fill(snapshot.positionRad, snapshot.gripperOpeningM);
      links.message.stamp(toEpochNs(mapping, snapshot.stateNs));
      transforms.publish(links.message.bytes);
    }
  });

  const trajectories = new TrajectoryInput(options);
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

function fillMeasured(message: JointStateMessage, snapshot: ServoSnapshot): void {
  const { positionRad, velocityRadPerS, effortNm } = snapshot;
  for (let joint = 0; joint < positionRad.length; joint++) {
    message.set(joint, positionRad[joint]!, velocityRadPerS[joint]!, effortNm[joint]!);
  }
  if (message.names.length > positionRad.length) {
    message.set(positionRad.length, driveFromOpeningRad(snapshot.gripperOpeningM), 0, 0);
  }
}

/** Says yes on a fixed grid of times; a late caller skips grid points and never catches up with a burst. */
function rateGate(rateHz: number): (nowNs: MonotonicNs) => boolean {
  const periodNs = BigInt(Math.round(Number(NS_PER_S) / rateHz));
  let dueNs = 0n;
  return (nowNs) => {
    if (nowNs < dueNs) return false;
    dueNs = dueNs === 0n ? nowNs + periodNs : dueNs + ((nowNs - dueNs) / periodNs + 1n) * periodNs;
    return true;
  };
}

function fixedTransforms(description: Parameters<typeof fixedFrames>[0] & { framePrefix: string }) {
  const frames = fixedFrames(description);
  const prefixed = frames.map(({ parent, child }) => ({
    parent: description.framePrefix + parent,
    child: description.framePrefix + child,
  }));
  const message = new TransformsMessage(prefixed);
  frames.forEach(({ positionM, rpyRad }, index) => {
    message.set(index, positionM, quatFromRpy(...rpyRad));
  });
  return message;
}

/** Parent-to-child transforms of every moving link, arm and gripper. */
class LinkTransforms {
  readonly message: TransformsMessage;
  readonly #gripper: boolean;

  constructor(gripper: boolean, prefix: string) {
    this.#gripper = gripper;
    const joints = gripper ? [...XARM7_JOINTS, ...GRIPPER_JOINTS] : XARM7_JOINTS;
    this.message = new TransformsMessage(
      joints.map(({ parent, child }) => ({ parent: prefix + parent, child: prefix + child })),
    );
  }

  /** An opening that is unknown (NaN) draws the gripper open. */
  fill(positionRad: ArrayLike<number>, gripperOpeningM: number): void {
    XARM7_JOINTS.forEach((joint, index) => {
      this.#set(index, joint, positionRad[index]!);
    });
    if (!this.#gripper) return;
    const driveRad = Number.isFinite(gripperOpeningM) ? driveFromOpeningRad(gripperOpeningM) : 0;
    GRIPPER_JOINTS.forEach((joint, index) => {
      this.#set(XARM7_JOINTS.length + index, joint, driveRad);
    });
  }

  #set(index: number, joint: (typeof XARM7_JOINTS)[number], angleRad: number): void {
    const origin: Pose = { positionM: joint.originM, quatXyzw: quatFromRpy(...joint.rpyRad) };
    const [sin, cos] = [Math.sin(angleRad / 2), Math.cos(angleRad / 2)];
    const [ax, ay, az] = joint.axis;
    const turned = compose(origin, {
      positionM: [0, 0, 0],
      quatXyzw: [ax * sin, ay * sin, az * sin, cos],
    });
    this.message.set(index, turned.positionM, turned.quatXyzw);
  }
}
