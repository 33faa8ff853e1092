/** A person's hand in an episode: every pose as it came, in a topic that may begin and end anywhere. */
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { measureMapping } from "../../core/clock.js";
import { EpisodeReader } from "../../episodes/episodeReader.js";
import { readTeleopInput, TELEOP_INPUT, TELEOP_INPUT_TOPIC } from "../../episodes/messages.js";
import { INPUTS, RecorderRig } from "../../test/support/recorder/rig.js";
import { createInputRecord } from "../teleop/inputRecord.js";
import { POSE_MS, PoseSource } from "../teleop/testing.js";
import type { RecorderInput } from "./messages.js";

const TELEOP: RecorderInput = {
  topic: TELEOP_INPUT_TOPIC,
  type: TELEOP_INPUT,
  source: "teleop",
  latched: false,
  countsGaps: false,
};
const PREFIXES = (process.env.AMENT_PREFIX_PATH ?? "").split(":").filter((prefix) => prefix !== "");

let rig: RecorderRig | undefined;
afterEach(() => rig?.close());

it("an episode that was teleoperated contains every pose, and is not flagged for where they begin and end", async () => {
  rig = new RecorderRig({ setup: { inputs: [...INPUTS, TELEOP] } });
  await rig.next("ready");
  const { folder } = await rig.start();
  const { clock } = rig;
  const record = createInputRecord(PREFIXES, measureMapping(clock));
  const source = new PoseSource();
  await rig.pass(500);
  for (let i = 0; i < 90; i++) {
    const message = source.next(clock.nowMs());
    const input = { message, receivedNs: clock.nowNs(), state: "ready", why: "", commandSeq: 0 } as const;
    expect(
      rig.write(TELEOP_INPUT_TOPIC, record.encode({ ...input, step: undefined }, "console", "right")),
    ).toBe(true);
    await rig.pass(POSE_MS, POSE_MS);
  }
  await rig.pass(1500);
  await rig.stop();
  const reader = await EpisodeReader.open(join(folder));
  const read = [];
  for await (const message of reader.messages({ topics: [TELEOP_INPUT_TOPIC] }))
    read.push(readTeleopInput(reader.decode(message)));
  await reader.close();
  expect(read.map(({ seq }) => seq)).toEqual(Array.from({ length: 90 }, (_, i) => i + 1));
  expect(read[0]).toMatchObject({ source: "webxr", operatorName: "console", state: "ready" });
  expect(reader.start.topics.find(({ topic }) => topic === TELEOP_INPUT_TOPIC)).toMatchObject({
    source: "teleop",
  });
  expect(reader.end.topics[TELEOP_INPUT_TOPIC]).toMatchObject({ received: 90, written: 90 });
  expect(reader.end.flags.filter(({ topic }) => topic === TELEOP_INPUT_TOPIC)).toEqual([]);
});
