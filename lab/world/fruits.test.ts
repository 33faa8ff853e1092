/** Fruits: the same seed is the same scene, they fit between the fingers, and they come to rest where they are put. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { drawFruitScene, FRUIT_PATCH_M, FRUITS, fruitOf } from "./fruits.js";
import { OBJECT_PIECES_MAX } from "./handObjects.js";
import { boxCentreM, layoutOf } from "./layout.js";
import { WorldMemory } from "./memory.js";
import { armWorld } from "./parts.js";
import { Physics } from "./physics.js";
import { FULL_LOOK } from "./scene.js";
import { TEST_CAMERA } from "./testing.js";
import { shownThings } from "./worldScene.js";

const PARTS = armWorld(TEST_CAMERA, "fruit");
const LAYOUT = layoutOf(PARTS);
const NAMES = FRUITS.map(({ name }) => name);
let physics: Physics;
beforeAll(async () => {
  physics = await Physics.load(PARTS, 2, new WorldMemory(LAYOUT));
});
afterAll(() => physics.dispose());

describe("a fruit's scene", () => {
  it("is the same for the same seed, of a fruit that demonstrations are made with, on its patch", () => {
    const drawn = new Set<string>();
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 - 1 }), (seed) => {
        const scene = drawFruitScene({ seed, light: "training" }, FULL_LOOK);
        expect(drawFruitScene({ seed, light: "training" }, FULL_LOOK)).toEqual(scene);
        expect(fruitOf(scene.fruit.name).seen).toBe(true);
        const [x, y] = scene.placeM;
        expect(x).toBeGreaterThanOrEqual(FRUIT_PATCH_M.x[0]);
        expect(x).toBeLessThan(FRUIT_PATCH_M.x[1]);
        expect(Math.abs(y)).toBeLessThanOrEqual(FRUIT_PATCH_M.y[1]);
        drawn.add(scene.fruit.name);
      }),
    );
    expect(drawn.size).toBe(FRUITS.filter(({ seen }) => seen).length);
  });

  it("has another fruit where one is named, all else as drawn", () => {
    const { fruit: _, ...rest } = drawFruitScene({ seed: 3, light: "training" }, FULL_LOOK);
    const { fruit, ...other } = drawFruitScene({ seed: 3, light: "training", object: "fig" }, FULL_LOOK);
    expect(other).toEqual(rest);
    expect(fruit.name).toBe("fig");
  });

  it("refuses a fruit that nobody knows, naming those that there are", () => {
    expect(() => drawFruitScene({ seed: 3, light: "training", object: "brick" }, FULL_LOOK)).toThrow(
      /orange.*fig/,
    );
  });
});

describe.each(FRUITS)("$name", (fruit) => {
  it("fits between the fingers, of as many pieces as there is room for", () => {
    expect(fruit.widthM).toBeGreaterThan(0.047);
    expect(fruit.widthM).toBeLessThan(0.061);
    expect(fruit.pieces.length).toBeLessThanOrEqual(OBJECT_PIECES_MAX);
    expect(fruit.pieces[0]!.sizeM[0]).toBeCloseTo(fruit.widthM / 2, 9);
  });

  it("lies still where it is put", () => {
    physics.reset();
    physics.applyScene(
      { props: "fruit", seed: 9, light: "training", blockM: [0.45, 0.1], object: fruit.name },
      FULL_LOOK,
    );
    for (let step = 0; step < 500; step++) physics.step();
    const [x, y, z] = boxCentreM(LAYOUT, physics.world.qpos, 0);
    expect(Math.hypot(x - 0.45, y - 0.1)).toBeLessThan(0.006);
    expect(Math.abs(z - fruit.heightM)).toBeLessThan(0.002);
  });
});

it("has no two fruits of one name, and shows only the pieces of the one that lies there", () => {
  expect(new Set(NAMES).size).toBe(NAMES.length);
  const shown = shownThings(drawFruitScene({ seed: 1, light: "training", object: "plum" }, FULL_LOOK));
  expect(shown.filter(([, thing]) => thing !== undefined).map(([name]) => name)).toEqual(["object0_capsule"]);
  expect(shown).toHaveLength(2 * OBJECT_PIECES_MAX);
});
