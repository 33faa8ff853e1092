/**
 * One robot on legs on ROS: all its joints, joints as sent, its base in its odometry's frame, its inertial sensor, and the
 * velocity that it is asked to walk at. Topics lie below `/<robot>`. It takes no trajectories: what it is told must balance it.
 */
import { z } from "zod";
import { type Clock, type EpochNs, measureMapping, toEpochNs } from "../../core/clock.js";
import type { VelocityCommand } from "../../core/floatingBase.js";
import { writeString } from "../../core/rosWire.js";
import type { ServoClient, ServoSnapshot } from "../servo/api.js";
import type { DiagnosticItem } from "../supervisor.js";
import { ImuMessage } from "./imuMessage.js";
import type { LegModel } from "./legModel.js";
import { fixedTransforms, LinkTransforms, rateGate } from "./robotNode.js";
import type { RosNode } from "./rosRuntime.js";
import { JointStateMessage, TransformsMessage } from "./stateMessages.js";

export interface LegNodeOptions {
  /** The ROS namespace, e.g. "digit". */
  readonly robot: string;
  readonly model: LegModel;
  readonly client: ServoClient;
  readonly clock: Clock;
  readonly jointStateRateHz: number;
  readonly transformRateHz: number;
  /** False while the daemon's node is not active: velocities are then refused. */
  readonly accepting: () => boolean;
  /** @returns why it does not count; undefined when it does */
  readonly onVelocity: (velocity: VelocityCommand) => string | undefined;
}

export interface LegNode {
  diagnostics(): readonly DiagnosticItem[];
  close(): void;
}

const Axes = z.object({ x: z.number(), y: z.number(), z: z.number() });
/** geometry_msgs/msg/Twist; only what a walking robot can do is read. */
const Twist = z.object({ linear: Axes, angular: Axes });

export function startLegNode(node: RosNode, options: LegNodeOptions): LegNode {
  const { robot, model, client, clock } = options;
  node
    .publisher("std_msgs/msg/String", `/${robot}/robot_description`, "latched")
    .publish(writeString(model.urdf));
  const still = fixedTransforms(model.fixed);
  still.stamp(clock.epochNs());
  node.publisher("tf2_msgs/msg/TFMessage", "/tf_static", "latched").publish(still.bytes);

  const jointCommands = node.publisher("sensor_msgs/msg/JointState", `/${robot}/joint_command`, "reliable");
  const transforms = node.publisher("tf2_msgs/msg/TFMessage", "/tf", "reliable");
  const measured = new MeasuredLegs(node, robot, model);
  const command = new JointStateMessage(model.jointNames);
  const links = new LinkTransforms(model);
  const base = new TransformsMessage([{ parent: model.base.odometryFrame, child: model.base.link }]);
  const stateDue = rateGate(options.jointStateRateHz);
  const commandDue = rateGate(options.jointStateRateHz);
  const transformDue = rateGate(options.transformRateHz);
  let stateSequence = 0;

  const stopListening = client.onSnapshot((snapshot) => {
    const stateIsNew = snapshot.stateSequence !== stateSequence;
    const [tellsState, tellsCommand, tellsFrames] = [
      // A device state that does not change is not published again: silence is how others see that it is stale.
      stateIsNew && stateDue(snapshot.tickNs),
      commandDue(snapshot.tickNs),
      transformDue(snapshot.tickNs),
    ];
    if (!tellsState && !tellsCommand && !tellsFrames) return;
    const mapping = measureMapping(clock);
    const stateStampNs = toEpochNs(mapping, snapshot.stateNs);
    if (tellsState) {
      stateSequence = snapshot.stateSequence;
      measured.publish(snapshot, stateStampNs);
    }
    if (tellsCommand) {
      for (let joint = 0; joint < snapshot.sentRad.length; joint++)
        command.set(joint, snapshot.sentRad[joint]!, 0, 0);
      command.stamp(toEpochNs(mapping, snapshot.tickNs));
      jointCommands.publish(command.bytes);
    }
    if (!tellsFrames) return;
    links.fill(snapshot);
    links.message.stamp(stateStampNs);
    transforms.publish(links.message.bytes);
    if (snapshot.base === undefined) return;
    base.set(0, snapshot.base.translationWorldM, snapshot.base.quatWorldBaseXyzw);
    base.stamp(stateStampNs);
    transforms.publish(base.bytes);
  });

  const velocities = new VelocityInput(options);
  const stopVelocities = node.subscribe(
    "geometry_msgs/msg/Twist",
    `/${robot}/cmd_vel`,
    "reliable",
    (message) => velocities.accept(message),
  );
  return {
    diagnostics: () => [velocities.diagnostic()],
    close: () => {
      stopListening();
      stopVelocities();
    },
  };
}

