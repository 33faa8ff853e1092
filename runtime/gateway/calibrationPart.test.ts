import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { INDEX_FILE, openTrackerStore } from "../../calibration/store.js";
import { CalibrationStatus } from "../../core/gateway/library.js";
import type { TeleopStatus } from "../../core/gateway/server.js";
import type { PoseMessage } from "../../core/teleop/pose.js";
import type { Vector3 } from "../../kinematics/xarm7.js";
import { calibrationPart } from "./calibrationPart.js";
import type { Answer, GatewayPart } from "./part.js";
import { type Bench, FakeClient, partBench, testSetup } from "./partTesting.js";

let folder: string;
let bench: Bench;
let part: GatewayPart;
let teleop: Pick<TeleopStatus, "device" | "state"> | undefined;
const anna = new FakeClient(1);
const ben = new FakeClient(2);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cerebellum-calibration-"));
  teleop = undefined;
  begin();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function begin(): void {
  bench = partBench(testSetup({ calibrationFolder: folder }));
  const services = { ...bench.services, teleop: () => teleop as TeleopStatus | undefined };
  part = calibrationPart(services) as GatewayPart;
}

const eventsText = () =>
  bench.services.events
    .newest()
    .map(({ level, text, remedy }) => `${level}: ${text} / ${remedy}`)
    .join("\n");

let atM: Vector3 = [0, 1, 0];
let seq = 0;
function pose(clutch = 0, device = "vive"): void {
  const message: PoseMessage = {
    v: 1,
    source: "vive",
    device,
    session: "session-1",
    seq: seq++,
    deviceTimeMs: seq,
    space: "openvr-standing",
    visibility: "visible",
    head: null,
    hands: [
      {
        hand: "right",
        mode: "controller",
        tracked: true,
        pose: { positionM: [...atM], quatXyzw: [0, 0, 0, 1] },
        clutch,
        gripper: 0,
        buttons: { a: false, b: false, stick: false },
        stick: [0, 0],
        joints: null,
      },
    ],
  };
  part.onPose?.({ client: anna, pose: message, receivedNs: bench.clock.nowNs() });
}

const start = (client = anna, device = "vive"): Promise<Answer> =>
  part.requests!.calibrationStart!({ do: "calibrationStart", device }, client);
const phase = (name: "begin" | "end", client = anna): Promise<Answer> =>
  part.requests!.calibrationStroke!({ do: "calibrationStroke", phase: name }, client);
const finish = (keep: boolean, client = anna): Promise<Answer> =>
  part.requests!.calibrationFinish!({ do: "calibrationFinish", keep }, client);
const happened = (answer: Answer) => (answer.ok ? "done" : answer.happened);
const statusOf = (answer: Answer) => CalibrationStatus.parse(answer.ok ? answer.data : undefined);

async function move([x, y, z]: Vector3): Promise<void> {
  const from = atM;
  for (let i = 1; i <= 30; i++) {
    atM = [from[0] + (x * i) / 30, from[1] + (y * i) / 30, from[2] + (z * i) / 30];
    await bench.clock.advance(11);
    pose();
  }
}

/** All three, in a room that is turned by so much about the vertical. */
async function strokes(turnDeg = 0): Promise<void> {
  const [s, c] = [Math.sin((turnDeg * Math.PI) / 180), Math.cos((turnDeg * Math.PI) / 180)];
  for (const way of [
    [-0.3 * s, 0, -0.3 * c],
    [-0.3 * c, 0, 0.3 * s],
    [0, 0.3, 0],
  ] as const) {
    pose();
    expect(happened(await phase("begin"))).toBe("done");
    await move(way);
    expect(happened(await phase("end"))).toBe("done");
  }
}

