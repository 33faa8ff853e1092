/**
 * Where the lab's Digit stands and what it carries: ground, friction and load as data. Metres, kilograms; slopes as a
 * grade (rise over run).
 */
import { Random } from "../world/random.js";

export type DigitGround =
  | { readonly kind: "flat" }
  /** Rises towards where the robot looks; negative falls. */
  | { readonly kind: "slope"; readonly grade: number }
  /** Square tiles whose tops are up to so much higher than the ground, the same for the same seed. */
  | { readonly kind: "rough"; readonly heightMaxM: number; readonly tileM: number; readonly seed: number }
  /** Up, in front of the robot. */
  | { readonly kind: "steps"; readonly riseM: number; readonly treadM: number; readonly count: number };

export type DigitLoad =
  | { readonly kind: "backpack"; readonly massKg: number }
  /** Hangs from the end of a forearm and swings. */
  | { readonly kind: "bag"; readonly massKg: number; readonly arm: "left" | "right" };

export interface DigitScene {
  readonly ground: DigitGround;
  /** Between soles and ground. */
  readonly friction: number;
  readonly load?: DigitLoad;
}

const FRICTION = 1;
const FLAT: DigitScene = { ground: { kind: "flat" }, friction: FRICTION };
const slope = (grade: number): DigitScene => ({ ground: { kind: "slope", grade }, friction: FRICTION });
const steps = (riseM: number): DigitScene => ({
  ground: { kind: "steps", riseM, treadM: 0.6, count: 3 },
  friction: FRICTION,
});
const rough = (heightMaxM: number): DigitScene => ({
  ground: { kind: "rough", heightMaxM, tileM: 0.25, seed: 1 },
  friction: FRICTION,
});
const carrying = (load: DigitLoad): DigitScene => ({ ...FLAT, load });

/** What a walking robot was tested on, by name: grades up to 8.7 %, steps of 4 to 16 cm, loads. */
export const DIGIT_SCENES = {
  flat: FLAT,
  "low-friction": { ...FLAT, friction: 0.3 },
  "slope-up-4": slope(0.04),
  "slope-up-8.7": slope(0.087),
  "slope-down-4": slope(-0.04),
  "slope-down-8.7": slope(-0.087),
  "rough-1cm": rough(0.01),
  "rough-2cm": rough(0.02),
  "steps-4cm": steps(0.04),
  "steps-8cm": steps(0.08),
  "steps-12cm": steps(0.12),
  "steps-16cm": steps(0.16),
  "backpack-5kg": carrying({ kind: "backpack", massKg: 5 }),
  "backpack-10kg": carrying({ kind: "backpack", massKg: 10 }),
  "bag-2kg": carrying({ kind: "bag", massKg: 2, arm: "left" }),
  "bag-5kg": carrying({ kind: "bag", massKg: 5, arm: "left" }),
} as const satisfies Readonly<Record<string, DigitScene>>;
export type DigitSceneName = keyof typeof DIGIT_SCENES;
export const DIGIT_SCENE_NAMES = Object.keys(DIGIT_SCENES) as DigitSceneName[];

/** The rough and the stepped ground begin so far before the robot's middle, where it stands. */
export const CLEAR_M = 0.35;
const ROUGH_TILES = { x: 14, y: 8 } as const;

export interface GroundBox {
  readonly positionM: readonly [number, number, number];
  readonly halfSizeM: readonly [number, number, number];
}

/** What lies on the plane. The rough ground is under the robot too, whose feet start on its highest tile. */
export function groundBoxes(ground: DigitGround): GroundBox[] {
  if (ground.kind === "rough") return roughBoxes(ground.heightMaxM, ground.tileM, ground.seed);
  if (ground.kind === "steps") {
    return Array.from({ length: ground.count }, (_, index): GroundBox => {
      const heightM = ground.riseM * (index + 1);
      const startM = CLEAR_M + index * ground.treadM;
      const lengthM = index === ground.count - 1 ? 2 : ground.treadM;
      return {
        positionM: [startM + lengthM / 2, 0, heightM / 2],
        halfSizeM: [lengthM / 2, 1, heightM / 2],
      };
    });
  }
  return [];
}

function roughBoxes(heightMaxM: number, tileM: number, seed: number): GroundBox[] {
  const random = new Random(seed);
  const boxes: GroundBox[] = [];
  for (let x = 0; x < ROUGH_TILES.x; x++) {
    for (let y = 0; y < ROUGH_TILES.y; y++) {
      const heightM = random.uniform(0.1, 1) * heightMaxM;
      boxes.push({
        positionM: [(x - 2) * tileM, (y - ROUGH_TILES.y / 2 + 0.5) * tileM, heightM / 2],
        halfSizeM: [tileM / 2, tileM / 2, heightM / 2],
      });
    }
  }
  return boxes;
}
