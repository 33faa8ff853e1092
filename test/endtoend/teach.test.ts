/** Kinesthetic teaching of the simulated arm as a user does it: set free, guided by a hand, recorded, held again. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { EpisodeReader } from "../../episodes/episodeReader.js";
import { readServoTick, type ServoTick, servoTickTopic } from "../../episodes/messages.js";
import { LabClient } from "../../lab/control/client.js";
import { runFolder } from "../../launch/runFolder.js";
import { command, Running, writeCell } from "../support/cell.js";

const ready = Boolean(process.env.AMENT_PREFIX_PATH && process.env.ROS_DISTRO);
const UP_S_MAX = 90;
const sleepS = (seconds: number) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

describe.skipIf(!ready && !process.env.CI)("kinesthetic teaching", () => {
  const folder = mkdtempSync(join(tmpdir(), "cerebellum-teach-"));
  const recordings = join(folder, "recordings");
  let cell: string;
  let up: Running;
  let lab: LabClient;
  const ask = async (...args: string[]) => {
    const { code, text } = await command(...args, "--cell", cell);
    return { code, text };
  };
  const done = async (...args: string[]) => {
    const { code, text } = await ask(...args);
    expect(code, text).toBe(0);
    return text;
  };

  beforeAll(
    async () => {
      process.env.ROS_DOMAIN_ID = String(20 + (process.pid % 80));
      cell = await writeCell(folder, (draft) => {
        draft.recorder = { folder: recordings, diskFreeMiBMin: 100 };
        Object.assign(draft.policy!, { autostart: false });
      });
      up = new Running(["up", cell]);
      await up.until(/is up/, UP_S_MAX);
      const { name } = parse(readFileSync(cell, "utf8")) as { name: string };
      lab = await LabClient.connect(runFolder(name).labSocket);
    },
    1000 * (UP_S_MAX + 30),
  );
  afterAll(async () => {
    lab?.close();
    await up?.interrupt();
    rmSync(folder, { recursive: true, force: true });
  });

  it("the free arm follows the hand, and the episode holds that motion", async () => {
    await done("enable");
    expect(await done("teach", "on")).toMatch(/is free/);
    await done("record", "start", "--task", "taught");
    await sleepS(1);
    const beforeM = (await lab.ask({ do: "truth" })).truth!.toolM;
    await lab.ask({ do: "push", on: "tool", forceN: [0, 15, 0], ms: 500 });
    await sleepS(1.2);
    const afterM = (await lab.ask({ do: "truth" })).truth!.toolM;
    expect(afterM[1] - beforeM[1]).toBeGreaterThan(0.03);
    await done("record", "stop", "--outcome", "success");
    expect(await done("teach", "off")).toMatch(/held by its controller/);
    await done("enable");

    const [episode] = readdirSync(join(recordings, "taught"));
    const reader = await EpisodeReader.open(join(recordings, "taught", episode!));
    const ticks: ServoTick[] = [];
    for await (const message of reader.messages())
      if (message.topic === servoTickTopic("arm")) ticks.push(readServoTick(reader.decode(message)));
    await reader.close();
    expect(reader.start.kind).toBe("demonstration");
    const free = ticks.filter(({ state }) => state === "teaching");
    expect(free.length).toBeGreaterThan(200);
    for (const { sentRad, positionRad } of free) expect([...sentRad]).toEqual([...positionRad]);
    const travelRad = free.at(-1)!.positionRad.map((angle, joint) => angle - free[0]!.positionRad[joint]!);
    expect(Math.max(...travelRad.map(Math.abs))).toBeGreaterThan(0.03);
  });

  it("is not left while a hand moves the arm", async () => {
    await done("teach", "on");
    await sleepS(1);
    await lab.ask({ do: "push", on: "tool", forceN: [0, -15, 0], ms: 1500 });
    await sleepS(0.3);
    const refused = await ask("teach", "off");
    expect(refused.code).not.toBe(0);
    expect(refused.text).toMatch(/being moved/);
    await sleepS(2);
    await done("teach", "off");
  });

  it("a stop makes it hold, latched, and `why` explains it", async () => {
    await done("teach", "on");
    await done("stop");
    expect(await done("status")).toMatch(/stopped/);
    expect((await ask("why")).text).toMatch(/Somebody asked for a stop/);
    expect((await ask("teach", "on")).text).toMatch(/[Rr]eset/);
    await done("reset");
  });
});
