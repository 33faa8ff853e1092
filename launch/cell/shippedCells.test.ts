/** The cells that are shipped: what each holds, and that an arm may stand with what it carries. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { repositoryRootUrl } from "../../core/entry.js";
import { compose, type Pose, type QuatXyzw, rotate } from "../../kinematics/pose.js";
import { XARM7_HOME_RAD } from "../../kinematics/xarm7.js";
import { intrinsicsOf } from "../../lab/world/mount.js";
import { TABLE } from "../../lab/world/propsMjcf.js";
import { PATCH_M } from "../../lab/world/scene.js";
import { armBody } from "../armBody.js";
import { cellFileOf, shippedCells } from "./default.js";
import { cameraParentOf, framePrefixOf, parentFrameOf } from "./frames.js";
import { loadCell, parseCell, recordedCell } from "./load.js";
import { armsOf, handsOf } from "./robotConfig.js";
import type { CellConfig } from "./schema.js";

const root = fileURLToPath(repositoryRootUrl());
const cellOf = (name: string): CellConfig => loadCell(cellFileOf(name));
const textOf = (name: string): string => readFileSync(cellFileOf(name), "utf8");
const slcanOf = (cell: CellConfig) => handsOf(cell.robots)[0]![1].allegro.can.slcan!;

function refusal(text: string): string {
  try {
    parseCell(text, "cell.yaml");
  } catch (thrown) {
    return (thrown as Error).message;
  }
  throw new Error("the cell was accepted");
}

describe("shipped cells", () => {
  it.each(shippedCells())("%s is known by its bare name and differs from all others in name", (name) => {
    const cell = cellOf(name);
    expect(cell.lab).toBeDefined();
    const others = shippedCells().filter((other) => other !== name);
    expect(others.map((other) => cellOf(other).name)).not.toContain(cell.name);
  });

  it("a path that is there, and what no cell is called, stay as they were given", () => {
    expect(cellFileOf("package.json")).toBe("package.json");
    expect(cellFileOf("./allegro-lab")).toBe("./allegro-lab");
    expect(() => loadCell(cellFileOf("alegro-lab"))).toThrow(/alegro-lab.*ENOENT.*allegro-lab.*xarm7-lab/s);
  });

  it("a hand's adapter counts from the repository, and its episodes do not say where that lies", () => {
    const cell = cellOf("allegro-lab");
    expect(slcanOf(cell).path).toBe(`${root}.cerebellum/allegro_lab/hand`);
    const recorded = recordedCell(cell) as unknown as CellConfig;
    expect(slcanOf(recorded).path).toBe(".cerebellum/allegro_lab/hand");
    const real = parseCell(textOf("allegro-lab").replace(/path: \S+/, "path: /dev/ttyUSB0"), "cell.yaml");
    expect(slcanOf(recordedCell(real) as unknown as CellConfig).path).toBe("/dev/ttyUSB0");
  });

  it("the hand on its stand has its palm up, and its camera looks down on it", () => {
    const cell = cellOf("allegro-lab");
    const [[, { mount }]] = handsOf(cell.robots) as [ReturnType<typeof handsOf>[number]];
    const palm: Pose = mount;
    rotate(palm.quatXyzw, [1, 0, 0]).forEach((value, axis) => {
      expect(value).toBeCloseTo([0, 0, 1][axis]!, 6);
    });
    const camera = compose(palm, cell.cameras.overhead!.mount);
    expect(rotate(camera.quatXyzw, [0, 0, 1])[2]).toBeLessThan(-0.8);
    expect(camera.positionM[2]).toBeGreaterThan(mount.positionM[2] + 0.2);
  });

  it("the camera that looks on stands off the table, sees every place of a block, and its wrist camera is xarm7-lab's", () => {
    const { cameras } = cellOf("xarm7-two-cameras-lab");
    const { mount, widthPx, heightPx, fovYDeg } = cameras.beside!;
    expect(mount.parentFrame).toBe("base");
    expect(mount.positionM[0]).toBeGreaterThan(TABLE.centreM[0] + TABLE.halfM[0]);
    const { focalPx } = intrinsicsOf(widthPx, heightPx, fovYDeg);
    const inverse = mount.quatXyzw.map((value, axis) => (axis < 3 ? -value : value)) as unknown as QuatXyzw;
    for (const x of PATCH_M.x)
      for (const y of PATCH_M.y) {
        const away = [x - mount.positionM[0], y - mount.positionM[1], -mount.positionM[2]] as const;
        const [right, down, ahead] = rotate(inverse, away);
        expect(ahead).toBeGreaterThan(0);
        // A tenth of the picture is left at each side for what jitter does.
        expect(Math.abs((focalPx * right) / ahead)).toBeLessThan(0.4 * widthPx);
        expect(Math.abs((focalPx * down) / ahead)).toBeLessThan(0.4 * heightPx);
      }
    const { topic: _, ...wrist } = cameras.wrist!;
    expect(cellOf("xarm7-lab").cameras.wrist).toMatchObject(wrist);
  });

  it("the arm that carries a hand may stand at home and turn its wrist", () => {
    const [[, { xarm7, servo }]] = armsOf(cellOf("xarm7-allegro-lab").robots) as [
      ReturnType<typeof armsOf>[number],
    ];
    const body = armBody(xarm7, servo);
    const { marginM } = servo.selfCollision;
    for (const turnRad of [0, Math.PI / 2, Math.PI]) {
      body.update(XARM7_HOME_RAD.map((rad, joint) => (joint === 6 ? rad + turnRad : rad)));
      const clearancesM = new Float64Array(body.pairs.length);
      body.measurePairs(clearancesM);
      expect(Math.min(...clearancesM)).toBeGreaterThan(marginM);
    }
  });

  it("frames of several robots have their robot's name before them", () => {
    const { robots } = cellOf("xarm7-allegro-lab");
    expect(parentFrameOf(robots, "arm")).toBe("arm_link7");
    expect(parentFrameOf(robots, "hand")).toBe("hand_palm_link");
    expect(framePrefixOf(cellOf("allegro-lab").robots, "hand")).toBe("");
    const base = { mount: { ...cellOf("xarm7-two-cameras-lab").cameras.beside!.mount } };
    expect(cameraParentOf(cellOf("xarm7-two-cameras-lab").robots, base)).toBe("link_base");
    expect(cameraParentOf(robots, base)).toBe("arm_link_base");
    expect(cameraParentOf(robots, cellOf("xarm7-allegro-lab").cameras.wrist!)).toBe("arm_link7");
  });
});

describe("what a cell with hands may not say", () => {
  const both = textOf("xarm7-allegro-lab");
  const second = (more: string) =>
    both.replace(
      "cameras:",
      `  other:\n    device: allegro\n    allegro: { can: { ${more} }, model: v4, side: left }\ncameras:`,
    );

  it.each([
    [
      "two robots on one adapter",
      second("slcan: { path: ./.cerebellum/xarm7_allegro_lab/hand }"),
      /robots\.other\.allegro\.can\.slcan\.path: adapter \S+ is already used by hand/,
    ],
    [
      "a hand on an arm that is not there",
      both.replace("robot: arm\n      positionM: [0, 0, 0.13]", "robot: leg\n      positionM: [0, 0, 0.13]"),
      /robots\.hand\.mount\.robot: names arm "leg"; this cell has: arm/,
    ],
    [
      "a hand where the gripper is",
      both.replace("gripper: none", "gripper: xarm"),
      /robots\.hand\.mount\.robot: arm has a gripper on its flange; set its xarm7\.gripper to none/,
    ],
    [
      "a camera on a hand's flange",
      textOf("allegro-lab").replace("parentFrame: palm", "parentFrame: flange"),
      /cameras\.overhead\.mount\.parentFrame: is flange, but hand \(allegro\) has a palm/,
    ],
    [
      "a camera on an arm's palm",
      both.replace("parentFrame: flange", "parentFrame: palm"),
      /cameras\.wrist\.mount\.parentFrame: is palm, but arm \(xarm7\) has a flange and a base/,
    ],
    [
      "a camera on a hand's base",
      textOf("allegro-lab").replace("parentFrame: palm", "parentFrame: base"),
      /cameras\.overhead\.mount\.parentFrame: is base, but hand \(allegro\) has a palm/,
    ],
    [
      "a policy that leads one robot twice",
      both.replace("gateway:", "policy: { bundle: b, robot: [hand, hand], camera: wrist }\ngateway:"),
      /policy\.robot: names a robot twice/,
    ],
    [
      "an adapter of both kinds",
      both.replace("        slcan:", "        socketcan: { interface: can0 }\n        slcan:"),
      /must have exactly one of `slcan` and `socketcan`/,
    ],
    [
      "gains of another hand",
      both.replace("model: v4", "model: v5a\n      gains: v4VelocitySaturated"),
      /robots\.hand\.allegro\.gains: is not for v5a/,
    ],
  ])("%s", (_what, text, message) => {
    expect(refusal(text)).toMatch(message);
  });

  it("two hands on one arm", () => {
    const text = second("socketcan: { interface: can0 }").replace(
      "side: left }",
      "side: left }\n    mount: { robot: arm }",
    );
    expect(refusal(text)).toMatch(/robots\.other\.mount\.robot: arm carries hand already/);
  });
});
