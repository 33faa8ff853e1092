import { describe, expect, it } from "vitest";
import { quatFromRpy } from "../../kinematics/pose.js";
import { type Alignment, alignmentOf, alignPose, recentre } from "../../runtime/teleop/alignment.js";
import { toFloor } from "./headsetWire.js";

/** What teleoperation makes of a headset that was recentred by a head that looks straight ahead. */
function alignment(facingRad: number): Alignment {
  const facing = quatFromRpy(0, 0, facingRad);
  const head = toFloor({ positionM: [0, 0, 1.6], quatXyzw: [0, 0, 0, 1] }, facing);
  const shown = recentre("local-floor", { head });
  if (!shown.ok) throw new Error(shown.happened);
  const found = alignmentOf("local-floor", undefined, shown.value);
  if (!found.ok) throw new Error(found.happened);
  return found.value;
}

describe("the scripted operator's headset", () => {
  it("has the hand to the right of the person at 20 cm as WebXR has it: x right, y up, z backwards", () => {
    const { positionM } = toFloor({ positionM: [0.35, -0.2, 1.1], quatXyzw: [0, 0, 0, 1] }, [0, 0, 0, 1]);
    expect(positionM).toEqual([0.2, 1.1, -0.35]);
  });

  it.each([0, 0.35, -2])("is understood after recentring as it was meant, facing %f rad", (facingRad) => {
    const hand = { positionM: [0.35, -0.2, 1.1], quatXyzw: quatFromRpy(0.3, -0.2, 0.7) } as const;
    const got = alignPose(alignment(facingRad), toFloor(hand, quatFromRpy(0, 0, facingRad)));
    for (const axis of [0, 1, 2] as const) expect(got.positionM[axis]).toBeCloseTo(hand.positionM[axis], 9);
    for (const i of [0, 1, 2, 3] as const) expect(got.quatXyzw[i]).toBeCloseTo(hand.quatXyzw[i], 9);
  });
});
