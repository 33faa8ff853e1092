/**
 * Trials in simulated time, in this process and as fast as it goes: the lab's physics and wrist camera, the policy's own
 * pipeline, and the servo's own interpolator and limiter. Left out are ROS, processes, the vendor's wire and the real
 * clock; in their place stands one constant delay from image to command. The same bundle and seed give the same trials.
 */
import { CerebellumError } from "../../core/errors.js";
import { limitsOfGeneration } from "../../drivers/xarm7/limits.js";
import { openingFromDriveM } from "../../kinematics/xarmGripper.js";
import { WorldView } from "../../lab/camera/worldView.js";
import { boxCentreM, layoutOf } from "../../lab/world/layout.js";
import { WorldMemory } from "../../lab/world/memory.js";
import type { LabCamera } from "../../lab/world/mount.js";
import { armWorld } from "../../lab/world/parts.js";
import { Physics } from "../../lab/world/physics.js";
import { drawScene, type SceneOptions } from "../../lab/world/scene.js";
import type { PolicyPipeline } from "../../policies/pipeline.js";
import { openPolicy } from "../../policies/verify.js";
import { boundAction } from "../../runtime/policy/boundAction.js";
import { pictureCamera, policyRobots } from "../../runtime/policy/config.js";
import { limitsInForce } from "../../runtime/servo/limits.js";
import { Motion } from "../../runtime/servo/motion.js";
import { armBody } from "../armBody.js";
import type { CellConfig } from "../cell/schema.js";
import { type LabTask, TASK_JUDGES } from "./judge.js";
import type { Trial, TrialResult } from "./trial.js";
import type { TruthSample } from "./truth.js";

/** From an image's stamp to the first setpoint that its step leads to, as measured in the paced cell (median). */
const IMAGE_TO_WIRE_MS = 52;
/** Boxes come to rest before the policy starts. */
const SETTLE_MS = 300;
const SAMPLE_MS = 50;
const GRIPPER_SPEED_M_PER_S = 0.1;

interface Parts {
  readonly look: SceneOptions;
  readonly physics: Physics;
  readonly memory: WorldMemory;
  readonly view: WorldView;
  readonly pipeline: PolicyPipeline;
  readonly newMotion: () => Motion;
  readonly servoPeriodMs: number;
  readonly physicsStepMs: number;
}

/** What happens when [ms of the trial]: physics, servo, policy, judge; each keeps a grid of its own. */
type Due = Record<"physicsMs" | "servoMs" | "policyMs" | "sampleMs", number>;

export class LockstepCell {
  readonly #parts: Parts;
  readonly #positionRad: Float64Array;

