/** Scripted demonstrations as a user records them: by the daemon's own recorder, and further where a set ends. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EpisodeReader } from "../../episodes/episodeReader.js";
import {
  POLICY_STEP_TOPIC,
  type PolicyStep,
  policyInputTopic,
  readPolicyStep,
} from "../../episodes/messages.js";
import { verifyEpisode } from "../../episodes/verify.js";
import { command, writeCell } from "../support/cell.js";

const ready = Boolean(process.env.AMENT_PREFIX_PATH && process.env.ROS_DISTRO);
const IMAGES = "/camera/wrist/color/image_raw/compressed";

describe.skipIf(!ready && !process.env.CI)("demonstrate", () => {
  const folder = mkdtempSync(join(tmpdir(), "cerebellum-demonstrate-"));
  const recordings = join(folder, "sets");
  let cell: string;
  const demonstrate = (...args: string[]) =>
    command("demonstrate", "reach-block", recordings, "--cell", cell, ...args);

  beforeAll(async () => {
    process.env.ROS_DOMAIN_ID = String(20 + (process.pid % 80));
    cell = await writeCell(folder, ({ robots }) => {
      // Wide where a loaded machine must not decide whether a test passes.
      Object.assign(robots.arm!.servo, {
        stateAgeMsMax: 1000,
        lateTicksMax: 100,
        supervisorSilenceMsMax: 5000,
      });
    });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("records an episode whose steps say what the expert wanted, each with its image", async () => {
    const { code, text } = await demonstrate("--episodes", "1");
    expect([code, text]).toEqual([0, expect.stringMatching(/seed 10000: episode-\d+ (success|failure)/)]);
    const [name] = readdirSync(join(recordings, "reach-block"));
    const at = join(recordings, "reach-block", name!);
    expect(await verifyEpisode(at)).toMatchObject({ whole: true, troubles: [] });
    const reader = await EpisodeReader.open(at);
    const steps: PolicyStep[] = [];
    const images = new Set<bigint>();
    for await (const message of reader.messages({ topics: [POLICY_STEP_TOPIC, IMAGES] })) {
      if (message.topic === IMAGES) images.add(message.publishNs);
      else steps.push(readPolicyStep(reader.decode(message)));
    }
    await reader.close();
    const { start, end, topics } = reader;
    expect(start).toMatchObject({ kind: "demonstration", bundle: null, context: { seed: 10_000 } });
    expect(start.context.blockM).toHaveLength(3);
    expect(end.outcome).toMatch(/success|failure/);
    const commanded = steps.filter(({ refusal }) => refusal === "");
    expect(commanded.length).toBeGreaterThan(10);
    for (const { policy, labelRad, phase, outputRad, imageStampNs } of commanded) {
      expect([policy, labelRad.length, outputRad.length]).toEqual(["expert", 7, 7]);
      expect(phase).toMatch(/reach|hold/);
      expect(images.has(imageStampNs)).toBe(true);
    }
    // It moves with noise on purpose; the label is without.
    expect(commanded.some(({ labelRad, outputRad }) => labelRad[0] !== outputRad[0])).toBe(true);
    // Nobody can compute an expert anew, so nothing is kept twice for it.
    expect(topics.find(({ topic }) => topic === policyInputTopic("wrist"))?.count ?? 0).toBe(0);
  });

  it("goes on where the set ends: what is there is not recorded again", async () => {
    const { code, text } = await demonstrate("--episodes", "1");
    expect([code, text]).toEqual([0, expect.stringMatching(/1\/1 seed 10000: already there, episode-\d+/)]);
    expect(readdirSync(join(recordings, "reach-block"))).toHaveLength(1);
  });
});
