import { describe, expect, it } from "vitest";
import { HAND_JOINTS, parsePose } from "../../core/teleop/pose.js";
import { PoseSampler } from "./poseSampler.js";
import { matrixOf } from "./trackedPose.js";
import type { XrFrameLike, XrGamepadLike, XrInputLike, XrPoseLike } from "./xrTypes.js";

const pose = (x: number, y: number, z: number, more: Partial<XrPoseLike> = {}): XrPoseLike => ({
  transform: { position: { x, y, z, w: 1 }, orientation: { x: 0, y: 0, z: 0, w: 1 } },
  ...more,
});
const turned = (x: number, y: number, z: number, w: number): XrPoseLike => ({
  transform: { position: { x: 0, y: 1, z: 0, w: 1 }, orientation: { x, y, z, w } },
});

const SPACE = {};
const GRIP = {};
const pad = (values: readonly number[], axes: readonly (number | null)[] = [0, 0, 0, 0]): XrGamepadLike => ({
  mapping: "xr-standard",
  buttons: values.map((value) => ({ value, pressed: value > 0.1 })),
  axes,
});
const controller = (more: Partial<XrInputLike> = {}): XrInputLike => ({
  handedness: "right",
  gripSpace: GRIP,
  gamepad: pad([0, 0, 0, 0, 0, 0, 0]),
  ...more,
});
const frame = (grip: XrPoseLike | null, more: Partial<XrFrameLike> = {}): XrFrameLike => ({
  getPose: () => grip,
  getViewerPose: () => pose(0, 1.7, 0),
  ...more,
});

function sampleOnce(grip: XrPoseLike | null, input: XrInputLike = controller()) {
  const sampler = new PoseSampler("quest3", "session-1");
  return sampler.sample({
    frame: frame(grip),
    space: SPACE,
    inputs: [input],
    visibility: "visible",
    nowMs: 5,
  });
}
const only = (message: ReturnType<typeof sampleOnce>) => message.hands[0]!;

describe("a controller", () => {
  it("gives a message that the schema takes", () => {
    const message = sampleOnce(pose(0.1, 1, -0.3));
    expect(parsePose(JSON.stringify(message))).toMatchObject({ ok: true });
    expect(message).toMatchObject({ v: 1, source: "webxr", space: "local-floor", seq: 0, deviceTimeMs: 5 });
    expect(only(message)).toMatchObject({ tracked: true, pose: { positionM: [0.1, 1, -0.3] } });
    expect(message.head?.positionM).toEqual([0, 1.7, 0]);
  });

  it.each([
    ["no pose", null],
    ["NaN", pose(Number.NaN, 1, 0)],
    ["infinite", pose(0, Number.POSITIVE_INFINITY, 0)],
    ["farther than any hand", pose(0, 1, 12)],
    ["a quaternion of norm 0", turned(0, 0, 0, 0)],
    ["a quaternion of norm 1.1", turned(0, 0, 0, 1.1)],
    ["a quaternion of NaN", turned(0, 0, Number.NaN, 1)],
    ["undefined members", { transform: { position: {}, orientation: {} } } as never],
  ])("%s: untracked, without a pose, and still a message that the schema takes", (_, grip) => {
    const message = sampleOnce(grip);
    expect(only(message)).toMatchObject({ tracked: false, pose: null });
    expect(parsePose(JSON.stringify(message))).toMatchObject({ ok: true });
  });

  it("whose position is guessed is untracked, and the guess is passed on", () => {
    const message = sampleOnce(pose(0.1, 1, 0, { emulatedPosition: true }));
    expect(only(message)).toMatchObject({ tracked: false, pose: { positionM: [0.1, 1, 0] } });
  });

  it("normalises a quaternion that is nearly of norm 1", () => {
    const { quatXyzw } = only(sampleOnce(turned(0, 0.006, 0, 1.004))).pose!;
    expect(Math.hypot(...quatXyzw)).toBeCloseTo(1, 12);
  });

  it.each([
    ["squeeze", [0, 0.7], { clutch: 0.7, gripper: 0 }],
    ["trigger", [0.3, 0], { clutch: 0, gripper: 0.3 }],
    ["stick", [0, 0, 0, 1], { buttons: { a: false, b: false, stick: true } }],
    ["A", [0, 0, 0, 0, 1], { buttons: { a: true, b: false, stick: false } }],
    ["B", [0, 0, 0, 0, 0, 1], { buttons: { a: false, b: true, stick: false } }],
    ["values out of range", [1.5, -1], { clutch: 0, gripper: 1 }],
  ])("reads %s", (_, values, expected) => {
    expect(only(sampleOnce(pose(0, 1, 0), controller({ gamepad: pad(values) })))).toMatchObject(expected);
  });

  it.each([
    [
      [0, 0, 0.5, -0.25],
      [0.5, -0.25],
    ],
    [
      [null, null, Number.NaN, 7],
      [0, 1],
    ],
    [
      [0.4, 0.6],
      [0.4, 0.6],
    ],
    [[], [0, 0]],
  ])("reads the stick from axes %j", (axes, stick) => {
    expect(only(sampleOnce(pose(0, 1, 0), controller({ gamepad: pad([0, 0], axes) }))).stick).toEqual(stick);
  });

  it.each(["", "standard"])(
    "of the unknown mapping '%s' has no clutch: its buttons are who knows where",
    (mapping) => {
      const gamepad = { ...pad([1, 1, 1, 1, 1, 1]), mapping };
      expect(only(sampleOnce(pose(0, 1, 0), controller({ gamepad })))).toMatchObject({
        clutch: 0,
        gripper: 0,
      });
    },
  );

  it("counts before the hand that holds it, and of each side once", () => {
    const sampler = new PoseSampler("quest3", "session-1");
    const hand = controller({ hand: { get: () => undefined }, gamepad: null });
    const inputs = [
      hand,
      controller(),
      controller({ handedness: "left" }),
      controller({ handedness: "none" }),
    ];
    const message = sampler.sample({
      frame: frame(pose(0, 1, 0)),
      space: SPACE,
      inputs,
      visibility: "visible",
      nowMs: 0,
    });
    expect(message.hands.map(({ hand: side, mode }) => [side, mode])).toEqual([
      ["left", "controller"],
      ["right", "controller"],
    ]);
  });
});

