/**
 * Random pictures of the cell for pre-training an encoder: any pose of its robots, any scene, things that policies are
 * trained with. Picture `index` of a seed is always the same, however many workers share the job.
 */
import { limitsOf } from "../../kinematics/allegro/limits.js";
import { InverseKinematics, toolDownRotation } from "../../kinematics/inverse.js";
import { DRIVE_MAX_RAD } from "../../kinematics/xarmGripper.js";
import { startRadOf } from "../allegro/model.js";
import { HAND_OBJECTS } from "../world/handObjects.js";
import { WorldModel } from "../world/model.js";
import type { HandPart, WorldParts } from "../world/parts.js";
import { Random } from "../world/random.js";
import { FULL_LOOK } from "../world/scene.js";
import { drawWorldScene, type WorldScene } from "../world/worldScene.js";
import {
  OBSERVATION_PX,
  OBSERVATION_WINDOW,
  type ObservationWindow,
  renderPlaced,
  WorldView,
} from "./worldView.js";

export const OBSERVATION_BYTES = OBSERVATION_PX * OBSERVATION_PX * 3;

/** Where the tool point is drawn from [m], base frame. */
const TOOL_M = { x: [0.22, 0.66], y: [-0.25, 0.25], z: [0.05, 0.52] } as const;
const TOOL_Z_MIN_M = 0.025;
/** Arm poses near a comfortable one with the tool down: the start of every search. */
const SEED_RAD = [0, -0.17, 0, 1.72, 0, 1.89, 0];

/** Things that no policy was trained with stay out of pre-training too: they are there to be unseen. */
const SEEN_NAMES = HAND_OBJECTS.filter(({ seen }) => seen).map(({ name }) => name);
/** Where on the palm and on the fingers' first links they lie [m]; y, z in the palm's frame. */
const PLACE_M = { y: [-0.045, 0.045], z: [-0.06, 0.055] } as const;

export class Corpus {
  readonly #world: WorldModel;
  readonly #view: WorldView;
  readonly #kinematics = new InverseKinematics();

  readonly #window: ObservationWindow;

  /** @param window part of the camera's picture that is kept */
  static async open(parts: WorldParts, window: ObservationWindow = OBSERVATION_WINDOW): Promise<Corpus> {
    return new Corpus(await WorldModel.load(parts), window);
  }

  private constructor(world: WorldModel, window: ObservationWindow) {
    this.#world = world;
    this.#window = window;
    this.#view = new WorldView(world, world.parts.camera, window);
  }

  /** Writes picture `index` into `out`: 112 x 112 x 3, rows from the top. */
  render(seed: number, index: number, out: Uint8Array): void {
    const world = this.#world;
    const { arm, hand } = world.parts;
    const random = new Random(seed).fork(`picture ${index}`);
    const scene = this.#drawScene(random);
    if (arm !== undefined) {
      const driveRad = random.uniform() < 0.8 ? 0 : random.uniform(0, DRIVE_MAX_RAD);
      if (arm.gripper) world.setGripper(driveRad);
      world.qpos.set(this.#drawArm(random));
    }
    if (hand !== undefined) world.hand!.positionRad.set(drawFingers(random, hand));
    renderPlaced(this.#view, world, scene, out, this.#window);
  }

  #drawScene(random: Random): WorldScene {
    const { props, hand } = this.#world.parts;
    const request = { seed: random.u32(), light: "training" } as const;
    if (props !== "palm") return drawWorldScene({ ...request, props }, FULL_LOOK);
    const object = random.pick(SEEN_NAMES);
    const placeM = [random.uniform(...PLACE_M.y), random.uniform(...PLACE_M.z)] as const;
    return drawWorldScene({ ...request, props, object, placeM, side: hand?.side }, FULL_LOOK);
  }

  /** Mostly tool down with a little joint noise; one in seven far from it. */
  #drawArm(random: Random): Float64Array {
    const deviationRad = random.uniform() < 0.15 ? 0.2 : 0.04;
    for (;;) {
      const targetM = [random.uniform(...TOOL_M.x), random.uniform(...TOOL_M.y), random.uniform(...TOOL_M.z)];
      const yawRad = random.normal(0, 0.15);
      const found = this.#kinematics.solveTool(targetM, toolDownRotation(yawRad), {
        seedRad: SEED_RAD,
        iterationsMax: 60,
        toleranceM: 1e-3,
        toleranceRad: 1e-2,
      });
      const noisy = found.positionRad.map((angle) => angle + random.normal(0, deviationRad));
      this.#kinematics.chain.update(noisy);
      if (found.positionErrorM < 5e-3 && this.#kinematics.chain.toolM[2]! > TOOL_Z_MIN_M) return noisy;
    }
  }

  close(): void {
    this.#world.dispose();
  }
}

/**
 * Sixteen angles [rad], wire order: one finger anywhere between open and closed and the others near where they start,
 * or, in two pictures of five, all of them anywhere.
 */
function drawFingers(random: Random, { model, side }: HandPart): number[] {
  const { positionMinRad, positionMaxRad } = limitsOf(model, side);
  const startRad = startRadOf(model, side);
  const areAllFree = random.uniform() < 0.4;
  const free = random.pick([0, 0, 1, 2, 3]);
  const closed = [0, 1, 2, 3].map(() => random.uniform());
  return startRad.map((start, joint) => {
    const [min, max] = [positionMinRad[joint]!, positionMaxRad[joint]!];
    const finger = Math.floor(joint / 4);
    const isSpread = joint % 4 === 0 && finger < 3;
    const anywhere = min + (max - min) * (closed[finger]! + random.normal(0, 0.12));
    const near = start + random.normal(0, 0.06);
    const drawn = isSpread || !(areAllFree || finger === free) ? near : anywhere;
    return Math.min(max, Math.max(min, drawn));
  });
}

/** Head of a NumPy file (format 1.0) for a C-ordered array of bytes. Source: NumPy enhancement proposal 1. */
export function npyHeader(shape: readonly number[]): Buffer {
  const tuple = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const text = `{'descr': '|u1', 'fortran_order': False, 'shape': (${tuple}), }`;
  const length = Math.ceil((10 + text.length + 1) / 64) * 64;
  const header = Buffer.alloc(length, " ");
  header.write("\x93NUMPY\x01\x00", 0, "latin1");
  header.writeUInt16LE(length - 10, 8);
  header.write(text, 10, "latin1");
  header.write("\n", length - 1, "latin1");
  return header;
}