  /**
   * @param bundle folder of the policy to try
   * @throws CerebellumError CONFIG_INVALID for a cell that is no lab with a policy, and what opening the bundle throws
   */
  static async open(cell: CellConfig, bundle: string): Promise<LockstepCell> {
    const { lab, policy } = cell;
    const robot = policy && cell.robots[policyRobots(policy)[0]];
    const camera = policy && cell.cameras[pictureCamera(policy)];
    if (lab === undefined || policy === undefined || robot?.device !== "xarm7" || camera === undefined) {
      throw new CerebellumError(
        "CONFIG_INVALID",
        `Cell ${cell.name} has no lab with a policy, its robot and its camera`,
        "Use launch/cells/xarm7-lab.yaml",
      );
    }
    const { servo, xarm7 } = robot;
    const { mount, topic, widthPx, heightPx, rateHz, fovYDeg } = camera;
    const limits = limitsInForce(limitsOfGeneration(0), servo);
    const { pipeline } = await openPolicy(bundle, { jointNames: limits.jointNames, camera });
    const { positionM, quatXyzw } = mount;
    const name = pictureCamera(policy);
    const labCamera: LabCamera = {
      name,
      topic,
      widthPx,
      heightPx,
      rateHz,
      fovYDeg,
      parentFrame: "flange",
      positionM,
      quatXyzw,
    };
    const world = armWorld(labCamera);
    const memory = new WorldMemory(layoutOf(world));
    const physics = await Physics.load(world, lab.physicsStepMs, memory);
    return new LockstepCell({
      look: lab.randomise,
      physics,
      memory,
      view: new WorldView(physics.world, labCamera, { widthPx, heightPx }),
      pipeline,
      newMotion: () => new Motion(limits, armBody(xarm7, servo), 1 / servo.rateHz),
      servoPeriodMs: 1000 / servo.rateHz,
      physicsStepMs: lab.physicsStepMs,
    });
  }

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.#positionRad = parts.memory.targetRad.slice();
  }

  get policyName(): string {
    return this.#parts.pipeline.manifest.name;
  }

  /** @throws CerebellumError POLICY_OUTPUT_INVALID */
  async run(task: LabTask, trial: Trial): Promise<TrialResult> {
    const { manifest } = this.#parts.pipeline;
    const { trialS, judge } = TASK_JUDGES[task];
    const motion = this.#begin(trial, manifest.start);
    const policyPeriodMs = 1000 / manifest.rateHz;
    const due: Due = { physicsMs: 0, servoMs: 0, policyMs: 0, sampleMs: 0 };
    const samples: TruthSample[] = [];
    let command: { readonly atMs: number; readonly targetRad: Float64Array } | undefined;
    let steps = 0;
    for (let nowMs = 0; nowMs <= 1000 * trialS; nowMs = Math.min(...Object.values(due))) {
      if (nowMs >= due.sampleMs) {
        samples.push(this.#look(nowMs / 1000));
        due.sampleMs += SAMPLE_MS;
      }
      if (nowMs >= due.policyMs) {
        command = { atMs: nowMs + IMAGE_TO_WIRE_MS, targetRad: await this.#decide() };
        steps++;
        due.policyMs += policyPeriodMs;
      }
      if (nowMs >= due.servoMs) {
        if (command !== undefined && nowMs >= command.atMs) {
          motion.follow(command.targetRad, 1, nowMs);
          command = undefined;
        }
        motion.next();
        motion.accept();
        this.#parts.memory.targetRad.set(motion.sentRad);
        due.servoMs += this.#parts.servoPeriodMs;
      }
      if (nowMs >= due.physicsMs) {
        this.#parts.physics.step();
        due.physicsMs += this.#parts.physicsStepMs;
      }
    }
    const { index, seed, blockM } = trial;
    return { index, seed, blockM, ...judge(samples, true), steps, heldSteps: 0 };
  }

  async close(): Promise<void> {
    await this.#parts.pipeline.release();
    this.#parts.physics.dispose();
  }

  /** The scene at rest, and the arm standing at its start. */
  #begin({ seed, blockM, light }: Trial, start: PolicyPipeline["manifest"]["start"]): Motion {
    const { physics, memory, view, look } = this.#parts;
    const request = { seed, blockM, light };
    physics.reset();
    physics.applyScene(request, look);
    view.setScene(drawScene(request, look));
    memory.enabled = true;
    if (start.gripperOpeningM !== undefined) memory.setGripper(start.gripperOpeningM, GRIPPER_SPEED_M_PER_S);
    physics.teleport(start.positionRad);
    for (let ms = 0; ms < SETTLE_MS; ms += this.#parts.physicsStepMs) physics.step();
    const motion = this.#parts.newMotion();
    motion.startAt(this.#measured());
    return motion;
  }

  #measured(): Float64Array {
    const { qpos } = this.#parts.physics.world;
    this.#positionRad.set(qpos.subarray(0, this.#positionRad.length));
    return this.#positionRad;
  }

  async #decide(): Promise<Float64Array> {
    const { physics, view, pipeline } = this.#parts;
    const { robot, action } = pipeline.manifest;
    physics.world.kinematics();
    view.renderCamera(view.cameraIntrinsics());
    pipeline.preprocess(new Uint8Array(view.rgb.buffer), "rgb8");
    await pipeline.encode();
    const positionRad = this.#measured();
    const state = new Float64Array(pipeline.manifest.proprioception.length);
    const openingM = openingFromDriveM(physics.world.qpos[physics.world.layout.driveIndex]!);
    const output = await pipeline.control(pipeline.assembleState(positionRad, openingM, state));
    return Float64Array.from(boundAction(output, positionRad, action.clipRad, robot.joints).targetRad);
  }

  #look(atS: number): TruthSample {
    const { world } = this.#parts.physics;
    world.kinematics();
    const [x, y, z] = world.toolM as unknown as [number, number, number];
    const blockM = boxCentreM(world.layout, world.qpos, 0);
    return { atS, blockM, distanceM: Math.hypot(x - blockM[0], y - blockM[1], z - blockM[2]) };
  }
}