describe("over time", () => {
  const sampler = () => new PoseSampler("quest3", "session-1");
  const take = (from: PoseSampler, inputs: XrInputLike[], nowMs = 0) =>
    from.sample({ frame: frame(pose(0, 1, 0)), space: SPACE, inputs, visibility: "visible", nowMs });

  it("a controller that vanishes is reported as lost, with its clutch as it was", () => {
    const one = sampler();
    take(one, [controller({ gamepad: pad([0.2, 1]) })]);
    expect(take(one, []).hands).toMatchObject([
      { hand: "right", tracked: false, pose: null, clutch: 1, gripper: 0.2 },
    ]);
    expect(take(one, []).hands).toHaveLength(1);
    expect(take(one, [controller()]).hands).toMatchObject([{ tracked: true, clutch: 0 }]);
  });

  it.each([
    ["has none", null],
    ["has others than were asked for", { ...pad([0, 0]), mapping: "" }],
    ["has no clutch among them", pad([0])],
  ])(
    "a controller whose gamepad %s for a moment is not vouched for, and its clutch stays as it was",
    (_, gamepad) => {
      const one = sampler();
      take(one, [controller({ gamepad: pad([0.2, 1]) })]);
      expect(take(one, [controller({ gamepad })]).hands).toMatchObject([{ tracked: false, clutch: 1 }]);
      expect(take(one, [controller({ gamepad: pad([0, 1]) })]).hands).toMatchObject([
        { tracked: true, clutch: 1 },
      ]);
    },
  );

  it("numbers rise by one, and a restart is another session that knows nothing of before", () => {
    const one = sampler();
    expect([take(one, [controller()]), take(one, []), take(one, [])].map(({ seq }) => seq)).toEqual([
      0, 1, 2,
    ]);
    one.restart("session-2");
    expect(take(one, [])).toMatchObject({ session: "session-2", seq: 0, hands: [] });
  });

  it("last words say that nothing is seen any more", () => {
    const one = sampler();
    take(one, [controller({ gamepad: pad([0, 1]) })]);
    const last = one.sampleUnseen("hidden", 9);
    expect(last).toMatchObject({ visibility: "hidden", seq: 1, head: null });
    expect(last.hands).toMatchObject([{ tracked: false, clutch: 1 }]);
    expect(parsePose(JSON.stringify(last))).toMatchObject({ ok: true });
  });
});

