import { beforeEach, describe, expect, it } from "vitest";
import { addNs, asEpochNs, msToNs, toRosTime } from "../../core/clock.js";
import { readJoy, readPoseStamped } from "../../core/rosWire.js";
import { SimClock } from "../../core/simClock.js";
import type { PoseMessage } from "../../core/teleop/pose.js";
import { rosDefinition } from "../../episodes/definitions.js";
import { rosCodec } from "../../episodes/rosCodec.js";
import { DeadmanConfig, TeleopConfig } from "../teleop/config.js";
import { Deadman } from "../teleop/deadman.js";
import { JOY_AGE_MS_MAX, RosPoseSource } from "./poseSource.js";

const PREFIXES = (process.env.AMENT_PREFIX_PATH ?? "").split(":").filter((prefix) => prefix !== "");
const codecOf = (type: string) => rosCodec(type, rosDefinition(type, PREFIXES));
const POSE = codecOf("geometry_msgs/msg/PoseStamped");
const JOY = codecOf("sensor_msgs/msg/Joy");
const PERIOD_MS = 11;

const [config] = TeleopConfig.parse({
  rosSources: [{ device: "wand", poseTopic: "/wand/pose", joyTopic: "/wand/joy", gripperButton: 2 }],
}).rosSources;

let clock: SimClock;
let source: RosPoseSource;
let poses: PoseMessage[];
let malformed: string[];

beforeEach(() => {
  clock = new SimClock();
  poses = [];
  malformed = [];
  source = new RosPoseSource(config!, "run1", {
    onPose: (pose) => void poses.push(pose),
    onMalformed: (device, why) => void malformed.push(`${device}: ${why}`),
  });
});

function poseBytes(x: number, stampNs = clock.epochNs(), w = 1): Uint8Array {
  return POSE.encode({
    header: { stamp: toRosTime(stampNs), frame_id: "libsurvive_world" },
    pose: { position: { x, y: 0.5, z: 1 }, orientation: { x: 0, y: 0, z: 0, w } },
  });
}
const joyBytes = (buttons: readonly number[]): Uint8Array =>
  JOY.encode({ header: { stamp: toRosTime(clock.epochNs()), frame_id: "" }, axes: [0.5, -1], buttons });

const joy = (...buttons: number[]) => source.joy(joyBytes(buttons), clock.nowNs());
const pose = (x: number, stampNs = clock.epochNs()) => source.pose(poseBytes(x, stampNs), clock.nowNs());

describe("the wire", () => {
  it("reads what ROS's own encoder writes, and no shorter prefix of it", () => {
    const bytes = poseBytes(0.25);
    const read = readPoseStamped(bytes);
    expect(read).toEqual({
      ok: true,
      value: {
        stampNs: clock.epochNs(),
        frameId: "libsurvive_world",
        positionM: [0.25, 0.5, 1],
        quatXyzw: [0, 0, 0, 1],
      },
    });
    for (let length = 0; length < bytes.length; length++)
      expect(readPoseStamped(bytes.slice(0, length)).ok).toBe(false);
    const buttons = joyBytes([0, 1, 1]);
    expect(readJoy(buttons)).toMatchObject({ ok: true, value: { axes: [0.5, -1], buttons: [0, 1, 1] } });
    for (let length = 0; length < buttons.length; length++)
      expect(readJoy(buttons.slice(0, length)).ok).toBe(false);
  });
});

describe("the cell file", () => {
  it("names each tracker once: two of one name would be one hand in two places", () => {
    const source = { device: "wand", poseTopic: "/a/pose", joyTopic: "/a/joy" };
    const parsed = TeleopConfig.safeParse({ rosSources: [source, { ...source, poseTopic: "/b/pose" }] });
    expect(parsed.success).toBe(false);
    expect(parsed.error?.issues[0]).toMatchObject({ message: expect.stringContaining("wand") });
    expect(TeleopConfig.safeParse({ rosSources: [source, { ...source, device: "puck" }] }).success).toBe(
      true,
    );
  });
});

