/**
 * Random pictures of the cell for pre-training an encoder: any arm pose over the table, any scene. Picture `index` of
 * a seed is always the same, however many workers share the job.
 */
import { InverseKinematics, toolDownRotation } from "../../kinematics/inverse.js";
import { DRIVE_MAX_RAD } from "../../kinematics/xarmGripper.js";
import { WorldModel } from "../world/model.js";
import type { LabCamera } from "../world/mount.js";
import { armWorld } from "../world/parts.js";
import { Random } from "../world/random.js";
import { drawScene } from "../world/scene.js";
import { OBSERVATION_PX, OBSERVATION_WINDOW, renderObservation, WorldView } from "./worldView.js";

export const OBSERVATION_BYTES = OBSERVATION_PX * OBSERVATION_PX * 3;

/** Where the tool point is drawn from [m], base frame. */
const TOOL_M = { x: [0.22, 0.66], y: [-0.25, 0.25], z: [0.05, 0.52] } as const;
const TOOL_Z_MIN_M = 0.025;
/** Arm poses near a comfortable one with the tool down: the start of every search. */
const SEED_RAD = [0, -0.17, 0, 1.72, 0, 1.89, 0];

export class Corpus {
  readonly #world: WorldModel;
  readonly #view: WorldView;
  readonly #kinematics = new InverseKinematics();

  static async open(camera: LabCamera): Promise<Corpus> {
    return new Corpus(await WorldModel.load(armWorld(camera)), camera);
  }

  private constructor(world: WorldModel, camera: LabCamera) {
    this.#world = world;
    this.#view = new WorldView(world, camera, OBSERVATION_WINDOW);
  }

  /** Writes picture `index` into `out`: 112 x 112 x 3, rows from the top. */
  render(seed: number, index: number, out: Uint8Array): void {
    const random = new Random(seed).fork(`picture ${index}`);
    const scene = drawScene({ seed: random.u32(), light: "training" });
    const driveRad = random.uniform() < 0.8 ? 0 : random.uniform(0, DRIVE_MAX_RAD);
    this.#world.setGripper(driveRad);
    renderObservation(this.#view, this.#world, scene, this.#drawPose(random), out);
  }

  /** Mostly tool down with a little joint noise; one in seven far from it. */
  #drawPose(random: Random): Float64Array {
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
