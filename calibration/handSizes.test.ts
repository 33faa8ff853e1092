import { appendFileSync, chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { HandScale } from "../kinematics/allegro/handScale.js";
import { HAND_SIZES_FILE, type HandOwner, handSizeRecord, openHandSizes } from "./handSizes.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "hand-sizes-"));
});
afterEach(() => {
  chmodSync(folder, 0o700);
  rmSync(folder, { recursive: true });
});

const OWNER: HandOwner = { device: "quest3", operator: "headset anna", model: "v4", side: "right" };
const sizeOf = (scale: number): HandScale => ({
  scale,
  reachM: { index: 0.17, middle: 0.18, ring: 0.17 },
  boneLengthsM: Array(20).fill(0.04),
  spread: 0.01,
  usedCount: 300,
  rejectedCount: 4,
});
const path = () => join(folder, HAND_SIZES_FILE);

it("keeps the newest of each headset, operator and robot's hand, and finds it again", async () => {
  const sizes = openHandSizes(folder);
  expect(sizes.sizeOf(OWNER)).toBeUndefined();
  await sizes.keep(OWNER, sizeOf(1.2), 1000);
  await Promise.all([
    sizes.keep(OWNER, sizeOf(1.25), 2000),
    sizes.keep({ ...OWNER, operator: "headset ben" }, sizeOf(1.5), 3000),
  ]);
  for (const opened of [sizes, openHandSizes(folder)]) {
    expect(opened.sizeOf(OWNER)).toMatchObject({ sinceEpochMs: 2000, size: { scale: 1.25 } });
    expect(opened.sizeOf({ ...OWNER, operator: "headset ben" })?.size.scale).toBe(1.5);
    for (const other of [{ device: "quest2" }, { side: "left" as const }, { model: "v5a" as const }])
      expect(opened.sizeOf({ ...OWNER, ...other })).toBeUndefined();
    expect(opened.problem).toBeUndefined();
    expect(handSizeRecord(opened)).toEqual({
      "hand-size quest3 headset anna v4 right": {
        ...OWNER,
        kind: "hand-size",
        sinceEpochMs: 2000,
        scale: 1.25,
      },
      "hand-size quest3 headset ben v4 right": expect.objectContaining({ scale: 1.5 }),
    });
  }
  expect(readFileSync(path(), "utf8").trim().split("\n")).toHaveLength(3);
});

it("a damaged line takes what it may have superseded with it, is told, and is grown over", async () => {
  await openHandSizes(folder).keep(OWNER, sizeOf(1.2), 1000);
  appendFileSync(path(), '{"v":1,"device":"quest3","oper');
  const sizes = openHandSizes(folder);
  expect(sizes.sizeOf(OWNER)).toBeUndefined();
  expect(sizes.problem).toMatchObject({ code: "CALIBRATION_INVALID", remedy: expect.any(String) });
  expect(sizes.problem?.message).toContain("line 2");
  await sizes.keep(OWNER, sizeOf(1.4), 2000);
  expect(openHandSizes(folder).sizeOf(OWNER)?.size.scale).toBe(1.4);
});

it("a scale that no hand has counts as damage", () => {
  const line = { v: 1, ...OWNER, sinceEpochMs: 1, size: sizeOf(9) };
  writeFileSync(path(), `${JSON.stringify(line)}\n`);
  expect(openHandSizes(folder)).toMatchObject({ problem: { code: "CALIBRATION_INVALID" } });
});

it("a file that cannot be written keeps the former size in force", async () => {
  const sizes = openHandSizes(join(folder, HAND_SIZES_FILE, "below-a-file"));
  writeFileSync(path(), "");
  await expect(sizes.keep(OWNER, sizeOf(1.2), 1)).rejects.toMatchObject({ code: "CALIBRATION_INVALID" });
  expect(sizes.sizeOf(OWNER)).toBeUndefined();
});