/** What the device said: every joint, those without motor after the others, and its inertial sensor. */
class MeasuredLegs {
  readonly #joints: JointStateMessage;
  readonly #states: ReturnType<RosNode["publisher"]>;
  readonly #imu: ImuMessage;
  readonly #imuPublisher: ReturnType<RosNode["publisher"]>;

  constructor(node: RosNode, robot: string, { jointNames, passiveJointNames, base }: LegModel) {
    this.#joints = new JointStateMessage([...jointNames, ...passiveJointNames]);
    this.#states = node.publisher("sensor_msgs/msg/JointState", `/${robot}/joint_states`, "reliable");
    this.#imu = new ImuMessage(base.link);
    this.#imuPublisher = node.publisher("sensor_msgs/msg/Imu", `/${robot}/imu`, "reliable");
  }

  publish({ positionRad, velocityRadPerS, effortNm, base }: ServoSnapshot, stampNs: EpochNs): void {
    const motors = positionRad.length;
    for (let joint = 0; joint < motors; joint++)
      this.#joints.set(joint, positionRad[joint]!, velocityRadPerS[joint]!, effortNm[joint]!);
    const passive = base?.passivePositionRad.length ?? 0;
    for (let joint = 0; joint < passive; joint++)
      this.#joints.set(
        motors + joint,
        base!.passivePositionRad[joint]!,
        base!.passiveVelocityRadPerS[joint]!,
        0,
      );
    this.#joints.stamp(stampNs);
    this.#states.publish(this.#joints.bytes);
    if (base === undefined) return;
    this.#imu.set(base.quatWorldBaseXyzw, base.angularVelocityBaseRadPerS, base.specificForceBaseMPerS2);
    this.#imu.stamp(stampNs);
    this.#imuPublisher.publish(this.#imu.bytes);
  }
}

/** Velocities from the topic. What is taken stands for a moment only: whoever drives says it again and again. */
class VelocityInput {
  readonly #options: LegNodeOptions;
  #taken = 0;
  #refused = 0;
  #newest = "none yet";

  constructor(options: LegNodeOptions) {
    this.#options = options;
  }

  accept(raw: unknown): void {
    const parsed = Twist.safeParse(raw);
    if (!parsed.success) {
      this.#refuse(`not a finite Twist: ${parsed.error.issues[0]?.message}`);
      return;
    }
    if (!this.#options.accepting()) {
      this.#refuse("the daemon's node is not active; activate /cerebellum first");
      return;
    }
    const { linear, angular } = parsed.data;
    const why = this.#options.onVelocity({
      forwardMPerS: linear.x,
      leftMPerS: linear.y,
      yawRateRadPerS: angular.z,
    });
    if (why !== undefined) {
      this.#refuse(why);
      return;
    }
    this.#taken++;
    this.#newest = `${linear.x.toFixed(2)} m/s forward, ${linear.y.toFixed(2)} m/s left, ${angular.z.toFixed(2)} rad/s`;
  }

  diagnostic(): DiagnosticItem {
    const { robot } = this.#options;
    return {
      name: `cmd_vel: ${robot}`,
      hardwareId: robot,
      level: this.#newest.startsWith("refused") ? "warn" : "ok",
      message: this.#newest,
      values: { takenCount: this.#taken, refusedCount: this.#refused },
    };
  }

  #refuse(reason: string): void {
    this.#refused++;
    this.#newest = `refused: ${reason}`;
  }
}
