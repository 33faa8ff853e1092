/** What is drawn for a palm, and how heavy what lies on it is. */
import { describe, expect, it } from "vitest";
import type { HandObject } from "./handObjects.js";
import { drawHandScene, type HandSceneRequest, objectStart, TOP_OF_PALM_M } from "./handScene.js";
import { inertiaOf } from "./objectInertia.js";
import { shownThings } from "./worldScene.js";

const REQUEST: HandSceneRequest = { props: "palm", seed: 12, light: "training" };

describe("a palm's scene", () => {
  it("is the same for the same request, and another for another seed", () => {
    expect(drawHandScene(REQUEST)).toEqual(drawHandScene({ ...REQUEST }));
    const others = Array.from({ length: 20 }, (_, seed) => drawHandScene({ ...REQUEST, seed }));
    expect(new Set(others.map(({ object }) => object.name)).size).toBeGreaterThan(3);
    expect(new Set(others.map(({ yawRad }) => yawRad)).size).toBe(20);
    expect(others.every(({ object }) => object.seen)).toBe(true);
  });

  it("looks the same whatever object is asked for, and has it where it is asked for", () => {
    const { object: _, placeM: __, yawRad: ___, ...look } = drawHandScene(REQUEST);
    const placed = drawHandScene({ ...REQUEST, object: "red-brick", placeM: [0.01, -0.03], yawRad: 0.5 });
    expect(placed).toMatchObject({ ...look, placeM: [0.01, -0.03], yawRad: 0.5 });
    expect(placed.object.name).toBe("red-brick");
  });

  it("is mirrored for a left hand", () => {
    const [right, left] = [drawHandScene(REQUEST), drawHandScene({ ...REQUEST, side: "left" })];
    expect(left.placeM).toEqual([-right.placeM[0], right.placeM[1]]);
    expect(left.yawRad).toBe(-right.yawRad);
  });

  it("refuses an object that nobody knows, naming those that are", () => {
    expect(() => drawHandScene({ ...REQUEST, object: "teapot" })).toThrow(/teapot.*red-brick/);
  });

  it("begins with the object's lowest point just above the palm, its z upwards", () => {
    const scene = drawHandScene({ ...REQUEST, object: "red-brick", yawRad: 0.3 });
    const { positionM, quatXyzw } = objectStart(scene);
    const halfM = Math.max(...scene.object.pieces.map(({ positionM: at, sizeM }) => at[2] + sizeM[2]));
    expect(positionM[0] - halfM - TOP_OF_PALM_M).toBeCloseTo(0.0002, 9);
    const [x, y, z, w] = quatXyzw;
    // Its z axis in the palm's frame.
    expect([2 * (x * z + w * y), 2 * (y * z - w * x)].map((part) => Number(part.toFixed(9)))).toEqual([1, 0]);
  });

  it("shows the pieces that an object has, and none of those it has not", () => {
    const shown = shownThings(drawHandScene({ ...REQUEST, object: "red-brick" }));
    expect(shown).toHaveLength(8);
    expect(shown.filter(([, thing]) => thing !== undefined).map(([name]) => name)).toEqual(["object0_box"]);
  });
});

describe("the weight of a thing", () => {
  const thing = (pieces: HandObject["pieces"]): HandObject => ({
    name: "thing",
    seen: false,
    massKg: 0.06,
    topM: [0, 0, 0],
    pieces,
  });
  const colour = [1, 1, 1] as const;

  it("is that of a cuboid, also of one that is made of two", () => {
    const whole = inertiaOf(
      thing([{ kind: "box", sizeM: [0.01, 0.02, 0.03], positionM: [0, 0, 0], colour }]),
    );
    expect([...whole.momentsKgM2].sort()).toEqual(
      [0.02 ** 2 + 0.03 ** 2, 0.01 ** 2 + 0.03 ** 2, 0.01 ** 2 + 0.02 ** 2]
        .map((sum) => expect.closeTo((0.06 / 3) * sum, 12))
        .reverse(),
    );
    const half = { kind: "box" as const, sizeM: [0.01, 0.02, 0.015] as const, colour };
    const two = inertiaOf(
      thing([
        { ...half, positionM: [0, 0, 0.015] },
        { ...half, positionM: [0, 0, -0.015] },
      ]),
    );
    two.momentsKgM2.forEach((moment, axis) => {
      expect(moment).toBeCloseTo(whole.momentsKgM2[axis]!, 12);
    });
  });

  it("is that of a ball where a capsule has no length, and lies where the heavier piece is", () => {
    const ball = inertiaOf(thing([{ kind: "capsule", sizeM: [0.02, 0, 0], positionM: [0, 0, 0], colour }]));
    for (const moment of ball.momentsKgM2) expect(moment).toBeCloseTo(0.4 * 0.06 * 0.02 ** 2, 12);
    const { centreM } = inertiaOf(
      thing([
        { kind: "box", sizeM: [0.01, 0.01, 0.01], positionM: [0, 0, 0], colour },
        { kind: "box", sizeM: [0.01, 0.01, 0.02], positionM: [0.03, 0, 0], colour },
      ]),
    );
    expect(centreM[0]).toBeCloseTo(0.02, 12);
  });

  it("has its principal axes where a turned piece has them", () => {
    const quatXyzw = [0, 0, Math.sin(0.3), Math.cos(0.3)] as const;
    const { momentsKgM2, quatWxyz } = inertiaOf(
      thing([{ kind: "box", sizeM: [0.01, 0.02, 0.03], positionM: [0, 0, 0], quatXyzw, colour }]),
    );
    // R diag(moments) Rᵀ about z is that of the piece turned by 0.6 rad.
    const [w, x, y, z] = quatWxyz;
    const row = [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)];
    const xx = row.reduce((sum, share, axis) => sum + share * share * momentsKgM2[axis]!, 0);
    const [ix, iy] = [(0.06 / 3) * (0.02 ** 2 + 0.03 ** 2), (0.06 / 3) * (0.01 ** 2 + 0.03 ** 2)];
    expect(xx).toBeCloseTo(ix * Math.cos(0.6) ** 2 + iy * Math.sin(0.6) ** 2, 12);
  });
});
