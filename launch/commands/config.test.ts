import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { cellFileOf } from "../cell/default.js";
import { checkConfig } from "./config.js";

const folder = mkdtempSync(join(tmpdir(), "config-check-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function check(cell: string, change: (text: string) => string = (text) => text) {
  const file = join(folder, "cell.yaml");
  writeFileSync(file, change(readFileSync(cellFileOf(cell), "utf8")));
  const json = join(folder, "result.json");
  await checkConfig(file, { json });
  return JSON.parse(readFileSync(json, "utf8")) as { valid: boolean };
}

describe("config check", () => {
  it("takes a bundle for the robots that the policy leads, and one that is not there yet", async () => {
    expect(await check("xarm7-lab")).toMatchObject({ valid: true });
    const elsewhere = (text: string) => text.replace(/bundle: \S+/, "bundle: policies/bundles/none-yet");
    expect(await check("allegro-lab", elsewhere)).toMatchObject({ valid: true });
  });

  it("refuses a bundle of another device, and says what each is", async () => {
    const ofAnArm = (text: string) => text.replace(/bundle: \S+/, "bundle: policies/bundles/reach-block");
    await expect(check("allegro-lab", ofAnArm)).rejects.toMatchObject({
      code: "BUNDLE_MISMATCH",
      message: expect.stringMatching(/reach-block moves xarm7, but policy\.robot names hand \(allegro\)/),
    });
  });
});
