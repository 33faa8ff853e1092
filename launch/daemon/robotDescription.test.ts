import { describe, expect, it } from "vitest";
import { limitsOf } from "../../drivers/allegro/limits.js";
import { armLimitsOf } from "../../drivers/digit/limits.js";
import { limitsOfGeneration } from "../../drivers/xarm7/limits.js";
import { RobotConfig } from "../cell/robotConfig.js";
import { describeRobot } from "./robotDescription.js";

const hand = (allegro: Record<string, unknown>) => {
  const config = RobotConfig.parse({
    device: "allegro",
    allegro: { can: { slcan: { path: "/dev/hand" } }, ...allegro },
  });
  if (config.device !== "allegro") throw new Error("it is a hand");
  return describeRobot("hand", config, { device: "allegro", rateHz: 333, limits: limitsOf(config.allegro) });
};
const countOf = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].length;

describe("what clients are told of a robot", () => {
  it("is an arm with its gripper", () => {
    const config = RobotConfig.parse({ device: "xarm7", xarm7: { host: "127.0.0.1" } });
    if (config.device !== "xarm7") throw new Error("it is an arm");
    const limits = limitsOfGeneration(1);
    const told = describeRobot("arm", config, { device: "xarm7", rateHz: 250, limits });
    expect(told).toMatchObject({ device: "xarm7", hasGripper: config.xarm7.gripper !== "none" });
    expect(told.urdf).toContain('<link name="link7">');
  });

  it.each([
    { model: "v4", side: "right" },
    { model: "v4", side: "left" },
    { model: "v5a", side: "right" },
  ])("is a $side hand $model with sixteen joints and four tips", (allegro) => {
    const told = hand(allegro);
    expect(told).toMatchObject({ device: "allegro", hasGripper: false });
    expect(told.jointNames).toHaveLength(16);
    expect(told.jointGroups?.map(({ name, joints }) => `${name} ${joints}`)).toEqual([
      "index 4",
      "middle 4",
      "ring 4",
      "thumb 4",
    ]);
    expect(told.mount).toEqual({ robot: null, positionM: [0, 0, 0], quatXyzw: [0, 0, 0, 1] });
    expect(countOf(told.urdf, /type="revolute"/g)).toBe(16);
    expect(countOf(told.urdf, /_tip_joint" type="fixed"/g)).toBe(4);
  });

  it("is a robot on legs by limbs, with the joints that no motor drives", () => {
    const frames = { linearVelocity: "world", imu: "mount" };
    const config = RobotConfig.parse({ device: "digit", digit: { host: "127.0.0.1", frames } });
    const told = describeRobot("digit", config, { device: "digit", rateHz: 1000, limits: armLimitsOf() });
    expect(told.jointGroups?.map(({ joints }) => joints)).toEqual([6, 6, 4, 4]);
    expect(told.legs?.passiveJointNames).toHaveLength(10);
    for (const joint of [...told.jointNames, ...told.legs!.passiveJointNames])
      expect(told.urdf).toContain(`<joint name="${joint}"`);
    expect(told).not.toHaveProperty("mount");
  });

  it("is a bare palm where nobody knows the hand's geometry, with the limits of the cell file", () => {
    const own = (value: number) => Array<number>(16).fill(value);
    const told = hand({
      model: "v5b",
      side: "right",
      positionMinRad: own(-0.1),
      positionMaxRad: own(1),
      velocityMaxRadPerS: own(2),
    });
    expect(told.positionMaxRad).toEqual(own(1));
    expect(told.urdf).toContain('<link name="palm_link"/>');
    expect(countOf(told.urdf, /<joint/g)).toBe(0);
  });
});
