/** What a cell would tell its console, made up from a time: an arm on a circle, two cameras, a policy, episodes. */
import type { z } from "zod";
import type { BundleList, CellPage, DeviceList, EpisodeList } from "../../../core/gateway/library.js";
import {
  NO_TELEOP,
  type ServerMessage,
  type Telemetry,
  type TeleopStatus,
} from "../../../core/gateway/server.js";
import { flangePose, poseBuffer, toolPoint } from "../../../kinematics/chain.js";
import { urdf } from "../../../kinematics/urdf.js";
import { NARROW_LIMITS_RAD, XARM7_HOME_RAD, XARM7_JOINT_NAMES } from "../../../kinematics/xarm7.js";

export type FakeWelcome = Extract<ServerMessage, { kind: "welcome" }>;

export const FAKE_WELCOME: FakeWelcome = {
  kind: "welcome",
  protocol: 1,
  client: "console laptop",
  role: "operator",
  cell: "bench",
  software: "Cerebellum 0.1.0 (made up)",
  serverTimeMs: 0,
  robots: [
    {
      robot: "arm",
      device: "xArm7, firmware 2.6.0",
      rateHz: 200,
      jointNames: [...XARM7_JOINT_NAMES],
      positionMinRad: NARROW_LIMITS_RAD.map(([min]) => min),
      positionMaxRad: NARROW_LIMITS_RAD.map(([, max]) => max),
      velocityMaxRadPerS: Array(7).fill(1.5),
      workspaceMinM: [0.15, -0.4, 0],
      workspaceMaxM: [0.65, 0.4, 0.6],
      tableM: 0,
      urdf: urdf({ robotName: "arm" }),
      hasGripper: true,
    },
  ],
  cameras: [
    { camera: "wrist", index: 0, widthPx: 320, heightPx: 240, ageMsMax: 120 },
    { camera: "scene", index: 1, widthPx: 320, heightPx: 240, ageMsMax: 120 },
  ],
  hasPolicy: true,
  hasRecorder: true,
  hasLab: true,
  defaultTask: "demonstrations",
};

/** Wanted and measured joints at a time [s]: a slow motion whose measurement comes 40 ms late. */
export const fakeJointsRad = (seconds: number): number[] =>
  XARM7_HOME_RAD.map(
    (home, joint) => home + (0.25 / (1 + joint / 3)) * Math.sin(0.9 * seconds + 0.7 * joint),
  );

const pose = poseBuffer();
const tool = new Float64Array(3);

export function fakeToolPose(positionRad: readonly number[]) {
  flangePose(positionRad, pose);
  toolPoint(positionRad, tool);
  return {
    positionM: [...tool] as [number, number, number],
    quatXyzw: [...pose.quatXyzw] as [number, number, number, number],
  };
}

export function fakeTelemetry(seconds: number, epochMs: number): Telemetry {
  const sentRad = fakeJointsRad(seconds);
  const positionRad = fakeJointsRad(seconds - 0.04);
  const wobble = 1 + 0.3 * Math.sin(seconds * 3);
  return {
    kind: "telemetry",
    epochMs,
    robots: {
      arm: {
        state: "following",
        epoch: 3,
        commander: "policy reach",
        positionRad,
        velocityRadPerS: sentRad.map((value, joint) => (value - positionRad[joint]!) / 0.04),
        effortNm: sentRad.map((value, joint) => 6 / (1 + joint) + value),
        requestedRad: fakeJointsRad(seconds + 0.05),
        limitedRad: fakeJointsRad(seconds + 0.005),
        sentRad,
        reasons: 0,
        gripperOpeningM: 0.055,
        gripperCommandM: 0.055,
        tool: fakeToolPose(positionRad),
        base: null,
        stateAgeMs: 4 + 2 * wobble,
        deviceErrorCode: 0,
        latenessUs: { p50: 18 * wobble, p99: 95 * wobble, p999: 210 * wobble, max: 640 },
      },
    },
    policy: {
      phase: "running",
      policy: "reach-block-vits",
      task: "reach-block",
      failure: null,
      commands: Math.floor(seconds * 5),
      refusals: {},
      partsMs: {
        imageAge: { p50: 24 * wobble, p99: 41 },
        preprocess: { p50: 3.1, p99: 6.2 },
        encode: { p50: 48 * wobble, p99: 71 },
        control: { p50: 0.9, p99: 2.2 },
        send: { p50: 0.2, p99: 0.9 },
        imageToWire: { p50: 79, p99: 118 },
      },
      steering: null,
    },
    recorder: {
      state: "idle",
      task: "",
      episode: "",
      seconds: 0,
      bytes: 0,
      dropped: 0,
      lostBefore: 0,
      diskFreeBytes: 412e9,
      message: "",
      lastOutcome: "success",
      lastFlags: [],
    },
    cameras: {
      wrist: { ageMs: 24 * wobble, rateHz: 29.9, skipped: 0 },
      scene: { ageMs: 31 * wobble, rateHz: 30, skipped: 2 },
    },
    activity: "",
  };
}