describe("a tracker over ROS", () => {
  it("becomes poses with rising numbers, the publisher's clock, and the buttons of the newest Joy", async () => {
    joy(1, 0, 1);
    for (let i = 0; i < 3; i++) {
      await clock.advance(PERIOD_MS);
      pose(0.01 * i);
    }
    expect(poses.map(({ seq }) => seq)).toEqual([1, 2, 3]);
    expect(poses.map(({ deviceTimeMs }) => deviceTimeMs)).toEqual([0, 11, 22]);
    expect(poses[2]).toMatchObject({
      source: "ros",
      space: "ros",
      device: "wand",
      hands: [{ hand: "right", tracked: true, clutch: 1, gripper: 1, pose: { positionM: [0.02, 0.5, 1] } }],
    });
  });

  it("repeated or overtaken poses have numbers that were there already", async () => {
    joy(0);
    pose(0);
    await clock.advance(PERIOD_MS);
    const stampNs = clock.epochNs();
    pose(0.01);
    pose(0.01, stampNs);
    pose(0, asEpochNs(addNs(stampNs, msToNs(-5))));
    expect(poses.map(({ seq }) => seq)).toEqual([1, 2, 2, 2]);
  });

  it("whose publisher has started again is another session", () => {
    joy(0);
    pose(0);
    pose(0, asEpochNs(addNs(clock.epochNs(), msToNs(-5000))));
    expect(poses[1]!.session).not.toBe(poses[0]!.session);
    expect(poses[1]!.seq).toBe(1);
  });

  it("vouches for nothing when its buttons are not heard", async () => {
    pose(0);
    expect(poses[0]!.hands[0]!.tracked).toBe(false);
    joy(1);
    await clock.advance(JOY_AGE_MS_MAX);
    pose(0.01);
    await clock.advance(1);
    pose(0.02);
    expect(poses.slice(1).map(({ hands }) => hands[0]!.tracked)).toEqual([true, false]);
  });

  it("vouches for nothing when its clutch is not among the buttons: that would look like a release", () => {
    const wide = new RosPoseSource({ ...config!, clutchButton: 5 }, "run1", {
      onPose: (one) => void poses.push(one),
      onMalformed: () => {},
    });
    wide.joy(joyBytes([0, 0, 0, 0, 0, 1]), clock.nowNs());
    wide.pose(poseBytes(0), clock.nowNs());
    wide.joy(joyBytes([]), clock.nowNs());
    wide.pose(poseBytes(0.01), clock.nowNs());
    expect(poses.map(({ hands }) => hands[0]!.tracked)).toEqual([true, false]);
  });

  it("tells what is no pose", () => {
    joy(0);
    source.pose(poseBytes(Number.NaN), clock.nowNs());
    source.pose(poseBytes(0, clock.epochNs(), 0.2), clock.nowNs());
    source.pose(new Uint8Array(9), clock.nowNs());
    source.joy(new Uint8Array(9), clock.nowNs());
    expect(poses).toEqual([]);
    expect(malformed).toHaveLength(4);
    expect(malformed[1]).toContain("norm 1");
  });

  it("is held to the deadman like any other: a joy node that hangs ends the engagement", async () => {
    const deadman = new Deadman(DeadmanConfig.parse({}), "right");
    deadman.take();
    const step = async (x: number) => {
      await clock.advance(PERIOD_MS);
      pose(x);
      return deadman.receive(poses.at(-1)!, clock.nowMs());
    };
    joy(0);
    await step(0);
    joy(1);
    expect((await step(0.001)).action).toBe("acquire");
    deadman.grant();
    for (let i = 0; i < 20; i++) {
      joy(1);
      expect((await step(0.001 * i)).follow).toBeDefined();
    }
    let last = await step(0.02);
    for (let i = 0; deadman.state === "engaged" && i < 100; i++) last = await step(0.02 + 0.0001 * i);
    expect(last.action).toBe("letGo");
    expect(deadman.why?.code).toBe("NOT_TRACKED");
  });
});
