import { expect, it } from "vitest";
import { createFloatingBase } from "../../../core/floatingBase.js";
import { createSnapshot } from "../snapshot.js";
import { BASE_NUMBERS, fileHeader, readFileHeader } from "./format.js";
import { RingRecorder } from "./recorder.js";
import { Ring } from "./ring.js";
import { TickTable } from "./ticks.js";

it("keeps the base of a robot on legs in each row, behind its joints", () => {
  const size = { jointCount: 20, rateHz: 1000, baseCount: BASE_NUMBERS + 10 };
  const ring = new Ring(size);
  const base = createFloatingBase(10);
  base.translationWorldM.set([1, 2, 0.5]);
  base.specificForceBaseMPerS2.set([0, 0, 9.75]);
  base.passivePositionRad[9] = -0.25;
  const snapshot = createSnapshot(20, base);
  snapshot.sentRad[19] = 0.75;
  const nan = Number.NaN;
  const ages = { stateMs: 1, commandMs: nan, inputMs: nan, supervisorMs: 1, commanderMs: nan };
  new RingRecorder(ring, size, true).tick(snapshot, ages);
  expect(readFileHeader(fileHeader(ring.shape))).toEqual({ jointCount: 20, baseCount: 26 });
  const row = new TickTable(ring.rows.subarray(0, ring.rowBytes), ring.shape).at(0)!;
  expect(row.sentRad[19]).toBe(0.75);
  expect(row.base).toEqual([0, 0, 0, 1, 1, 2, 0.5, 0, 0, 0, 0, 0, 0, 0, 0, 9.75, ...Array(9).fill(0), -0.25]);
});
