import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { CerebellumError } from "../../core/errors.js";
import { cellJsonSchema, loadCell, nearest, parseCell } from "./load.js";

const labFile = fileURLToPath(new URL("../cells/xarm7-lab.yaml", import.meta.url));
const labText = readFileSync(labFile, "utf8");

function refusal(text: string): string {
  try {
    parseCell(text, "cell.yaml");
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(CerebellumError);
    expect((thrown as CerebellumError).code).toBe("CONFIG_INVALID");
    return (thrown as CerebellumError).message;
  }
  throw new Error("the cell was accepted");
}

describe("cell file", () => {
  it("reads the shipped lab cell and fills the defaults in", () => {
    const cell = loadCell(labFile);
    expect(cell.robots.arm?.servo.velocityMaxRadPerS).toHaveLength(7);
    expect(cell.cameras.wrist?.encoding).toBe("rgb8");
  });

  it("names the nearest valid key, the line and the valid keys", () => {
    const message = refusal(labText.replace("rateHz: 250", "rateHZ: 250"));
    const line = labText.split("\n").findIndex((text) => text.includes("rateHz: 250")) + 1;
    expect(message).toContain(`line ${line}: robots.arm.servo.rateHZ: unknown key; did you mean "rateHz"?`);
    expect(message).toMatch(/velocityMaxRadPerS/);
  });

  it("refuses a wrong type with what it found", () => {
    expect(refusal(labText.replace("rateHz: 250", "rateHz: fast"))).toMatch(
      /robots\.arm\.servo\.rateHz.*found "fast"/,
    );
  });

  it("refuses limits beyond the device's", () => {
    const text = labText.replace(
      "rateHz: 250",
      "rateHz: 250\n      velocityMaxRadPerS: [9, 1, 1, 1, 1, 1, 1]",
    );
    expect(refusal(text)).toMatch(/velocityMaxRadPerS\.0.*found 9/);
  });

  it("refuses a workspace turned inside out", () => {
    const text = labText.replace(
      "rateHz: 250",
      "rateHz: 250\n      workspace: { minM: [1, 0, 0], maxM: [0, 1, 1] }",
    );
    expect(refusal(text)).toMatch(/must lie below maxM/);
  });

  it("refuses a policy for a robot that is not there, and lists those that are", () => {
    expect(refusal(labText.replace("  robot: arm\n  camera", "  robot: leg\n  camera"))).toMatch(
      /"leg"; this cell has: arm/,
    );
  });

  it("refuses one port used twice", () => {
    expect(refusal(labText.replace("highRate: 18000", "highRate: 18502"))).toMatch(/18502 is already used/);
  });

  it("names the line of a stop source that cannot work", () => {
    const text = `${labText}\nestop:\n  line:\n    path: button\n`;
    const line = text.split("\n").findIndex((one) => one.includes("path: button")) + 1;
    expect(refusal(text)).toMatch(
      new RegExp(`line ${line}: estop\\.line\\.path: must be an absolute path; found "button"`),
    );
  });

  it("names the line of broken YAML", () => {
    expect(refusal(`${labText}\nrobots: {`)).toMatch(/line \d+:/);
  });

  it("says so when the file is not there", () => {
    expect(() => loadCell("/nowhere/cell.yaml")).toThrow(/ENOENT.*Give the path/s);
  });

  it("keeps the editor's schema in step with the code", () => {
    const written = JSON.parse(readFileSync(new URL("../cells/cell.schema.json", import.meta.url), "utf8"));
    expect(written).toEqual(JSON.parse(JSON.stringify(cellJsonSchema())));
  });

  it("does not guess when nothing is near", () => {
    expect(nearest("zzzzzzzzzz", ["rateHz"])).toBeUndefined();
  });
});
