/** One robot in the scene: measured pose solid, sent pose as a ghost, and what it carries on its flange. */
import {
  CylinderGeometry,
  Group,
  Mesh,
  type MeshBasicMaterial,
  type MeshStandardMaterial,
  Quaternion,
  SphereGeometry,
  Vector3,
} from "three";
import URDFLoader, { type URDFRobot } from "urdf-loader";
import type { BaseTelemetry, RobotDescription } from "../../../core/gateway/server.js";
import { kindOf, type RobotKind } from "../../shared/joints.js";

export interface FigurePose {
  readonly positionRad: readonly (number | null)[];
  readonly sentRad: readonly (number | null)[];
  readonly gripperOpeningM: number | null;
  readonly base: BaseTelemetry | null;
}

export interface FigureMaterials {
  readonly solid: MeshStandardMaterial;
  readonly ghost: MeshBasicMaterial;
}

/** Sent and measured differ visibly from here [rad]; below, the ghost would only flicker. A hand's or leg's PD sags. */
const GHOST_RAD_MIN: Readonly<Record<RobotKind, number>> = { arm: 0.01, hand: 0.05, legs: 0.1 };
const DRIVE_JOINT = "drive_joint";
const GRIPPER_OPEN_M = 0.085;
const GRIPPER_CLOSED_RAD = 0.85;
const FLANGE_LINK = "link7";
/** Of the bones of a robot whose shape nobody knows. */
const BONE_RADIUS_M = 0.005;
const KNUCKLE_RADIUS_M = 0.008;

export class RobotFigure {
  readonly solid: URDFRobot;
  readonly ghost: URDFRobot;
  readonly #robot: RobotDescription;
  readonly #placeM = new Vector3();
  readonly #turn = new Quaternion();

  constructor(robot: RobotDescription, materials: FigureMaterials) {
    this.#robot = robot;
    this.solid = loadRobot(robot.urdf, materials.solid);
    this.ghost = loadRobot(robot.urdf, materials.ghost);
    const { mount } = robot;
    if (mount === undefined) return;
    for (const one of [this.solid, this.ghost]) {
      one.position.fromArray(mount.positionM);
      one.quaternion.fromArray(mount.quatXyzw);
    }
  }

  /** Another robot on this one's flange, where its mount says. */
  carry(other: RobotFigure): void {
    this.solid.links[FLANGE_LINK]?.add(other.solid);
    this.ghost.links[FLANGE_LINK]?.add(other.ghost);
  }

  /** Whether anything looks different now. */
  show({ positionRad, sentRad, gripperOpeningM, base }: FigurePose): boolean {
    const { jointNames } = this.#robot;
    let hasChanged = setJoints(this.solid, jointNames, positionRad);
    hasChanged = setJoints(this.ghost, jointNames, sentRad) || hasChanged;
    if (base !== null) hasChanged = this.#place(base) || hasChanged;
    if (gripperOpeningM !== null) {
      const closedRad = GRIPPER_CLOSED_RAD * (1 - Math.min(1, Math.max(0, gripperOpeningM / GRIPPER_OPEN_M)));
      for (const one of [this.solid, this.ghost])
        hasChanged = one.setJointValue(DRIVE_JOINT, closedRad) || hasChanged;
    }
    return hasChanged;
  }

  /** A robot on legs stands where its odometry says; nobody sends its passive joints, so the ghost has them as measured. */
  #place({ positionM, quatXyzw, passiveRad }: BaseTelemetry): boolean {
    const passive = this.#robot.legs?.passiveJointNames ?? [];
    this.#placeM.fromArray(positionM);
    this.#turn.fromArray(quatXyzw);
    let hasChanged = false;
    for (const one of [this.solid, this.ghost]) {
      const isThere = one.position.equals(this.#placeM) && one.quaternion.equals(this.#turn);
      one.position.copy(this.#placeM);
      one.quaternion.copy(this.#turn);
      hasChanged = setJoints(one, passive, passiveRad) || !isThere || hasChanged;
    }
    return hasChanged;
  }

  isApart({ positionRad, sentRad }: FigurePose): boolean {
    const leastRad = GHOST_RAD_MIN[kindOf(this.#robot)];
    return sentRad.some(
      (sent, joint) => Math.abs((sent ?? 0) - (positionRad[joint] ?? sent ?? 0)) > leastRad,
    );
  }
}

function loadRobot(urdf: string, material: MeshStandardMaterial | MeshBasicMaterial): URDFRobot {
  const loader = new URDFLoader();
  // Primitives only: nothing is ever loaded over the network.
  loader.loadMeshCb = (_path, _manager, _material, onLoad) => onLoad(new Group());
  const robot = loader.parse(urdf);
  let meshes = 0;
  robot.traverse((part) => {
    if (!(part instanceof Mesh)) return;
    part.material = material;
    meshes++;
  });
  if (meshes === 0) drawBones(robot, material);
  return robot;
}

/** Frames of which no shape is known, as bones from each joint to the next. */
function drawBones(robot: URDFRobot, material: MeshStandardMaterial | MeshBasicMaterial): void {
  const joints = Object.values(robot.joints);
  const palm = new Mesh(new SphereGeometry(2 * KNUCKLE_RADIUS_M, 16, 12), material);
  robot.add(palm);
  for (const joint of joints) {
    joint.add(new Mesh(new SphereGeometry(KNUCKLE_RADIUS_M, 16, 12), material));
    const lengthM = joint.position.length();
    if (lengthM < BONE_RADIUS_M || joint.parent === null) continue;
    const bone = new Mesh(new CylinderGeometry(BONE_RADIUS_M, BONE_RADIUS_M, lengthM, 12), material);
    bone.position.copy(joint.position).multiplyScalar(0.5);
    // A cylinder of three lies along y.
    bone.quaternion.copy(
      new Quaternion().setFromUnitVectors(new Vector3(0, 1, 0), joint.position.clone().normalize()),
    );
    joint.parent.add(bone);
  }
}

function setJoints(
  robot: URDFRobot,
  names: readonly string[],
  valuesRad: readonly (number | null)[],
): boolean {
  let hasChanged = false;
  for (const [index, name] of names.entries()) {
    const value = valuesRad[index];
    if (value != null) hasChanged = robot.setJointValue(name, value) || hasChanged;
  }
  return hasChanged;
}
