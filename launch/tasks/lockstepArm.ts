/**
 * The arm's cell in simulated time, in this process and as fast as it goes: the lab's physics and cameras, and the
 * servo's own interpolator and limiter. Whoever moves the arm is asked once a period what it wants; what it is shown, and
 * when its answer reaches arm and gripper, is as in the paced cell (median delays, without jitter).
 */
import { msToMonotonicNs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import { limitsOfGeneration } from "../../drivers/xarm7/limits.js";
import { openingFromDriveM } from "../../kinematics/xarmGripper.js";
import { WorldView } from "../../lab/camera/worldView.js";
import type { LabTruth } from "../../lab/control/protocol.js";
import { tableTruth } from "../../lab/truth.js";
import { layoutOf } from "../../lab/world/layout.js";
import { WorldMemory } from "../../lab/world/memory.js";
import type { LabCamera } from "../../lab/world/mount.js";
import { armWorld, housedOf } from "../../lab/world/parts.js";
import { Physics } from "../../lab/world/physics.js";
import type { SceneOptions, SceneRequest, TableName } from "../../lab/world/scene.js";
import type { TableScene } from "../../lab/world/tables.js";
import { drawTableScene } from "../../lab/world/worldScene.js";
import { pictureCamera, policyRobots } from "../../runtime/policy/config.js";
import { type LimiterLimits, limitsInForce } from "../../runtime/servo/limits.js";
import { Motion } from "../../runtime/servo/motion.js";
import { armBody } from "../armBody.js";
import { labCameraOf } from "../cell/labCamera.js";
import type { CellConfig } from "../cell/schema.js";
import { type TruthSample, toSample } from "./truth.js";

/** From an image's stamp to the first setpoint that its step leads to, as measured in the paced cell (median). */
export const IMAGE_TO_WIRE_MS = 52;
/** From there to the gripper: its driver tends it ten times a second. */
const WIRE_TO_GRIPPER_MS = 50;
/** An opening that was asked for is first read this long after, then every so often: position, status, error in turn. */
const OPENING_FIRST_MS = 200;
const OPENING_EVERY_MS = 600;
/** Boxes come to rest before anybody moves. */
const SETTLE_MS = 300;
/** Fingers are where they begin when they are this near [m], and no longer waited for than so long. */
const FINGERS_OFF_M = 0.002;
const FINGERS_MS_MAX = 2000;
const SAMPLE_MS = 50;
const START_SPEED_M_PER_S = 0.1;
/** Of the fingers at the speed that the driver sets (1500 r/min), as the emulated gripper has it. */
const GRIPPER_SPEED_M_PER_S = 0.036;

export interface StartPose {
  readonly positionRad: readonly number[];
  readonly gripperOpeningM?: number | undefined;
}

/** What one camera saw. */
export interface CameraPicture {
  readonly camera: LabCamera;
  /** Packed rgb8; the same memory every time. */
  readonly pixels: Uint8Array;
}

/** What is known at the moment of an image. */
export interface Seen {
  readonly atMs: number;
  /** Joint angles then [7, rad]; the same memory every time. */
  readonly positionRad: Float64Array;
  /** Newest opening that was read from the gripper, and newest that was asked for [m]. */
  readonly openingM: number;
  readonly askedM: number;
  /** The picture that the policy sees, packed rgb8; the same memory every time. */
  readonly pixels: Uint8Array;
  /** That one and those of all other cameras that are rendered, in the cell's order. */
  readonly pictures: readonly CameraPicture[];
}

export interface Wanted {
  readonly targetRad: Float64Array;
  /** Opening to ask for [m]; left out where the gripper is left alone. */
  readonly openingM?: number | undefined;
}

/** One tick of the servo. Vectors are memory of the cell's own. */
export interface ArmTick {
  readonly atMs: number;
  readonly positionRad: Float64Array;
  readonly velocityRadPerS: Float64Array;
  readonly effortNm: Float64Array;
  readonly requestedRad: Float64Array;
  readonly limitedRad: Float64Array;
  readonly sentRad: Float64Array;
  readonly reasons: number;
  /** Commands that have taken effect. */
  readonly commandCount: number;
  readonly askedM: number;
  readonly openingM: number;
}

export interface ArmRun {
  readonly endMs: number;
  readonly periodMs: number;
  readonly decide: (seen: Seen) => Promise<Wanted>;
  /** Ground truth, 20 times a second. */
  readonly onSample: (sample: TruthSample) => void;
  readonly onTick?: (tick: ArmTick) => Promise<void> | void;
  /** Asked before every image. */
  readonly isOver?: () => boolean;
}

interface Parts {
  /** Of every camera that is rendered, in the cell's order; one of them is the policy's. */
  readonly views: readonly WorldView[];
  readonly policyView: WorldView;
  readonly look: SceneOptions;
  readonly physics: Physics;
  readonly memory: WorldMemory;
  readonly limits: LimiterLimits;
  readonly newMotion: () => Motion;
  readonly servoPeriodMs: number;
  readonly physicsStepMs: number;
}

/** What happens when [ms of the run]: physics, servo, images, truth; each keeps a grid of its own. */
type Due = Record<"physicsMs" | "servoMs" | "imageMs" | "sampleMs", number>;

export class LockstepArm {
  readonly #parts: Parts;
  readonly #positionRad: Float64Array;
  #motion: Motion;
  #gripper = new ReadGripper(Number.NaN);
  #scene: TableScene | undefined;

  /**
   * @param world what is on the arm's table, whatever the cell's own lab has there
   * @param rendered the policy's camera, or every camera of the cell
   * @throws CerebellumError CONFIG_INVALID for a cell that is no lab with a policy, its robot and its camera
   */
  static async open(
    cell: CellConfig,
    world: TableName,
    rendered: "policy" | "all" = "policy",
  ): Promise<LockstepArm> {
    const { lab, policy } = cell;
    const robotName = policy && policyRobots(policy)[0];
    const robot = robotName === undefined ? undefined : cell.robots[robotName];
    const cameras = Object.entries(cell.cameras)
      .filter(([, { mount }]) => mount.robot === robotName)
      .map(([name, camera]) => labCameraOf(name, camera));
    const seen = cameras.find(({ name }) => policy !== undefined && name === pictureCamera(policy));
    if (lab === undefined || policy === undefined || robot?.device !== "xarm7" || seen === undefined) {
      throw new CerebellumError(
        "CONFIG_INVALID",
        `Cell ${cell.name} has no lab with a policy, its robot and its camera`,
        "Use launch/cells/xarm7-lab.yaml",
      );
    }
    const { servo, xarm7 } = robot;
    const limits = limitsInForce(limitsOfGeneration(0), servo);
    const parts = armWorld(housedOf(cameras), world);
    const memory = new WorldMemory(layoutOf(parts));
    const physics = await Physics.load(parts, lab.physicsStepMs, memory);
    const views = cameras
      .filter((camera) => camera === seen || rendered === "all")
      .map((camera) => new WorldView(physics.world, camera, camera));
    return new LockstepArm(world, {
      views,
      policyView: views.find(({ camera }) => camera === seen)!,
      look: lab.randomise,
      physics,
      memory,
      limits,
      newMotion: () => new Motion(limits, armBody(xarm7, servo), 1 / servo.rateHz),
      servoPeriodMs: 1000 / servo.rateHz,
      physicsStepMs: lab.physicsStepMs,
    });
  }

  private constructor(
    readonly world: TableName,
    parts: Parts,
  ) {
    this.#parts = parts;
    this.#positionRad = parts.memory.targetRad.slice();
    this.#motion = parts.newMotion();
  }

  get limits(): LimiterLimits {
    return this.#parts.limits;
  }

  /** Those that are rendered, in the cell's order. */
  get cameras(): readonly LabCamera[] {
    return this.#parts.views.map(({ camera }) => camera);
  }

  get servoRateHz(): number {
    return 1000 / this.#parts.servoPeriodMs;
  }

  /** The scene at rest, and the arm standing at its start. */
  begin(request: SceneRequest, start: StartPose): void {
    const { physics, memory, views, look } = this.#parts;
    const ofWorld = { ...request, props: this.world };
    physics.reset();
    physics.applyScene(ofWorld, look);
    this.#scene = drawTableScene(ofWorld, look);
    for (const view of views) view.setScene(this.#scene);
    memory.enabled = true;
    if (start.gripperOpeningM !== undefined) memory.setGripper(start.gripperOpeningM, START_SPEED_M_PER_S);
    physics.teleport(start.positionRad);
    // Fingers that begin closed come from where the model has them, open.
    const isUnderWay = () =>
      Math.abs(this.openingM() - (start.gripperOpeningM ?? this.openingM())) > FINGERS_OFF_M;
    for (let ms = 0; ms < SETTLE_MS || (ms < FINGERS_MS_MAX && isUnderWay()); ms += this.#parts.physicsStepMs)
      physics.step();
    this.#motion = this.#parts.newMotion();
    this.#motion.startAt(this.#measured());
    this.#gripper = new ReadGripper(start.gripperOpeningM ?? Number.NaN);
  }

  async run({ endMs, periodMs, decide, onSample, onTick, isOver = () => false }: ArmRun): Promise<void> {
    const { servoPeriodMs, physicsStepMs, physics, memory } = this.#parts;
    const motion = this.#motion;
    const gripper = this.#gripper;
    const due: Due = { physicsMs: 0, servoMs: 0, imageMs: 0, sampleMs: 0 };
    let command: (Wanted & { readonly atMs: number }) | undefined;
    let commandCount = 0;
    let requestedRad: Float64Array = motion.sentRad.slice();
    for (let nowMs = 0; nowMs <= endMs; nowMs = Math.min(...Object.values(due))) {
      if (nowMs >= due.sampleMs) {
        onSample(toSample(this.truth(), nowMs / 1000));
        due.sampleMs += SAMPLE_MS;
      }
      if (nowMs >= due.imageMs) {
        if (isOver()) return;
        command = { atMs: nowMs + IMAGE_TO_WIRE_MS, ...(await decide(this.#see(nowMs))) };
        due.imageMs += periodMs;
      }
      if (nowMs >= due.servoMs) {
        if (command !== undefined && nowMs >= command.atMs) {
          motion.follow(command.targetRad, 1, nowMs);
          requestedRad = command.targetRad;
          if (command.openingM !== undefined) gripper.ask(command.openingM, nowMs);
          command = undefined;
          commandCount++;
        }
        if (gripper.isDue(nowMs)) memory.setGripper(gripper.askedM, GRIPPER_SPEED_M_PER_S);
        motion.next();
        motion.accept();
        memory.targetRad.set(motion.sentRad);
        if (onTick !== undefined) await onTick(this.#tick(nowMs, requestedRad, commandCount));
        due.servoMs += servoPeriodMs;
      }
      if (nowMs >= due.physicsMs) {
        physics.step();
        due.physicsMs += physicsStepMs;
      }
    }
  }

  /** What the lab's truth would be now. */
  truth(): LabTruth {
    const { physics, memory } = this.#parts;
    const { world, timeS } = physics;
    world.kinematics();
    const { layout, qpos, toolM } = world;
    const now = { qpos, toolM, timeS, atNs: msToMonotonicNs(1000 * timeS) };
    return tableTruth(layout, now, memory.targetRad, this.#scene!);
  }

  /** Between the pads now [m], whenever it was last read. */
  openingM(): number {
    const { layout, qpos } = this.#parts.physics.world;
    return openingFromDriveM(qpos[layout.driveIndex]!);
  }

  dispose(): void {
    this.#parts.physics.dispose();
  }

  #measured(): Float64Array {
    const { qpos } = this.#parts.physics.world;
    this.#positionRad.set(qpos.subarray(0, this.#positionRad.length));
    return this.#positionRad;
  }

  #see(atMs: number): Seen {
    const { physics, views, policyView } = this.#parts;
    physics.world.kinematics();
    for (const view of views) view.renderCamera(view.cameraIntrinsics());
    const openingM = this.#gripper.read(this.openingM(), atMs);
    return {
      atMs,
      positionRad: this.#measured(),
      openingM,
      askedM: this.#gripper.askedM,
      pixels: new Uint8Array(policyView.rgb.buffer),
      pictures: views.map(({ camera, rgb }) => ({ camera, pixels: new Uint8Array(rgb.buffer) })),
    };
  }

  #tick(atMs: number, requestedRad: Float64Array, commandCount: number): ArmTick {
    const { world } = this.#parts.physics;
    const joints = this.#positionRad.length;
    const motion = this.#motion;
    return {
      atMs,
      positionRad: world.qpos.slice(0, joints),
      velocityRadPerS: world.qvel.slice(0, joints),
      effortNm: Float64Array.from({ length: joints }, (_, joint) => world.actuatorForce[joint]!),
      requestedRad,
      limitedRad: motion.limitedRad,
      sentRad: motion.sentRad,
      reasons: motion.reasons,
      commandCount,
      askedM: this.#gripper.askedM,
      openingM: this.#gripper.read(this.openingM(), atMs),
    };
  }
}

/** The gripper behind its slow bus: what was asked for leaves a moment later, and its opening is read now and then. */
class ReadGripper {
  askedM: number;
  #leavesMs = Number.POSITIVE_INFINITY;
  #nextReadMs = 0;
  #readM = Number.NaN;

  constructor(askedM: number) {
    this.askedM = askedM;
  }

  ask(openingM: number, nowMs: number): void {
    if (openingM === this.askedM) return;
    this.askedM = openingM;
    this.#leavesMs = nowMs + WIRE_TO_GRIPPER_MS;
    this.#nextReadMs = this.#leavesMs + OPENING_FIRST_MS;
  }

  /** Once for each opening that was asked for. */
  isDue(nowMs: number): boolean {
    if (nowMs < this.#leavesMs) return false;
    this.#leavesMs = Number.POSITIVE_INFINITY;
    return true;
  }

  /** @param openingM the true one now */
  read(openingM: number, nowMs: number): number {
    if (nowMs < this.#nextReadMs) return this.#readM;
    this.#readM = openingM;
    while (this.#nextReadMs <= nowMs) this.#nextReadMs += OPENING_EVERY_MS;
    return openingM;
  }
}
