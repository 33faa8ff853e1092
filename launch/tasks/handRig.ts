/**
 * A hand of the lab in simulated time, in this process: the lab's physics and overhead camera, the driver's own filter
 * and PD law, and the servo's own interpolator and limiter. Trials move it by a policy, demonstrations by a person's fingers.
 */

import { CerebellumError } from "../../core/errors.js";
import { gainsOf } from "../../drivers/allegro/config.js";
import { limitsOf } from "../../drivers/allegro/limits.js";
import { JointFilter, PdLaw, torqueOfCommand } from "../../drivers/allegro/protocol/index.js";
import { HAND_JOINT_COUNT } from "../../kinematics/allegro/hand.js";
import { WorldView } from "../../lab/camera/worldView.js";
import type { LabHandTruth } from "../../lab/control/protocol.js";
import { topOf } from "../../lab/world/handObjects.js";
import { drawHandScene, type HandScene, type HandSceneRequest } from "../../lab/world/handScene.js";
import { layoutOf } from "../../lab/world/layout.js";
import { WorldMemory } from "../../lab/world/memory.js";
import type { LabCamera } from "../../lab/world/mount.js";
import type { WorldParts } from "../../lab/world/parts.js";
import { Physics } from "../../lab/world/physics.js";
import type { SceneOptions } from "../../lab/world/scene.js";
import { pictureCamera } from "../../runtime/policy/config.js";
import { type LimiterLimits, limitsInForce } from "../../runtime/servo/limits.js";
import { Motion } from "../../runtime/servo/motion.js";
import { HandBody } from "../allegro/handBody.js";
import { labCameraOf } from "../cell/labCamera.js";
import type { HandRobotConfig } from "../cell/robotConfig.js";
import type { CellConfig } from "../cell/schema.js";

/** Things come to rest before anything moves. */
const SETTLE_MS = 300;
/** A finger sags on its spring, slowly, and stops where friction holds it. */
const SAG_MS = 2500;

interface Parts {
  readonly robot: HandRobotConfig;
  readonly camera: LabCamera;
  readonly look: SceneOptions;
  readonly physics: Physics;
  readonly physicsStepMs: number;
  readonly limits: LimiterLimits;
}

export type RigScene = Omit<HandSceneRequest, "props" | "side">;

export class HandRig {
  readonly limits: LimiterLimits;
  readonly camera: LabCamera;
  readonly view: WorldView;
  /** Measured [rad], updated by each tick. */
  readonly positionRad = new Float64Array(HAND_JOINT_COUNT);
  readonly #parts: Parts;
  readonly #law: PdLaw;
  readonly #filter = new JointFilter();
  readonly #command = new Int16Array(HAND_JOINT_COUNT);
  readonly #torqueNm = new Float64Array(HAND_JOINT_COUNT);
  readonly #tipsM = new Float64Array(12);
  #motion: Motion;
  #scene: HandScene | undefined;
  #ticks = 0;

  /** @throws CerebellumError CONFIG_INVALID for a cell that is no lab of a hand with a policy's camera */
  static async open(cell: CellConfig): Promise<HandRig> {
    const { lab, policy } = cell;
    const found = Object.entries(cell.robots).find(([, { device }]) => device === "allegro");
    const camera = policy && cell.cameras[pictureCamera(policy)];
    const robot = found?.[1];
    if (lab === undefined || policy === undefined || robot?.device !== "allegro" || camera === undefined)
      throw new CerebellumError(
        "CONFIG_INVALID",
        `Cell ${cell.name} has no lab with a hand, a policy and its camera`,
        "Use launch/cells/allegro-lab.yaml",
      );
    const labCamera = labCameraOf(pictureCamera(policy), camera);
    const { model, side } = robot.allegro;
    const world: WorldParts = {
      hand: {
        model,
        side,
        on: "stand",
        positionM: robot.mount.positionM,
        quatXyzw: robot.mount.quatXyzw,
      },
      props: "palm",
      camera: labCamera,
    };
    const memory = new WorldMemory(layoutOf(world));
    const physics = await Physics.load(world, lab.physicsStepMs, memory);
    const limits = limitsInForce(limitsOf(robot.allegro), robot.servo);
    const { physicsStepMs } = lab;
    return new HandRig({ robot, camera: labCamera, look: lab.randomise, physics, physicsStepMs, limits });
  }

