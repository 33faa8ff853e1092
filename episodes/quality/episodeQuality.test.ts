import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { asEpochNs } from "../../core/clock.js";
import { ImageMessage } from "../../core/rosWire.js";
import {
  imageTopicOf,
  TEST_START_NS,
  type TestEpisodeOptions,
  type TestMessage,
  writeTestEpisode,
} from "../../test/support/episodes/testEpisode.js";
import { rosDefinition } from "../definitions.js";
import { EpisodeReader } from "../episodeReader.js";
import type { QualityFlag } from "../format.js";
import {
  POLICY_STEP,
  POLICY_STEP_TOPIC,
  readPolicyStep,
  readServoTick,
  SERVO_TICK,
  servoTickTopic,
  writePolicyStep,
  writeServoTick,
} from "../messages.js";
import { rosCodec } from "../rosCodec.js";
import { EpisodeQuality, type QualityResult } from "./episodeQuality.js";
import { DEFAULT_LIMITS, limitsOf, QualityLimits } from "./limits.js";
import { measureQuality } from "./measure.js";

const set = mkdtempSync(join(tmpdir(), "quality-"));
afterAll(() => rmSync(set, { recursive: true, force: true }));
let number = 0;

const WRIST = imageTopicOf("wrist", "jpeg");
const JOINTS = "/arm/joint_states";
const TICKS = servoTickTopic("arm");
const atMs = ({ publishNs }: TestMessage) => Number(publishNs - TEST_START_NS) / 1e6;

async function measured(options: TestEpisodeOptions): Promise<QualityResult> {
  const folder = await writeTestEpisode(set, { number: ++number, widthPx: 32, heightPx: 24, ...options });
  const reader = await EpisodeReader.open(folder);
  try {
    return await measureQuality(reader);
  } finally {
    await reader.close();
  }
}
const codes = (flags: readonly QualityFlag[], topic?: string) =>
  flags.filter((flag) => topic === undefined || flag.topic === topic).map(({ code }) => code);

describe("the quality of an episode", () => {
  it("is unflagged and exact for one that kept its word", async () => {
    for (const storage of ["jpeg", "raw", "png"] as const) {
      const { topics, flags } = await measured({ storage, cameras: ["wrist", "scene"] });
      expect(flags).toEqual([]);
      const image = topics[imageTopicOf("wrist", storage)]!;
      expect(image.rateHz).toBeCloseTo(30, 6);
      expect(image.receiveRateHz).toBeCloseTo(30, 6);
      expect(image.periodMs!.sd).toBeLessThan(1e-5);
      expect(image.delayMs).toMatchObject({ min: 12, max: 12, p99: 12 });
      expect(image.forms).toEqual([`32x24 ${storage === "raw" ? "rgb8" : storage}`]);
      expect(topics[TICKS]).toMatchObject({ count: 500, skippedTicks: 0, gaps: 0, repeatedContents: 0 });
      expect(topics[TICKS]!.rateHz).toBeCloseTo(250, 6);
      expect(topics[TICKS]!.agesAtSteps!.ms!.max).toBeLessThan(7);
      expect(topics[TICKS]!.deviceClock!.driftPpm).toBeCloseTo(0, 3);
      expect(topics["/cerebellum/policy_step"]!.agesAtSteps!.ms!.p50).toBeCloseTo(17, 6);
      expect(topics["/cerebellum/policy_step"]!.rateHz).toBeCloseTo(5, 6);
    }
  });

  it("is the same live and over the file, also when the sources come out of step", async () => {
    const late = ({ topic, ...message }: TestMessage): TestMessage => ({
      topic,
      ...message,
      logNs: asEpochNs(message.logNs + BigInt(((Number(message.publishNs / 1000n) * 7919) % 30) * 100_000)),
    });
    const seen: TestMessage[] = [];
    const folder = await writeTestEpisode(set, {
      number: ++number,
      seconds: 3,
      disturb: (message) => {
        const kept =
          atMs(message) > 1000 && atMs(message) < 1200 && message.topic === JOINTS
            ? undefined
            : late(message);
        if (kept !== undefined) seen.push(kept);
        return kept;
      },
    });
    const reader = await EpisodeReader.open(folder);
    const live = new EpisodeQuality(reader.start.topics);
    // Policy steps first, then images, then ticks: as if the recorder's queues had been emptied one after the other.
    for (const { topic, publishNs, logNs, bytes } of seen.sort(
      (a, b) => a.topic.localeCompare(b.topic) || Number(a.logNs - b.logNs),
    ))
      live.observe(topic, publishNs, logNs, bytes);
    const range = { startedNs: BigInt(reader.start.startedNs), endedNs: BigInt(reader.end.endedNs) };
    const offline = await measureQuality(reader);
    expect(live.finish(reader.end.topics, range)).toEqual(offline);
    expect(JSON.parse(JSON.stringify(offline))).toEqual(offline);
    expect(codes(offline.flags, JOINTS)).toEqual(["rate", "gap"]);
    await reader.close();
  });
});

