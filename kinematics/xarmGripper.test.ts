import { describe, expect, it } from "vitest";
import {
  DRIVE_MAX_RAD,
  driveFromOpeningRad,
  GRIPPER_JOINTS,
  GRIPPER_LINKS,
  OPENING_MAX_M,
  openingFromDriveM,
} from "./xarmGripper.js";

describe("gripper", () => {
  it("is closed at the end of its drive and opens to 87 mm", () => {
    expect(openingFromDriveM(DRIVE_MAX_RAD)).toBe(0);
    expect(OPENING_MAX_M).toBeCloseTo(0.0873, 3);
  });

  it("holds a 4 cm cube where simulation settles", () => {
    // 0.505 rad was measured with this cube between these pads; its 40 mm less the closed end's 1.6 mm.
    expect(openingFromDriveM(0.505)).toBeCloseTo(0.0384, 2);
  });

  it("finds the drive angle of every opening, and the nearer end beyond", () => {
    for (let driveRad = 0; driveRad <= DRIVE_MAX_RAD; driveRad += 0.01) {
      expect(driveFromOpeningRad(openingFromDriveM(driveRad))).toBeCloseTo(driveRad, 9);
    }
    expect(driveFromOpeningRad(1)).toBe(0);
    expect(driveFromOpeningRad(-1)).toBe(DRIVE_MAX_RAD);
  });

  it("has one parent for each of its links, and every joint follows the drive", () => {
    expect(GRIPPER_JOINTS.map((joint) => joint.child).sort()).toEqual(
      GRIPPER_LINKS.slice(1)
        .map((link) => link.name)
        .sort(),
    );
    expect(GRIPPER_JOINTS.filter((joint) => joint.follows === undefined)).toHaveLength(1);
  });
});
