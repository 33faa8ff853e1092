import { describe, expect, it } from "vitest";
import { rotate } from "../../kinematics/pose.js";
import {
  FLIP_CUBES,
  HAND_OBJECTS,
  type HandObjectPiece,
  OBJECT_PIECES_MAX,
  REACH_OBJECTS,
  topOf,
} from "./handObjects.js";

const FLOOR_TOLERANCE_M = 1e-9;

/** Lowest and highest point of a piece [m]. */
function spanM({ kind, sizeM, positionM, quatXyzw = [0, 0, 0, 1] }: HandObjectPiece): [number, number] {
  const [x, y, z] = [
    rotate(quatXyzw, [1, 0, 0])[2],
    rotate(quatXyzw, [0, 1, 0])[2],
    rotate(quatXyzw, [0, 0, 1])[2],
  ].map(Math.abs) as [number, number, number];
  const half = kind === "box" ? sizeM[0] * x + sizeM[1] * y + sizeM[2] * z : sizeM[0] + sizeM[1] * z;
  return [positionM[2] - half, positionM[2] + half];
}

const volume = ({ kind, sizeM: [a, b, c] }: HandObjectPiece): number =>
  kind === "box" ? 8 * a * b * c : Math.PI * a * a * (2 * b + (4 / 3) * a);

describe("things on a palm", () => {
  it("are eight to train with, twenty and more to try with, and have names of their own", () => {
    expect(REACH_OBJECTS.filter(({ seen }) => seen)).toHaveLength(8);
    expect(REACH_OBJECTS.filter(({ seen }) => !seen).length).toBeGreaterThanOrEqual(20);
    expect(new Set(HAND_OBJECTS.map(({ name }) => name)).size).toBe(HAND_OBJECTS.length);
  });

  it("show no colour of a training object in the main piece of an unseen one", () => {
    const main = (pieces: readonly HandObjectPiece[]) =>
      [...pieces].sort((a, b) => volume(b) - volume(a))[0]!.colour.join();
    const trained = new Set(REACH_OBJECTS.filter(({ seen }) => seen).map(({ pieces }) => main(pieces)));
    for (const { pieces } of REACH_OBJECTS.filter(({ seen }) => !seen))
      expect(trained.has(main(pieces))).toBe(false);
  });

  for (const object of HAND_OBJECTS) {
    it(`${object.name} has its origin half way up and its top in the middle of what is highest`, () => {
      const { pieces, topM } = object;
      expect(pieces.length).toBeGreaterThan(0);
      expect(pieces.length).toBeLessThanOrEqual(OBJECT_PIECES_MAX);
      const spans = pieces.map(spanM);
      const highestM = Math.max(...spans.map(([, high]) => high));
      const lowestM = Math.min(...spans.map(([low]) => low));
      expect(highestM).toBeCloseTo(topM[2], 9);
      expect(lowestM).toBeCloseTo(-topM[2], 9);
      const highest = pieces.filter((_, index) => spans[index]![1] > highestM - FLOOR_TOLERANCE_M);
      expect(highest.some(({ positionM: [x, y] }) => x === topM[0] && y === topM[1])).toBe(true);
      expect(topOf(object)).toEqual(topM);
    });

    it(`${object.name} stands: the middle of its mass is above what it stands on`, () => {
      const { pieces } = object;
      const lowestM = Math.min(...pieces.map((piece) => spanM(piece)[0]));
      const total = pieces.reduce((sum, piece) => sum + volume(piece), 0);
      for (const axis of [0, 1] as const) {
        const centreM = pieces.reduce((sum, piece) => sum + volume(piece) * piece.positionM[axis], 0) / total;
        const feet = pieces.filter((piece) => spanM(piece)[0] < lowestM + FLOOR_TOLERANCE_M);
        const low = Math.min(...feet.map(({ positionM, sizeM }) => positionM[axis] - sizeM[axis]));
        const high = Math.max(...feet.map(({ positionM, sizeM }) => positionM[axis] + sizeM[axis]));
        expect(centreM).toBeGreaterThan(low + 0.003);
        expect(centreM).toBeLessThan(high - 0.003);
      }
    });
  }

  it("are cubes where a cube is to be turned over", () => {
    for (const { pieces } of FLIP_CUBES) {
      expect(pieces).toHaveLength(1);
      expect(new Set(pieces[0]!.sizeM).size).toBe(1);
    }
  });
});