describe("a bare hand", () => {
  /** Joints in a row, thumb tip and index tip `apartM` from each other. */
  const jointAt = (joint: string, apartM: number): [number, number, number] => {
    if (joint === "thumb-tip") return [0, 1, 0];
    if (joint === "index-finger-tip") return [apartM, 1, 0];
    return [0.2 + 0.01 * HAND_JOINTS.indexOf(joint as never), 1, 0];
  };
  const spaces = new Map(HAND_JOINTS.map((joint) => [joint as string, { joint }]));
  const hand = { handedness: "right", hand: { get: (joint: string) => spaces.get(joint) } };
  const handFrame = (apartM: number, more: Partial<XrFrameLike> = {}): XrFrameLike =>
    frame(null, {
      fillPoses: (found, _base, transforms) => {
        found.forEach((space, index) => {
          const positionM = jointAt((space as { joint: string }).joint, apartM);
          transforms.set(matrixOf({ positionM, quatXyzw: [0, 0, 0, 1] }), 16 * index);
        });
        return true;
      },
      fillJointRadii: (_found, radii) => {
        radii.fill(0.01);
        return true;
      },
      ...more,
    });
  const take = (from: PoseSampler, of: XrFrameLike) =>
    from.sample({ frame: of, space: SPACE, inputs: [hand], visibility: "visible", nowMs: 0 }).hands[0]!;
  const fresh = () => new PoseSampler("quest3", "session-1");

  it("gives 25 joints of 8 numbers, the wrist as its pose", () => {
    const read = take(fresh(), handFrame(0.1));
    expect(read).toMatchObject({ mode: "hand", tracked: true, clutch: 0 });
    expect(read.joints).toHaveLength(200);
    expect(read.joints!.slice(0, 8)).toEqual([0.2, 1, 0, 0, 0, 0, 1, 0.01]);
    expect(read.pose!.positionM[0]).toBeCloseTo(0.2, 6);
  });

  it.each([
    [0.1, 0],
    [0.045, 0],
    [0.018, 1],
    [0.005, 1],
  ])("tips %f m apart are a clutch of %f", (apartM, clutch) => {
    expect(take(fresh(), handFrame(apartM)).clutch).toBeCloseTo(clutch, 4);
  });

  it.each([
    ["a joint is not seen", { fillPoses: () => false }],
    [
      "a joint is not finite",
      {
        fillPoses: (_: object[], __: object, transforms: Float32Array) => {
          transforms.fill(Number.NaN);
          return true;
        },
      },
    ],
  ])("%s: lost, and the pinch stays as it was, so that only seen fingers open it", (_, broken) => {
    const sampler = fresh();
    take(sampler, handFrame(0.01));
    expect(take(sampler, handFrame(0.01, broken))).toMatchObject({
      tracked: false,
      pose: null,
      joints: null,
      clutch: 1,
    });
    expect(take(sampler, handFrame(0.1))).toMatchObject({ tracked: true, clutch: 0 });
  });

  it("radii that are not known are 0", () => {
    const read = take(
      fresh(),
      handFrame(0.1, {
        fillJointRadii: (_found, radii) => {
          radii.fill(Number.NaN);
          return false;
        },
      }),
    );
    expect(read.joints![7]).toBe(0);
    expect(read.tracked).toBe(true);
  });

  it("is read joint by joint where the browser knows no other way", () => {
    const { fillPoses: _fill, fillJointRadii: _radii, ...without } = handFrame(0.01);
    const one = take(fresh(), {
      ...without,
      getJointPose: (space) => {
        const [x, y, z] = jointAt((space as { joint: string }).joint, 0.01);
        return { ...pose(x, y, z), radius: 0.01 };
      },
    });
    expect(one).toMatchObject({ tracked: true, clutch: 1 });
    expect(one.joints!.slice(0, 8)).toEqual([0.2, 1, 0, 0, 0, 0, 1, 0.01]);
  });

  it("without all 25 joints is no hand", () => {
    const poor = {
      handedness: "right",
      hand: { get: (joint: string) => (joint === "wrist" ? {} : undefined) },
    };
    const sampler = fresh();
    const message = sampler.sample({
      frame: handFrame(0.1),
      space: SPACE,
      inputs: [poor],
      visibility: "visible",
      nowMs: 0,
    });
    expect(message.hands).toMatchObject([{ tracked: false, joints: null }]);
  });
});