export const FAKE_TELEOP: TeleopStatus = { ...NO_TELEOP, robot: "arm" };

export const fakeEpisodes = (nowEpochMs: number): EpisodeList => ({
  folder: "recordings",
  tasks: ["demonstrations", "reach-block"],
  episodes: Array.from({ length: 14 }, (_, index) => {
    const number = 14 - index;
    const task = index % 4 === 3 ? "reach-block" : "demonstrations";
    return {
      task,
      episode: `episode-${String(number).padStart(4, "0")}`,
      state: index === 6 ? ("damaged" as const) : ("finished" as const),
      kind: task === "reach-block" ? "rollout" : "demonstration",
      outcome: ["success", "success", "failure", "unlabelled"][index % 4]!,
      note: index === 2 ? "missed the block on the left" : "",
      startedEpochMs: nowEpochMs - (index + 1) * 95_000,
      seconds: 18.2 + 3 * (index % 5),
      bytes: 41e6 + 9e6 * (index % 5),
      flags: index === 4 ? ["gap: /wrist/color/image_raw 412 ms, expected at most 83 ms"] : [],
      dropped: index === 9,
      sheet:
        index === 6 ? null : `/api/episodes/${task}/episode-${String(number).padStart(4, "0")}/sheet.png`,
    };
  }),
});

export const FAKE_BUNDLES: z.infer<typeof BundleList> = {
  bundles: [
    {
      directory: "policies/bundles/reach-block",
      name: "reach-block-vits",
      task: "reach-block",
      rateHz: 5,
      precision: "fp32",
      loaded: true,
      note: "40 demonstrations of reach-block, expert of the lab",
    },
    {
      directory: "policies/bundles/pick-cube",
      name: "pick-cube-vits",
      task: "pick-cube",
      rateHz: 5,
      precision: "int8",
      loaded: false,
      note: "40 demonstrations through the headset's wire",
    },
  ],
};

export const FAKE_CELL: CellPage = {
  file: "launch/cells/bench.yaml",
  yaml: "name: bench\nrobots:\n  arm:\n    xarm7:\n      host: 192.168.1.213\n    servo:\n      rateHz: 200\ncameras:\n  wrist:\n    topic: /wrist/color/image_raw\n  scene:\n    topic: /scene/color/image_raw\n",
  addresses: ["https://robot-pc.local:8443", "https://192.168.1.20:8443", "http://localhost:8443"],
  certificateSha256:
    "9F:2A:51:0C:77:E3:18:D4:6B:90:AA:3F:5E:C2:81:07:4D:BB:19:60:F8:25:7C:E1:33:9E:04:DA:56:B7:68:12",
};

export const fakeDevices = (nowEpochMs: number): z.infer<typeof DeviceList> => ({
  devices: [
    {
      device: "laptop",
      role: "operator",
      pairedEpochMs: nowEpochMs - 86_400_000,
      lastSeenEpochMs: nowEpochMs,
      connected: true,
    },
    {
      device: "quest3",
      role: "operator",
      pairedEpochMs: nowEpochMs - 9_000_000,
      lastSeenEpochMs: nowEpochMs - 600_000,
      connected: false,
    },
    {
      device: "tablet",
      role: "observer",
      pairedEpochMs: nowEpochMs - 5_000_000,
      lastSeenEpochMs: null,
      connected: false,
    },
  ],
});