describe("the calibration part", () => {
  it("keeps a frame that counts at once, with who kept it, and says so to everybody", async () => {
    await start();
    await strokes();
    const status = statusOf(await finish(true));
    expect(status.running).toBeNull();
    expect(status.known).toMatchObject([{ device: "vive", space: "openvr-standing" }]);
    expect(bench.services.trackerFrames.frameOf("vive")?.sha256).toBe(status.known[0]!.sha256);
    expect(openTrackerStore(folder).frameOf("vive")?.by).toBe(anna.name);
    expect(eventsText()).toMatch(/info: vive is calibrated/);
  });

  it("changes nothing when the result is not kept", async () => {
    await start();
    await strokes();
    expect(statusOf(await finish(false)).known).toEqual([]);
    expect(openTrackerStore(folder).inForce()).toEqual([]);
    expect(happened(await finish(true))).toBe("No calibration is under way");
  });

  it("says how far a new frame is from the one that it supersedes, and warns when that is much", async () => {
    await start();
    await strokes();
    await finish(true);
    await bench.clock.advance(3_600_000);
    await start();
    await strokes(1);
    await finish(true);
    expect(eventsText()).toMatch(
      /info: vive is calibrated .* supersedes the one from 1\.0 hours before .* 1\.0° away/,
    );
    await start();
    await strokes(8);
    await finish(true);
    expect(eventsText()).toMatch(
      /warn: vive .* 7\.0° away: the tracker's frame has turned .*Episodes carry the hash/,
    );
    expect(openTrackerStore(folder).history()).toHaveLength(3);
  });

  it.each(["engaged", "engaging"] as const)(
    "neither starts, nor begins a stroke, nor puts a frame into force while that device is %s",
    async (state) => {
      await start();
      await strokes();
      teleop = { device: "vive", state };
      expect(happened(await finish(true))).toBe("vive moves the robot now");
      expect(bench.services.trackerFrames.frameOf("vive")).toBeUndefined();
      expect(happened(await start())).toBe("vive moves the robot now");
      teleop = { device: "another", state };
      expect(happened(await finish(true))).toBe("done");
    },
  );

  it("does none of that while the clutch is held, and does it once it is open", async () => {
    await start();
    pose(1);
    expect(happened(await phase("begin"))).toBe("The clutch of vive is held");
    pose(0);
    expect(happened(await phase("begin"))).toBe("done");
    await move([0, 0, -0.1]);
    pose(1);
    expect(happened(await phase("end"))).toMatch(/broken off: the clutch was pressed/);
    pose(0);
    await strokes();
    pose(1);
    expect(happened(await finish(true))).toBe("The clutch of vive is held");
    pose(0);
    expect(happened(await finish(true))).toBe("done");
  });

  it("is one person's at a time; who leaves, or forgets it, frees it", async () => {
    await start();
    expect(happened(await start(ben))).toBe(`${anna.name} is calibrating vive`);
    expect(happened(await phase("begin", ben))).toMatch(/not you/);
    expect(happened(await finish(false, ben))).toMatch(/not you/);
    part.onClosed?.(anna, "closed");
    expect(happened(await start(ben))).toBe("done");
    await bench.clock.advance(301_000);
    expect(happened(await start())).toBe("done");
    expect(happened(await start(anna, "No Name"))).toMatch(/no name of a device/);
  });

  it("hears only the device that is calibrated", async () => {
    await start();
    pose(0, "other");
    expect(happened(await phase("begin"))).toBe("No poses come from vive");
  });

  it("shows progress, what to do next and what went wrong", async () => {
    const ask = async () =>
      statusOf(await part.requests!.calibrationStatus!({ do: "calibrationStatus" }, anna));
    expect((await ask()).running).toBeNull();
    await start();
    pose();
    await phase("begin");
    await move([0, 0, -0.2]);
    expect((await ask()).running).toMatchObject({ stroke: "forward", isMoving: true });
    expect((await ask()).running!.lengthM).toBeCloseTo(0.2, 6);
    part.onMalformed?.(anna, "not JSON");
    const { running } = await ask();
    expect(running).toMatchObject({ stroke: "forward", isMoving: false });
    expect(running!.result?.problem).toMatch(/malformed.*this stroke again/);
  });

  it("mentions an old calibration once, when its device appears", async () => {
    await start();
    await strokes();
    await finish(true);
    begin();
    pose();
    expect(eventsText()).toBe("");
    begin();
    await bench.clock.advance(40 * 86_400_000);
    pose();
    pose();
    expect(eventsText()).toMatch(/^info: The calibration of vive is 40 days old/);
    expect(eventsText().split("\n")).toHaveLength(1);
  });

  it("tells at its start what is damaged, and that the device counts as uncalibrated", async () => {
    await start();
    await strokes();
    await finish(true);
    const { sha256 } = bench.services.trackerFrames.frameOf("vive")!;
    writeFileSync(join(folder, `tracker-frame-vive-${sha256.slice(0, 12)}.json`), "{}");
    begin();
    expect(eventsText()).toMatch(/error: .*vive counts as uncalibrated.*calibrate tracker/);
    expect(bench.services.trackerFrames.frameOf("vive")).toBeUndefined();
    writeFileSync(join(folder, INDEX_FILE), "nonsense\n");
    begin();
    expect(eventsText()).toMatch(/error: .*line 1 is damaged/);
  });
});
