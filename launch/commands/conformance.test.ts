/** The conformance command over the shipped vectors, a damaged copy and files that are none. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runConformance } from "./conformance.js";

const shipped = (name: string) =>
  fileURLToPath(new URL(`../../drivers/xarm7/vectors/${name}`, import.meta.url));
let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "conformance-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("conformance", () => {
  it.each([
    ["requests.json", 84],
    ["reports.json", 18],
  ])("finds nothing wrong in %s", async (name, count) => {
    const report = await runConformance("xarm7", shipped(name));
    expect(report.mismatches).toEqual([]);
    expect(report.passed).toBe(true);
    expect(report.vectorCount).toBe(count);
    expect(report.comparedCount).toBeGreaterThan(5 * count);
  });

  it("names the vector and what differs", async () => {
    const text = await readFile(shipped("requests.json"), "utf8");
    const file = join(folder, "damaged.json");
    await writeFile(file, text.replaceAll("0001000300020c04", "0001000300020c05"));
    const report = await runConformance("xarm7", file);
    expect(report.passed).toBe(false);
    expect(new Set(report.mismatches.map((m) => m.tag))).toEqual(new Set(["req-034", "req-105"]));
    expect(report.mismatches[0]).toMatchObject({ what: "request of the call", found: "0001000300020c04" });
  });

  it("refuses another device, a missing file and a file of another kind", async () => {
    await expect(runConformance("ur5", shipped("requests.json"))).rejects.toMatchObject({
      code: "CONFIG_INVALID",
    });
    await expect(runConformance("xarm7", join(folder, "none.json"))).rejects.toMatchObject({
      code: "FILE_UNREADABLE",
    });
    const file = join(folder, "other.json");
    await writeFile(file, JSON.stringify({ vectors: [{ tag: "x", request_hex: "0" }] }));
    await expect(runConformance("xarm7", file)).rejects.toMatchObject({ code: "FILE_UNREADABLE" });
  });
});
