import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { CerebellumError } from "../../core/errors.js";
import { cellJsonSchema, loadCell, nearest, parseCell, recordedCell } from "./load.js";
import { armsOf } from "./robotConfig.js";
import type { CellConfig } from "./schema.js";

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
    expect(armsOf(cell.robots)[0]?.[1].servo.velocityMaxRadPerS).toHaveLength(7);
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

  it("records unless told not to, into a folder of the repository", () => {
    const cell = loadCell(labFile);
    expect(cell.recorder).toMatchObject({ images: "jpeg", strict: false, required: false, topics: [] });
    if (cell.recorder !== "off") expect(cell.recorder.folder).toMatch(/^\/.*\/recordings$/);
    expect(parseCell(`${labText}\nrecorder: off\n`, "cell.yaml").recorder).toBe("off");
    const silent = `${labText}\nrecorder: { folder: /data/episodes, images: raw }\n`;
    expect(parseCell(silent, "cell.yaml").recorder).toMatchObject({
      folder: "/data/episodes",
      images: "raw",
    });
  });

  it("stands in an episode without the place of this repository", () => {
    const cell = recordedCell(loadCell(labFile)) as unknown as CellConfig;
    expect(cell.policy?.bundle).toBe("policies/bundles/reach-block");
    expect(cell.recorder).toMatchObject({ folder: "recordings" });
    const elsewhere = loadCell(labFile);
    if (elsewhere.recorder === "off") throw new Error("the lab's cell records");
    const recorder = { ...elsewhere.recorder, folder: "/data/episodes" };
    expect(recordedCell({ ...elsewhere, recorder }).recorder).toMatchObject({ folder: "/data/episodes" });
    expect(recordedCell({ ...elsewhere, recorder: "off" }).recorder).toBe("off");
  });

  it("says of the recorder's section what is wrong with which key, as of any other", () => {
    expect(refusal(`${labText}\nrecorder:\n  jpegQualty: 90\n`)).toMatch(
      /line \d+: recorder\.jpegQualty: unknown key; did you mean "jpegQuality"\?.*diskFreeMiBMin/,
    );
    expect(refusal(`${labText}\nrecorder:\n  jpegQuality: 900\n`)).toMatch(
      /line \d+: recorder\.jpegQuality: .*found 900/,
    );
    expect(refusal(`${labText}\nrecorder: sometimes\n`)).toMatch(/line \d+: recorder: .*found "sometimes"/);
  });

  it.each([
    "/tf",
    "/arm/joint_states",
    "/camera/wrist/color/image_raw",
    "/camera/wrist/color/image_raw/compressed",
    "/cerebellum/clock",
  ])("refuses to record %s a second time", (topic) => {
    const text = `${labText}\nrecorder: { topics: [{ topic: ${topic}, type: std_msgs/msg/String }] }\n`;
    expect(refusal(text)).toMatch(/recorder\.topics\.0\.topic: is recorded already; found "\//);
  });

  it("refuses a topic that is named twice, and names and types that are none", () => {
    const topics = (list: string) => `${labText}\nrecorder: { topics: [${list}] }\n`;
    const one = "{ topic: /force, type: geometry_msgs/msg/Wrench }";
    expect(refusal(topics(`${one}, ${one}`))).toMatch(/recorder\.topics\.1\.topic: is recorded already/);
    expect(refusal(topics("{ topic: force, type: geometry_msgs/msg/Wrench }"))).toMatch(/absolute ROS topic/);
    expect(refusal(topics("{ topic: /force, type: Wrench }"))).toMatch(/must be a message type such as/);
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
