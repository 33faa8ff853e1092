import { expect, it } from "vitest";
import type { TrackerFrame, TrackerFrames } from "../../calibration/trackerFrame.js";
import type { PoseMessage, TrackedPose } from "../../core/teleop/pose.js";
import { multiplyQuat, type QuatXyzw, rotate } from "../../kinematics/pose.js";
import { SourceAlignment } from "./sourceAlignment.js";
import { poseOf } from "./testing.js";

/** About y, which is up for SteamVR. */
const heading = (angleRad: number): QuatXyzw => [0, Math.sin(angleRad / 2), 0, Math.cos(angleRad / 2)];
const AXES: QuatXyzw = [0.5, -0.5, -0.5, 0.5];
/** Of a robot whose x axis lies at this heading of the tracker's room. */
const frameAt = (
  angleRad: number,
  robot = "arm",
  space: TrackerFrame["space"] = "openvr-standing",
): TrackerFrame => ({
  schema: "cerebellum/tracker-frame@1",
  device: "vive",
  space,
  quatBaseTracker: [...multiplyQuat(AXES, heading(-angleRad))],
  residualDeg: 0,
  tiltDeg: 0,
  strokesM: [],
  createdEpochMs: 0,
  robot,
});

class Frames implements TrackerFrames {
  frame: TrackerFrame | undefined;
  frameOf() {
    return this.frame === undefined
      ? undefined
      : { frame: this.frame, sha256: JSON.stringify(this.frame.quatBaseTracker) };
  }
}

const wand = (quatXyzw: QuatXyzw = [0, 0, 0, 1]): PoseMessage =>
  poseOf({ device: "vive", source: "vive", space: "openvr-standing", quatXyzw: [...quatXyzw] });
const handOf = (message: PoseMessage): TrackedPose => message.hands[0]!.pose!;

/** Where the tool is led when the hand goes a metre along a heading of the room. */
function ledTo(alignment: SourceAlignment, angleRad: number): number[] {
  const positionM = [...rotate(heading(angleRad), [0, 0, -1])] as TrackedPose["positionM"];
  return alignment.turnOf(wand())!({ ...handOf(wand()), positionM }).positionM;
}
function expectForward(positionM: readonly number[]): void {
  for (const axis of [0, 1, 2]) expect(positionM[axis]).toBeCloseTo(axis === 0 ? 1 : 0, 9);
}

it("what was recentred before a calibration does not turn the calibrated frame", () => {
  const frames = new Frames();
  const alignment = new SourceAlignment(frames, "arm");
  const pointing = wand(heading(1.2));
  expect(alignment.recentre(pointing, handOf(pointing))).toBeUndefined();
  expect(alignment.howKnown(wand())).toBe("recentred");
  expectForward(ledTo(alignment, 1.2));
  frames.frame = frameAt(1.2);
  expect(alignment.howKnown(wand())).toBe("calibrated");
  expectForward(ledTo(alignment, 1.2));
});

it("what is recentred after a calibration corrects it, until the next one", () => {
  const frames = new Frames();
  const alignment = new SourceAlignment(frames, "arm");
  frames.frame = frameAt(1.2);
  const pointing = wand(heading(0.7));
  expect(alignment.recentre(pointing, handOf(pointing))).toBeUndefined();
  expect(alignment.howKnown(wand())).toBe("recentred");
  expectForward(ledTo(alignment, 0.7));
  frames.frame = frameAt(-0.4);
  expect(alignment.howKnown(wand())).toBe("calibrated");
  expectForward(ledTo(alignment, -0.4));
});

it("a frame that was measured for another robot does not count", () => {
  const frames = new Frames();
  frames.frame = frameAt(1.2, "other");
  const alignment = new SourceAlignment(frames, "arm");
  expect(alignment.howKnown(wand())).toBe("none");
  expect(alignment.turnOf(wand())).toBeUndefined();
  expect(new SourceAlignment(frames, "other").howKnown(wand())).toBe("calibrated");
});

it("a headset's frame of an earlier start does not count: its heading is another one by now", () => {
  const frames = new Frames();
  frames.frame = frameAt(1.2, "arm", "local-floor");
  const headset = poseOf({ device: "vive", space: "local-floor" });
  expect(new SourceAlignment(frames, "arm").howKnown(headset)).toBe("none");
});
