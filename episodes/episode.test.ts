import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, describe, expect, it } from "vitest";
import { readJointState } from "../core/rosWire.js";
import {
  CAMERA_DELAY_NS,
  imageTopicOf,
  readTestIndex,
  TEST_START_NS,
  testPositionRad,
  writeTestEpisode,
} from "../test/support/episodes/testEpisode.js";
import { EpisodeReader } from "./episodeReader.js";
import { POLICY_STEP_TOPIC, readPolicyStep, readServoTick, servoTickTopic } from "./messages.js";

const set = mkdtempSync(join(tmpdir(), "episodes-"));
afterAll(() => rmSync(set, { recursive: true }));

describe("an episode", () => {
  it("gives back its records, its messages in order, and its numbers exactly", async () => {
    const folder = await writeTestEpisode(set, { seconds: 1 });
    expect(existsSync(`${folder}.active`)).toBe(false);
    const episode = await EpisodeReader.open(folder);
    expect(episode.start).toMatchObject({ task: "test-task", name: "episode-000001" });
    expect(episode.end).toMatchObject({ endedBecause: "stopped", outcome: "success" });
    expect(episode.topics.find(({ topic }) => topic === servoTickTopic("arm"))?.count).toBe(250);
    let beforeNs = 0n;
    let ticks = 0;
    for await (const message of episode.messages()) {
      expect(message.logNs >= beforeNs).toBe(true);
      beforeNs = message.logNs;
      if (message.topic === servoTickTopic("arm")) {
        const tick = readServoTick(episode.decode(message));
        expect([...tick.positionRad]).toEqual([
          ...testPositionRad(Number(tick.stateStampNs - TEST_START_NS) / 1e9),
        ]);
        ticks++;
      } else if (message.topic === POLICY_STEP_TOPIC) {
        const step = readPolicyStep(episode.decode(message));
        expect([...step.positionRad]).toEqual([
          ...testPositionRad(Number(step.imageStampNs - TEST_START_NS) / 1e9),
        ]);
      } else if (message.topic === "/arm/joint_states") {
        const parsed = readJointState(message.data);
        expect(parsed).toMatchObject({ ok: true, value: { stampNs: message.publishNs } });
      }
    }
    expect(ticks).toBe(250);
    await episode.close();
  });

  it("keeps pictures that show their number", async () => {
    const folder = await writeTestEpisode(set, { number: 2, seconds: 1 });
    const episode = await EpisodeReader.open(folder);
    let index = 0;
    for await (const message of episode.messages({ topics: [imageTopicOf("wrist", "jpeg")] })) {
      const { data } = episode.decode(message) as { data: Uint8Array };
      const { data: pixels, info } = await sharp(data).raw().toBuffer({ resolveWithObject: true });
      expect(readTestIndex(pixels, info.width)).toBe(index++);
      expect(message.logNs - message.publishNs).toBe(CAMERA_DELAY_NS);
    }
    expect(index).toBe(30);
    await episode.close();
  });
});
