/** The conformance command over the hand's vectors, damaged copies, and a frame that does not say what it means. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runConformance } from "./conformance.js";

const shipped = fileURLToPath(new URL("../../drivers/allegro/vectors/frames.json", import.meta.url));
let folder = "";
let text = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "conformance-allegro-"));
  text = await readFile(shipped, "utf8");
});
afterAll(() => rm(folder, { recursive: true }));

/** Replays the shipped file after a change that must have found its place. */
async function damaged(from: string, to: string) {
  expect(text).toContain(from);
  const file = join(folder, "damaged.json");
  await writeFile(file, text.replace(from, to));
  return runConformance("allegro", file);
}

describe("conformance of the Allegro Hand", () => {
  it("finds nothing wrong in what is shipped", async () => {
    const report = await runConformance("allegro", shipped);
    expect(report.mismatches).toEqual([]);
    expect(report.passed).toBe(true);
    // 45 frames, 4 PD laws, 2 gain sets, filter, V3 identifiers, counts.
    expect(report.vectorCount).toBe(54);
    expect(report.comparedCount).toBeGreaterThan(300);
    expect(report.partlyChecked).toEqual([]);
  });

  it.each([
    ["a byte of a frame", '"data": "000052f890229022"', '"data": "000052f890229122"', "can-29", "counts"],
    ["an angle", "-0.17450837085418242", "-0.17450837085518242", "can-29", "rad"],
    ["the text of a frame", "t1000\\r", "t1001\\r", "can-04", "slcan"],
    ["a torque frame of a PD law", "5b0068ff7bff1400", "5b0068ff7bff1500", "pd 0", "frame of finger 0"],
    ["the vendor's filter", '"dc_gain": 0.99', '"dc_gain": 1.0', "filter", "dc_gain"],
    ["an identifier of V3", '"query": 906', '"query": 907', "v3_ids", "query"],
  ])("names the vector and what differs: %s", async (_, from, to, tag, what) => {
    const report = await damaged(from, to);
    expect(report.passed).toBe(false);
    expect(report.mismatches).toContainEqual(expect.objectContaining({ tag, what }));
    expect(new Set(report.mismatches.map((mismatch) => mismatch.tag))).toEqual(new Set([tag]));
  });

  it("says of a frame without meaning that only its shape was checked", async () => {
    const report = await damaged('"words": [258, 65534, 32768], ', "");
    expect(report.mismatches).toEqual([]);
    expect(report.partlyChecked).toEqual(["can-28"]);
  });

  it("refuses the vectors of another device, naming the place", async () => {
    const file = join(folder, "other.json");
    await writeFile(file, JSON.stringify({ vectors: [] }));
    await expect(runConformance("allegro", file)).rejects.toMatchObject({
      code: "FILE_UNREADABLE",
      happened: expect.stringContaining("frames"),
    });
    await writeFile(file, text.replace('"dir": "rx"', '"dir": "up"'));
    await expect(runConformance("allegro", file)).rejects.toMatchObject({
      code: "FILE_UNREADABLE",
      happened: expect.stringMatching(/frames\[\d+\]\.dir/),
    });
    await expect(runConformance("constructor", shipped)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });
});