/** Stamps lie in the bytes, right after the encapsulation header: a disturbed stamp must be written there, too. */
function restamp(message: TestMessage, byNs: number): TestMessage {
  const publishNs = asEpochNs(message.publishNs + BigInt(Math.round(byNs)));
  const bytes = Buffer.from(message.bytes);
  bytes.writeInt32LE(Number(publishNs / 1_000_000_000n), 4);
  bytes.writeUInt32LE(Number(publishNs % 1_000_000_000n), 8);
  return { ...message, publishNs, bytes };
}
const delayed = (message: TestMessage, byMs: number): TestMessage => ({
  ...message,
  logNs: asEpochNs(message.logNs + BigInt(Math.round(byMs * 1e6))),
});

interface Injury {
  readonly name: string;
  readonly topic: string;
  readonly seconds?: number;
  readonly disturb: (message: TestMessage) => TestMessage | undefined;
  readonly flags: readonly (readonly [code: QualityFlag["code"], text: RegExp])[];
}

/** Of the topic's messages only; the others pass. Each starts from an episode without any flag. */
const INJURIES: readonly Injury[] = [
  {
    name: "a camera that is 2 % slower than it says",
    topic: WRIST,
    disturb: (message) => restamp(delayed(message, 0.02 * atMs(message)), 0.02e6 * atMs(message)),
    flags: [["rate", /captured at 29\.41 Hz \(-2\.0 %\), expected 30 Hz within 1\.0 %/]],
  },
  {
    name: "states missing for 50 ms",
    topic: TICKS,
    seconds: 4,
    disturb: (message) => (atMs(message) > 1000 && atMs(message) < 1047 ? undefined : message),
    flags: [
      ["rate", /captured at 247\.\d+ Hz/],
      ["gap", /1 gap\(s\), the longest 48\.0 ms at 1\.00 s, expected none above 20\.0 ms/],
    ],
  },
  {
    name: "a camera that comes late",
    topic: WRIST,
    disturb: (message) => (atMs(message) < 700 ? undefined : message),
    flags: [["gap", /first message 0\.71 s after the episode's start/]],
  },
  {
    name: "a camera that vanishes",
    topic: WRIST,
    disturb: (message) => (atMs(message) > 1200 ? undefined : message),
    flags: [["vanished", /nothing in the last 0\.79 s of the episode/]],
  },
  {
    name: "a topic that never came",
    topic: JOINTS,
    disturb: () => undefined,
    flags: [["vanished", /no message at all, expected 100 a second/]],
  },
  {
    name: "a clock that was set forward",
    topic: WRIST,
    seconds: 4,
    disturb: (message) => (atMs(message) < 2000 ? message : restamp(message, 31e6)),
    flags: [
      [
        "clock",
        /receipt minus stamp is at least -19\.0 ms.*; stamps jumped by 31\.0 ms at 2\.01 s, expected at most 20 ms/,
      ],
    ],
  },
  {
    name: "a clock that was set back",
    topic: WRIST,
    seconds: 6,
    disturb: (message) => (atMs(message) < 3000 ? message : restamp(message, -90e6)),
    flags: [
      [
        "clock",
        /stamps ran backwards 1 time\(s\), by up to 56\.7 ms.*; stamps jumped by -90\.0 ms at 3\.\d+ s/,
      ],
    ],
  },
  {
    name: "a path that became slower",
    topic: WRIST,
    seconds: 8,
    disturb: (message) => (atMs(message) < 4000 ? message : delayed(message, 150)),
    flags: [["clock", /delay to receipt changed by 150\.0 ms at 4\.\d+ s and stayed/]],
  },
  {
    name: "a clock that drifts",
    topic: WRIST,
    seconds: 15,
    disturb: (message) => restamp(message, -2e-3 * 1e6 * atMs(message)),
    flags: [["clock", /stamps drifted by -200\d ppm, -29\.\d ms, expected at most 100 ppm/]],
  },
  {
    name: "another clock",
    topic: WRIST,
    disturb: (message) => restamp(message, -1.7e18),
    flags: [["clock", /stamps are not of this computer's clock: receipt minus stamp is at least 17\d+/]],
  },
  {
    name: "stamps that repeat",
    topic: WRIST,
    disturb: (message) =>
      atMs(message) > 500 && atMs(message) < 1300 ? restamp(message, 500e6 - 1e6 * atMs(message)) : message,
    flags: [
      ["rate", /captured at/],
      ["gap", /longest 8\d\d\.\d ms/],
      ["frozen", /the same stamp for 0\.7\d s from 0\.5\d s on, expected at most 0\.5 s/],
    ],
  },
];

describe.each(INJURIES)("quality: $name", ({ topic, seconds = 2, disturb, flags }) => {
  it("is flagged with what was found and expected, and nothing else is", async () => {
    const result = await measured({
      seconds,
      disturb: (message) => (message.topic === topic ? disturb(message) : message),
    });
    expect(codes(result.flags)).toEqual(flags.map(([code]) => code));
    for (const [index, [, text]] of flags.entries()) {
      expect(result.flags[index]!.topic).toBe(topic);
      expect(result.flags[index]!.text).toMatch(text);
    }
  });
});

describe("quality of pictures", () => {
  it("finds a camera that sends one picture with new stamps, JPEG or raw", async () => {
    for (const storage of ["jpeg", "raw"] as const) {
      const topic = imageTopicOf("wrist", storage);
      let stuck: TestMessage | undefined;
      const { topics, flags } = await measured({
        storage,
        disturb: (message) => {
          if (message.topic !== topic || atMs(message) < 700 || atMs(message) > 1500) return message;
          stuck ??= message;
          const bytes = Buffer.from(stuck.bytes);
          bytes.set(message.bytes.subarray(4, 12), 4);
          return { ...message, bytes };
        },
      });
      expect(flags).toEqual([
        {
          code: "frozen",
          topic,
          text: expect.stringMatching(/the same picture for 0\.80 s from 0\.71 s on/),
        },
      ]);
      expect(topics[topic]).toMatchObject({ repeatedContents: 24, repeatedStamps: 0 });
    }
  });

  it("finds a camera that changes its size", async () => {
    const topic = imageTopicOf("wrist", "raw");
    const { flags } = await measured({
      storage: "raw",
      disturb: (message) => {
        if (message.topic !== topic || atMs(message) < 1000) return message;
        const other = new ImageMessage("wrist_color_optical_frame", 16, 12, "bgr8", 48);
        other.stamp(message.publishNs);
        other.pixels.fill(Math.floor(atMs(message)) & 255);
        return { ...message, bytes: other.bytes };
      },
    });
    expect(flags).toEqual([
      {
        code: "changed",
        topic,
        text: "pictures changed form 1 time(s): 32x24 rgb8, 16x12 bgr8; expected one size and encoding",
      },
    ]);
  });

  it("counts what is no picture instead of reading past its end", async () => {
    const { topics, flags } = await measured({
      disturb: (message) =>
        message.topic === WRIST && Math.floor(atMs(message) / 33) % 10 === 3
          ? { ...message, bytes: message.bytes.subarray(0, 30) }
          : message,
    });
    expect(topics[WRIST]!.unreadable).toBe(6);
    expect(flags).toEqual([
      { code: "damaged", topic: WRIST, text: "6 message(s) are not what their type says, expected none" },
    ]);
  });
});

describe("quality of policy steps", () => {
  const staleFrom = (refusal: string) => ({
    disturb: (message: TestMessage) => {
      if (message.topic !== POLICY_STEP_TOPIC || atMs(message) < 1000) return message;
      const step = readPolicyStep(steps.decode(message.bytes));
      const old = { ...step, refusal, imageStampNs: asEpochNs(step.imageStampNs - 200_000_000n) };
      return { ...message, bytes: steps.encode(writePolicyStep(old)) };
    },
  });
  const prefixes = (process.env.AMENT_PREFIX_PATH ?? "").split(":").filter((prefix) => prefix !== "");
  const steps = rosCodec(POLICY_STEP, rosDefinition(POLICY_STEP, prefixes));
  const ticks = rosCodec(SERVO_TICK, rosDefinition(SERVO_TICK, prefixes));

  it("flags a command from an old image, but not a step that refused one", async () => {
    const { flags } = await measured(staleFrom(""));
    expect(flags).toEqual([
      {
        code: "age",
        topic: POLICY_STEP_TOPIC,
        text: "image too old at 5 policy step(s), up to 217.0 ms, expected at most 150 ms",
      },
    ]);
    expect((await measured(staleFrom("staleFrame"))).flags).toEqual([]);
  });

  it("flags commands given while no new device report came", async () => {
    const { flags } = await measured({
      disturb: (message) => (message.topic === TICKS && atMs(message) > 1300 ? stuck(message) : message),
    });
    function stuck(message: TestMessage): TestMessage {
      const tick = readServoTick(ticks.decode(message.bytes));
      const old = {
        ...tick,
        stateSequence: 825,
        deviceTimeUs: 78_300_000,
        stateStampNs: asEpochNs(TEST_START_NS + 1_298_000_000n),
      };
      return { ...message, bytes: ticks.encode(writeServoTick(old)) };
    }
    expect(codes(flags, TICKS)).toEqual(["frozen", "age"]);
    expect(flags[0]!.text).toMatch(/the same device report for 0\.\d\d s from 1\.30 s on/);
    expect(flags[1]!.text).toMatch(
      /state too old at 3 policy step\(s\), up to 519\.0 ms, expected at most 50 ms/,
    );
  });
});

describe("quality by counters", () => {
  const counted = (change: object) => ({
    received: 10,
    written: 10,
    bytes: 1000,
    lostBefore: 0,
    droppedQueue: 0,
    droppedEncode: 0,
    droppedDisk: 0,
    ...change,
  });
  const finish = (change: object) => {
    const quality = new EpisodeQuality([{ topic: "/a", type: "a/msg/A", source: "ros" }]);
    for (let i = 0; i < 10; i++)
      quality.observe("/a", BigInt(i) * 1000n, BigInt(i) * 1000n, Uint8Array.of(0, 1, 0, 0, i));
    return quality.finish({ "/a": counted(change) }).flags;
  };

  it("flags each kind of loss with where it was, and a file that holds less than was written", () => {
    expect(finish({})).toEqual([]);
    for (const [kind, place] of [
      ["lostBefore", "2 before the subscription"],
      ["droppedQueue", "2 in the queue"],
      ["droppedEncode", "2 in compression"],
      ["droppedDisk", "2 at the disk"],
    ] as const)
      expect(finish({ [kind]: 2 })).toEqual([
        {
          code: "loss",
          topic: "/a",
          text: expect.stringMatching(new RegExp(`^2 message.*${place}.*at most 0`)),
        },
      ]);
    expect(finish({ written: 12 })).toEqual([
      { code: "damaged", topic: "/a", text: "10 message(s) are there, expected the 12 that were written" },
    ]);
  });

  it("follows limits that are given, and refuses those that are none", () => {
    const quality = new EpisodeQuality([{ topic: "/a", type: "a/msg/A", source: "ros" }], { lostMax: 5 });
    expect(quality.finish({ "/a": counted({ written: 0, lostBefore: 5 }) }).flags).toEqual([]);
    expect(() => new EpisodeQuality([], { gapPeriods: -1 })).toThrow(/gapPeriods/);
  });
});

describe("limits of a recorded episode", () => {
  it("are those of its cell file, and for images what its policy was allowed", () => {
    expect(limitsOf({ cell: {} })).toEqual(DEFAULT_LIMITS);
    expect(limitsOf({ cell: { recorder: "off", policy: { frameAgeMsMax: "?" } } })).toEqual(DEFAULT_LIMITS);
    const quality = QualityLimits.parse({ gapPeriods: 7 });
    expect(limitsOf({ cell: { recorder: { quality }, policy: { frameAgeMsMax: 90 } } })).toEqual({
      ...DEFAULT_LIMITS,
      gapPeriods: 7,
      imageAgeMsMax: 90,
    });
  });
});
