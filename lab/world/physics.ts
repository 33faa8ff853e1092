/**
 * The moving world: one MuJoCo step at a time, commanded and observed through `WorldMemory`. It neither waits nor
 * reads time; physicsLoop.ts paces it, tests step it. The same commands at the same steps give the same bits.
 */
import type { EpochNs, MonotonicNs } from "../../core/clock.js";
import { driveFromOpeningRad, openingFromDriveM } from "../../kinematics/xarmGripper.js";
import type { HandInWorld } from "./handInWorld.js";
import type { Pushed, WorldMemory } from "./memory.js";
import { WorldModel } from "./model.js";
import type { WorldParts } from "./parts.js";
import type { SceneOptions } from "./scene.js";
import { drawWorldScene, type WorldSceneRequest } from "./worldScene.js";

/** Friction of a closed brake [N m]: far above what the motors can do. */
const BRAKE_NM = 400;
/** A person moves the arm easily: little friction and damping remain. */
const FREE_FRICTION_NM = 0.3;
const FREE_DAMPING_NM_S_PER_RAD = 1;
/** MuJoCo's stride of actuator parameters; a position servo has gain [kp] and bias [0, -kp, -kv]. */
const PARAMETERS = 10;

type ArmMode = "brake" | "servo" | "free";

export class Physics {
  readonly world: WorldModel;
  readonly #memory: WorldMemory;
  readonly #stepS: number;
  readonly #armJoints: number;
  readonly #hasGripper: boolean;
  readonly #servoGains: Float64Array;
  readonly #servoBiases: Float64Array;
  readonly #servoFriction: Float64Array;
  #mode: ArmMode = "servo";
  #steps = 0;
  #openingM: number;
  #sceneSeed = 0;

  static async load(parts: WorldParts, physicsStepMs: number, memory: WorldMemory): Promise<Physics> {
    return new Physics(await WorldModel.load(parts, physicsStepMs), physicsStepMs / 1000, memory);
  }

  private constructor(world: WorldModel, stepS: number, memory: WorldMemory) {
    this.world = world;
    this.#memory = memory;
    this.#stepS = stepS;
    this.#armJoints = world.layout.armJoints;
    this.#hasGripper = world.layout.gripperJoints > 0;
    this.#servoGains = world.gainParameters.slice(0, PARAMETERS * this.#armJoints);
    this.#servoBiases = world.biasParameters.slice(0, PARAMETERS * this.#armJoints);
    this.#servoFriction = world.frictionLoss.slice(0, this.#armJoints);
    this.#openingM = openingFromDriveM(0);
    memory.targetRad.set(world.qpos.subarray(0, this.#armJoints));
    memory.setGripper(this.#openingM, 0.1);
    this.#enterMode(this.#wantedMode());
  }

  get timeS(): number {
    return this.#steps * this.#stepS;
  }

  /** At the start of simulated time, arm and gripper as they were loaded; what comes after is the same every time. */
  reset(): void {
    this.world.reset();
    this.#steps = 0;
    this.#openingM = openingFromDriveM(0);
  }

  applyScene(request: WorldSceneRequest, options: SceneOptions): void {
    this.world.placeScene(drawWorldScene(request, options));
    this.#sceneSeed = request.seed;
  }

  /** Puts the arm at joint angles [rad], at rest; the setpoint goes along. */
  teleport(positionRad: ArrayLike<number>): void {
    this.world.qpos.set(positionRad as number[]);
    this.world.qvel.fill(0, 0, this.#armJoints);
    this.#memory.targetRad.set(positionRad as number[]);
  }

  /** Puts the hand's joints at angles [16, rad], at rest. */
  teleportHand(positionRad: ArrayLike<number>): void {
    this.world.hand!.positionRad.set(positionRad as number[]);
    this.world.hand!.velocityRadPerS.fill(0);
  }

  step(): void {
    const { world } = this;
    const memory = this.#memory;
    const mode = this.#wantedMode();
    if (mode !== this.#mode) this.#enterMode(mode);
    if (mode === "servo") world.ctrl.set(memory.targetRad);
    if (this.#hasGripper) this.#moveGripper();
    if (this.#armJoints > 0) this.#pushTool();
    if (world.hand !== undefined) world.hand.pushObject(this.#pushOn("object"));
    world.step();
    this.#steps++;
  }

  /** Makes the state of the last step visible to the other threads. */
  publish(atNs: MonotonicNs, epochNs: EpochNs): void {
    const { world } = this;
    const memory = this.#memory;
    world.kinematics();
    memory.publish(this.timeS, atNs, epochNs, this.#sceneSeed, () => {
      memory.qpos.set(world.qpos);
      for (let joint = 0; joint < this.#armJoints; joint++) {
        memory.velocityRadPerS[joint] = world.qvel[joint]!;
        // What the joint's motor bears: the servo's torque and the weight that is compensated.
        memory.effortNm[joint] = world.actuatorForce[joint]! + world.gravityEffort[joint]!;
      }
      if (this.#hasGripper) memory.openingM[0] = openingFromDriveM(world.qpos[world.layout.driveIndex]!);
      memory.toolM.set(world.toolM);
      if (world.hand !== undefined) this.#publishHand(world.hand);
    });
  }

  #publishHand(hand: HandInWorld): void {
    const { positionM, quatXyzw } = hand.palmPose();
    this.#memory.palm.set([...positionM, ...quatXyzw]);
    hand.tipsM(this.#memory.tipsM);
  }

  #wantedMode(): ArmMode {
    if (this.#memory.freeDrive) return "free";
    return this.#memory.enabled ? "servo" : "brake";
  }

  #enterMode(mode: ArmMode): void {
    const { world } = this;
    this.#mode = mode;
    if (mode === "servo") {
      world.gainParameters.set(this.#servoGains);
      world.biasParameters.set(this.#servoBiases);
      world.frictionLoss.set(this.#servoFriction);
      return;
    }
    for (let joint = 0; joint < this.#armJoints; joint++) {
      world.gainParameters[PARAMETERS * joint] = 0;
      world.biasParameters[PARAMETERS * joint + 1] = 0;
      world.biasParameters[PARAMETERS * joint + 2] = mode === "free" ? -FREE_DAMPING_NM_S_PER_RAD : 0;
      world.frictionLoss[joint] = mode === "free" ? FREE_FRICTION_NM : BRAKE_NM;
    }
  }

  /** The commanded opening travels at the commanded speed; the fingers follow it with limited force. */
  #moveGripper(): void {
    const leftM = this.#memory.gripperTargetM - this.#openingM;
    const reachM = this.#memory.gripperSpeedMPerS * this.#stepS;
    this.#openingM += Math.min(reachM, Math.max(-reachM, leftM));
    this.world.ctrl[this.world.layout.gripperMotor] = driveFromOpeningRad(this.#openingM);
  }

  #pushOn(on: Pushed): Float64Array | undefined {
    return this.timeS >= this.#memory.pushUntilS(on) ? undefined : this.#memory.pushN(on);
  }

  /** A hand that pushes or pulls at the tool point. */
  #pushTool(): void {
    const { flangeWrench: wrench, flangeCentreM: centre, toolM: tool } = this.world;
    wrench.fill(0);
    const force = this.#pushOn("tool");
    if (force === undefined) return;
    wrench.set(force);
    for (let axis = 0; axis < 3; axis++) {
      const [next, last] = [(axis + 1) % 3, (axis + 2) % 3];
      wrench[3 + axis] =
        (tool[next]! - centre[next]!) * force[last]! - (tool[last]! - centre[last]!) * force[next]!;
    }
  }

  dispose(): void {
    this.world.dispose();
  }
}