  private constructor(parts: Parts) {
    const { robot, camera, physics, limits } = parts;
    this.#parts = parts;
    this.limits = limits;
    this.camera = camera;
    this.view = new WorldView(physics.world, camera, camera);
    this.#law = new PdLaw(robot.allegro.model, gainsOf(robot.allegro.model, robot.allegro.gains));
    this.#motion = this.#newMotion();
  }

  get hand(): Pick<HandRobotConfig["allegro"], "model" | "side"> {
    return this.#parts.robot.allegro;
  }
  get tickMs(): number {
    return this.#parts.robot.allegro.periodMs;
  }
  /** Since `begin`; negative while it lasts. */
  get timeMs(): number {
    return this.#ticks * this.tickMs;
  }
  /** Newest setpoint [rad]. */
  get sentRad(): Float64Array {
    return this.#motion.sentRad;
  }

  /**
   * The hand has come to a setpoint and hangs still at it, as after a guarded approach, and the scene lies at rest on it.
   *
   * @param startRad the setpoint
   * @param fromRad where the hand came from: friction then leaves its joints on other sides of their setpoints
   */
  begin(scene: RigScene, startRad: ArrayLike<number>, fromRad: ArrayLike<number> = startRad): void {
    const { physics, look, robot } = this.#parts;
    const request = { ...scene, props: "palm", side: robot.allegro.side } as const;
    physics.reset();
    // Already now, or what lies on the hand meanwhile would be of the scene before.
    physics.applyScene(request, look);
    physics.teleportHand(fromRad);
    this.#filter.reset();
    this.#ticks = -Math.ceil((SAG_MS + SETTLE_MS) / this.tickMs);
    this.#motion = this.#newMotion();
    this.#motion.startAt(Float64Array.from(fromRad));
    this.follow(Float64Array.from(startRad));
    while (this.timeMs < -SETTLE_MS) this.tick();
    this.#scene = drawHandScene(request, look);
    physics.applyScene(request, look);
    this.view.setScene(this.#scene);
    while (this.timeMs < 0) this.tick();
  }

  /** @param targetRad within the limits */
  follow(targetRad: Float64Array): void {
    this.#motion.follow(targetRad, 1, this.timeMs);
  }

  /** One period of the hand. */
  tick(): void {
    const { physics, physicsStepMs, robot } = this.#parts;
    const hand = physics.world.hand!;
    this.#motion.next();
    this.#motion.accept();
    this.positionRad.set(hand.positionRad);
    this.#filter.update(this.positionRad, this.tickMs / 1000);
    const { positionRad, velocityRadPerS } = this.#filter;
    this.#law.command(this.#motion.sentRad, positionRad, velocityRadPerS, this.#command);
    torqueOfCommand(robot.allegro.model, this.#command, this.#torqueNm);
    hand.torqueNm.set(this.#torqueNm);
    for (let ms = 0; ms < this.tickMs; ms += physicsStepMs) physics.step();
    this.#ticks++;
  }

  /** As the lab says it. */
  truth(): LabHandTruth {
    const { physics } = this.#parts;
    physics.world.kinematics();
    const hand = physics.world.hand!;
    const object = this.#scene!.object;
    const pose = hand.objectPose();
    hand.tipsM(this.#tipsM);
    const tip = (finger: number) => [...this.#tipsM.subarray(3 * finger, 3 * finger + 3)] as Triple;
    return {
      simulatedS: this.timeMs / 1000,
      atNs: "0",
      object: object.name,
      centreM: [...pose.positionM],
      topM: [...topOf(object, pose)],
      quatXyzw: [...pose.quatXyzw],
      tipsM: [tip(0), tip(1), tip(2), tip(3)],
      positionRad: [...hand.positionRad],
    };
  }

  /** The camera's picture now: rows from the top, three bytes a pixel; the same memory every time. */
  picture(): Uint8Array {
    this.#parts.physics.world.kinematics();
    this.view.renderCamera(this.view.cameraIntrinsics());
    return new Uint8Array(this.view.rgb.buffer);
  }

  dispose(): void {
    this.#parts.physics.dispose();
  }

  #newMotion(): Motion {
    const { robot, limits } = this.#parts;
    return new Motion(limits, new HandBody(robot.servo.workspace), 1 / robot.servo.rateHz);
  }
}

type Triple = [number, number, number];
