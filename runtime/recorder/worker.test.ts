/** The recorder's session from request to file. Needs the ROS environment, for the message definitions. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { afterEach, describe, expect, it } from "vitest";
import { asEpochNs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import { ImageMessage, writeString } from "../../core/rosWire.js";
import { rosDefinition } from "../../episodes/definitions.js";
import { type EpisodeMessage, EpisodeReader } from "../../episodes/episodeReader.js";
import {
  CLOCK_TOPIC,
  POLICY_STEP,
  POLICY_STEP_TOPIC,
  policyInputTopic,
  RECORDER_EVENT_TOPIC,
  readClockMapping,
  readEvent,
  readServoTick,
  servoEventTopic,
  servoTickTopic,
  writePolicyStep,
} from "../../episodes/messages.js";
import { rosCodec } from "../../episodes/rosCodec.js";
import {
  IMAGE,
  INPUTS,
  JOINTS,
  NOTE,
  RecorderRig,
  type RigOptions,
  realMs,
} from "../../test/support/recorder/rig.js";
import type { EpisodeSink } from "./episode.js";
import type { RecorderInput } from "./messages.js";

const TICKS = servoTickTopic("arm");
let rigs: RecorderRig[] = [];
afterEach(async () => {
  for (const rig of rigs) await rig.close();
  rigs = [];
});

async function open(options?: RigOptions) {
  const rig = new RecorderRig(options);
  rigs.push(rig);
  await rig.next("ready");
  return rig;
}

const prefixes = () => (process.env.AMENT_PREFIX_PATH ?? "").split(":").filter((prefix) => prefix !== "");

async function read(folder: string) {
  const reader = await EpisodeReader.open(folder);
  const messages: EpisodeMessage[] = [];
  for await (const message of reader.messages()) messages.push(message);
  await reader.close();
  const of = (topic: string) => messages.filter((message) => message.topic === topic);
  const events = of(RECORDER_EVENT_TOPIC).map((message) => readEvent(reader.decode(message)));
  return { reader, messages, of, events, start: reader.start, end: reader.end };
}

function policyStep(stampNs: bigint, imageStampNs: bigint): Uint8Array {
  const none = new Float64Array(0);
  return rosCodec(POLICY_STEP, rosDefinition(POLICY_STEP, prefixes())).encode(
    writePolicyStep({
      stampNs: asEpochNs(stampNs),
      policy: "test",
      step: 1,
      skippedSteps: 0,
      refusal: "",
      camera: "wrist",
      imageStampNs: asEpochNs(imageStampNs),
      positionRad: none,
      gripperOpeningM: Number.NaN,
      outputRad: Float64Array.of(1),
      actionRad: none,
      targetRad: none,
      labelRad: none,
      phase: "",
      commandSeq: 0,
      wireStampNs: asEpochNs(0n),
      startLatenessMs: 0,
      imageAgeMs: 0,
      preprocessMs: 0,
      encodeMs: 0,
      controlMs: 0,
      sendMs: 0,
      gripperOutputM: Number.NaN,
      gripperTargetM: Number.NaN,
      gripperLabelM: Number.NaN,
    }),
  );
}

describe("an episode from start to stop", () => {
  it("holds every message once, with receive and capture time, and says what it was made of", async () => {
    const rig = await open();
    const { episode, folder, mapping } = await rig.start({ note: "first", context: { seed: 3 } });
    expect(episode).toBe("episode-000001");
    const written = { image: 0, joints: 0 };
    for (let tick = 0; tick < 250; tick++) {
      rig.servo.tickAt(100 + tick);
      if (tick % 8 === 0 && rig.write(IMAGE, rig.image())) written.image++;
      if (tick % 3 === 0 && rig.write(JOINTS, rig.jointState())) written.joints++;
      await rig.clock.advance(4);
    }
    rig.servo.tell("holding");
    rig.write(NOTE, writeString("hello"));
    const ended = await rig.stop();
    expect(ended).toMatchObject({ because: "stopped", dropped: 0, lostBefore: 0, discarded: false });
    const { of, start, end, reader } = await read(folder);
    expect(start).toMatchObject({ task: "test", note: "first", context: { seed: 3 }, kind: "demonstration" });
    expect(start.robots.arm).toMatchObject({ rateHz: 250, jointNames: expect.any(Array) });
    expect(start.cameras.wrist).toMatchObject({ imageTopic: IMAGE, storage: "raw" });
    expect(of(IMAGE)).toHaveLength(written.image);
    expect(of(JOINTS)).toHaveLength(written.joints);
    expect(of(servoEventTopic("arm"))).toHaveLength(1);
    const ticks = of(TICKS).map((message) => readServoTick(reader.decode(message)).tick);
    expect(ticks).toEqual(Array.from({ length: 250 }, (_, index) => 100 + index));
    // A plain String has no stamp: capture time is the time of receipt.
    const [note] = of(NOTE);
    expect(note!.publishNs).toBe(note!.logNs);
    const image = of(IMAGE)[1]!;
    expect(image.publishNs).toBe(BigInt(mapping.epochNs) + 8n * 4_000_000n);
    expect(image.logNs).toBe(image.publishNs);
    for (const [topic, counters] of Object.entries(end.topics))
      expect([topic, counters.written, counters.received]).toEqual([
        topic,
        of(topic).length,
        of(topic).length,
      ]);
    expect(readdirSync(join(folder, ".."))).toEqual(["episode-000001"]);
  });

  it("reads the clocks at both ends and every ten seconds", async () => {
    const rig = await open();
    const { folder } = await rig.start();
    await rig.pass(25_000, 250);
    await rig.stop();
    const { of, reader } = await read(folder);
    const atS = of(CLOCK_TOPIC).map((message) => {
      const { monotonicNs, epochNs } = readClockMapping(reader.decode(message));
      expect(BigInt(epochNs) - monotonicNs).toBe(1_699_999_999_000_000_000n);
      return Math.round(Number(monotonicNs - 1_000_000_000n) / 1e9);
    });
    expect(atS).toEqual([0, 10, 20, 25]);
  });

  it("takes what is still in the ring when it is stopped", async () => {
    const rig = await open();
    const { folder } = await rig.start();
    for (let index = 0; index < 300; index++) rig.write(IMAGE, rig.image());
    const { topics } = await rig.stop();
    expect(topics[IMAGE]).toMatchObject({ written: 300, droppedQueue: 0 });
    expect((await read(folder)).of(IMAGE)).toHaveLength(300);
  });

  it("numbers by itself, takes a name, and refuses one that is there, which stays as it is", async () => {
    const rig = await open();
    const first = await rig.start();
    await rig.stop();
    const before = readFileSync(join(first.folder, "episode-000001.mcap"));
    rig.tell({
      kind: "start",
      request: {
        task: "test",
        kind: "other",
        note: "",
        context: {},
        strict: false,
        name: "episode-000001",
      },
      bundle: null,
      engine: {},
      calibration: {},
    });
    expect((await rig.next("startFailed")).failure.code).toBe("RECORDING_FAILED");
    expect((await rig.start({ name: "episode-000041" })).episode).toBe("episode-000041");
    await rig.stop();
    expect((await rig.start()).episode).toBe("episode-000042");
    await rig.stop();
    expect(readFileSync(join(first.folder, "episode-000001.mcap")).equals(before)).toBe(true);
  });

  it("discards without a trace, and the number is used again", async () => {
    const rig = await open();
    const { folder } = await rig.start();
    rig.write(IMAGE, rig.image());
    rig.tell({ kind: "discard" });
    expect((await rig.next("ended")).ended.discarded).toBe(true);
    expect(readdirSync(join(folder, ".."))).toEqual([]);
    expect((await rig.start()).episode).toBe("episode-000001");
    await rig.stop();
  });

  it("keeps a label that was given while it ran; a later one goes to the edits log, not into the file", async () => {
    const rig = await open();
    const { folder } = await rig.start();
    rig.tell({ kind: "label", outcome: "failure", note: "slipped" });
    expect((await rig.stop()).outcome).toBe("failure");
    const file = join(folder, "episode-000001.mcap");
    const before = readFileSync(file);
    rig.tell({
      kind: "labelEnded",
      requestId: 4,
      by: "test",
      request: { task: "test", episode: "episode-000001", outcome: "success", note: "" },
    });
    expect(await rig.next("answer")).toEqual({ kind: "answer", requestId: 4 });
    expect(readFileSync(file).equals(before)).toBe(true);
    expect(readFileSync(join(folder, "../edits.jsonl"), "utf8")).toMatch(/"outcome":"success"/);
    expect((await read(folder)).end).toMatchObject({ outcome: "failure", note: "slipped" });
  });

  it("finishes the running episode when the daemon ends", async () => {
    const rig = await open();
    const { folder } = await rig.start();
    rig.write(IMAGE, rig.image());
    rig.tell({ kind: "close" });
    expect((await rig.next("ended")).ended.because).toBe("daemonEnded");
    expect((await read(folder)).end.endedBecause).toBe("daemonEnded");
  });
});

const BUNDLE = { name: "test", task: "test", manifestSha256: "00" };

describe("images", () => {
  it("are compressed in order, and those that a step used are kept without loss as well, once", async () => {
    const rig = await open({ setup: { images: "jpeg" } });
    const { folder, mapping } = await rig.start({}, BUNDLE);
    const stamps: bigint[] = [];
    for (let index = 0; index < 12; index++) {
      stamps.push(rig.clock.epochNs());
      rig.write(IMAGE, rig.image(64, 48, 20 * index));
      await rig.clock.advance(33);
    }
    rig.write(POLICY_STEP_TOPIC, policyStep(stamps[8]! + 5n, stamps[7]!));
    const { topics } = await rig.stop();
    const { of, start } = await read(folder);
    expect(start.cameras.wrist).toMatchObject({ imageTopic: `${IMAGE}/compressed`, storage: "jpeg" });
    expect(of(`${IMAGE}/compressed`).map(({ publishNs }) => publishNs)).toEqual(stamps);
    const [kept, ...others] = of(policyInputTopic("wrist"));
    expect(others).toEqual([]);
    expect(kept!.publishNs).toBe(stamps[7]);
    expect(Buffer.from(kept!.data).includes("png")).toBe(true);
    expect(topics[policyInputTopic("wrist")]).toMatchObject({ written: 1, received: 1, lostBefore: 0 });
    expect(mapping.epochNs).toBe(stamps[0]);
  });

  it("of depth are kept to the last bit, whatever colour is kept as", async () => {
    const depth: RecorderInput = {
      ...{ topic: "/depth", type: "sensor_msgs/msg/Image", source: "ros" },
      ...{ rateHz: 30, latched: false, countsGaps: true },
    };
    const rig = await open({ setup: { images: "jpeg", inputs: [...INPUTS, depth] } });
    const { folder, mapping } = await rig.start();
    const message = new ImageMessage("depth", 8, 4, "16UC1", 16);
    message.stamp(rig.clock.epochNs());
    const values = Uint16Array.from({ length: 32 }, (_, index) => 2047 * index);
    message.pixels.set(new Uint8Array(values.buffer));
    rig.write("/depth", message.bytes);
    await rig.stop();
    const { of, reader } = await read(folder);
    const [kept] = of("/depth/compressed");
    expect(kept!.publishNs).toBe(mapping.epochNs);
    const { format, data } = reader.decode(kept!) as { format: string; data: Uint8Array };
    expect(format).toMatch(/^16UC1;.*png/);
    const pixels = await sharp(data).toColourspace("grey16").raw({ depth: "ushort" }).toBuffer();
    expect([...new Uint16Array(pixels.buffer, pixels.byteOffset, 32)]).toEqual([...values]);
  });

  it("counts one that a step used and that was gone by then", async () => {
    const rig = await open({ setup: { images: "jpeg" } });
    await rig.start({}, BUNDLE);
    rig.write(POLICY_STEP_TOPIC, policyStep(rig.clock.epochNs(), 77n));
    expect((await rig.stop()).topics[policyInputTopic("wrist")]).toMatchObject({
      written: 0,
      lostBefore: 1,
    });
  });

  it("of an encoding that cannot be compressed are counted and told, and the others go on", async () => {
    const rig = await open({ setup: { images: "jpeg" } });
    const { folder } = await rig.start();
    const odd = Buffer.from(rig.image());
    odd.write("yuv2", odd.indexOf("rgb8"));
    rig.write(IMAGE, odd);
    rig.write(IMAGE, odd);
    await rig.pass(50);
    rig.write(IMAGE, rig.image());
    const { topics } = await rig.stop();
    expect(topics[`${IMAGE}/compressed`]).toMatchObject({ received: 3, written: 1, droppedEncode: 2 });
    const { events } = await read(folder);
    expect(events.filter(({ kind }) => kind === "notEncoded").map(({ text }) => text)).toEqual([
      expect.stringMatching(/yuv2/),
    ]);
  });

  it("that change size are recorded, told and flagged", async () => {
    const rig = await open();
    const { folder } = await rig.start();
    for (const widthPx of [64, 32, 32]) {
      rig.write(IMAGE, rig.image(widthPx));
      await rig.pass(33);
    }
    const { flags, topics } = await rig.stop();
    expect(topics[IMAGE]?.written).toBe(3);
    expect(flags).toContainEqual({
      code: "changed",
      topic: IMAGE,
      text: `${IMAGE} changed from 64x48 rgb8 to 32x48 rgb8`,
    });
    const { events } = await read(folder);
    expect(events.map(({ kind }) => kind).filter((kind) => kind === "changed")).toHaveLength(1);
  });
});

describe("trouble during an episode", () => {
  it("a topic that vanishes is told and flagged, and recording goes on", async () => {
    const rig = await open();
    const { folder } = await rig.start();
    rig.write(JOINTS, rig.jointState());
    for (let second = 0; second < 3; second++) {
      rig.write(IMAGE, rig.image());
      await rig.pass(1000, 250);
    }
    rig.write(JOINTS, rig.jointState());
    await rig.pass(500, 250);
    const { flags, because } = await rig.stop();
    expect(because).toBe("stopped");
    expect(flags.filter(({ code, topic }) => code === "vanished" && topic === JOINTS)).toHaveLength(1);
    const { events, of } = await read(folder);
    const told = events.filter(({ text }) => text.includes(JOINTS)).map(({ kind }) => kind);
    expect(told).toEqual(["vanished", "back"]);
    expect(of(JOINTS)).toHaveLength(2);
  });

  it("a step of the system's clock is told and flagged; log times never step", async () => {
    const rig = await open();
    const { folder } = await rig.start();
    rig.servo.tickAt(1);
    await rig.pass(500);
    rig.clock.stepEpoch(-3000);
    rig.servo.tickAt(2);
    await rig.pass(500);
    rig.servo.tickAt(3);
    const { flags } = await rig.stop();
    expect(flags).toContainEqual(expect.objectContaining({ code: "clock", topic: CLOCK_TOPIC }));
    const { events, of, start, end } = await read(folder);
    expect(events.map(({ text }) => text)).toContainEqual(
      expect.stringMatching(/CLOCK_STEPPED.*back by 3000 ms/),
    );
    const times = of(TICKS).map(({ logNs }) => logNs);
    expect(times).toEqual(times.toSorted((a, b) => (a < b ? -1 : 1)));
    expect(BigInt(end.endedNs) > BigInt(start.startedNs)).toBe(true);
    expect(of(CLOCK_TOPIC)).toHaveLength(3);
  });

  it("a servo that goes away and comes back is told, and its ticks are recorded again", async () => {
    const rig = await open();
    const { folder } = await rig.start();
    rig.servo.tickAt(9000);
    await rig.servo.close();
    await rig.pass(600);
    rig.servo.tickAt(2);
    await rig.stop();
    const { events, of } = await read(folder);
    expect(of(TICKS)).toHaveLength(2);
    expect(events.filter(({ kind }) => kind === "servoLink")).toHaveLength(2);
  });

  it.each([
    ["strict", true, "lost"],
    ["not strict", false, "stopped"],
  ] as const)("a loss in an episode that is %s ends it as it must", async (_name, strict, because) => {
    const rig = await open({ ringBytes: 4096 });
    const { folder } = await rig.start({ strict });
    const fits = Array.from({ length: 3 }, () => rig.write(NOTE, writeString("x".repeat(3000))));
    expect(fits).toEqual([true, false, false]);
    await rig.pass(600);
    const ended = strict ? (await rig.next("ended")).ended : await rig.stop();
    expect(ended.because).toBe(because);
    if (strict) {
      expect((await rig.next("ending")).detail).toMatch(/\/note lost messages.*in the queue 2/);
      // A stop that crosses it finds nothing to stop, and harms nothing.
      rig.tell({ kind: "stop", because: "stopped", detail: "" });
    }
    const { end } = await read(folder);
    expect(end).toMatchObject({ endedBecause: because, topics: { [NOTE]: { droppedQueue: 2, written: 1 } } });
    expect((await rig.start()).episode).toBe("episode-000002");
    await rig.stop();
  });

  it.each([
    ["ticks that did not come", (rig: RecorderRig) => [1, 5].map((tick) => rig.servo.tickAt(tick))],
    [
      "images that did not come",
      async (rig: RecorderRig) => {
        rig.write(IMAGE, rig.image());
        await rig.pass(150);
        // Time enough to catch up, if they had only been late.
        for (let index = 0; index < 6; index++) {
          rig.write(IMAGE, rig.image());
          await rig.pass(33);
        }
      },
    ],
  ] as const)("%s end a strict episode", async (_name, lose) => {
    const rig = await open();
    await rig.start({ strict: true });
    await lose(rig);
    await realMs(5);
    await rig.pass(600);
    expect((await rig.next("ended")).ended).toMatchObject({ because: "lost" });
  });

  it("a disk that fills up ends it in order before it is full", async () => {
    const rig = await open();
    const { folder } = await rig.start();
    rig.write(IMAGE, rig.image());
    await rig.pass(1500);
    expect(rig.heard.map(({ kind }) => kind)).toContain("progress");
    rig.freeBytes = 0.5e9;
    await rig.pass(1500);
    expect((await rig.next("ending")).because).toBe("diskFull");
    expect((await rig.next("ended")).ended.failure).toBeUndefined();
    expect((await read(folder)).end).toMatchObject({
      endedBecause: "diskFull",
      detail: expect.stringMatching(/477 MiB of disk would be left, the limit is 954 MiB/),
    });
  });

  it("an episode that nobody stops ends by itself", async () => {
    const rig = await open({ setup: { episodeMsMax: 5000 } });
    await rig.start();
    await rig.pass(5600, 250);
    expect((await rig.next("ended")).ended).toMatchObject({ because: "tooLong" });
  });
});

describe("a disk that does not do its part", () => {
  const sink = (over: Partial<EpisodeSink & { folder: string }>) => async () => ({
    folder: "/nowhere/episode-000001",
    failure: undefined,
    bytesWritten: 0,
    backlogBytes: 0,
    write: () => true,
    finish: async () => {},
    discard: async () => {},
    ...over,
  });

  it("too slow: what it does not take is counted as that, message by message", async () => {
    let count = 0;
    const rig = await open({ createFile: sink({ write: (topic) => topic !== JOINTS || ++count % 2 === 0 }) });
    await rig.start();
    for (let index = 0; index < 10; index++) rig.write(JOINTS, rig.jointState());
    expect((await rig.stop()).topics[JOINTS]).toMatchObject({ received: 10, written: 5, droppedDisk: 5 });
  });

  it("what it has not taken yet counts as used when the disk runs out", async () => {
    const rig = await open({ createFile: sink({ backlogBytes: 600e6 }) });
    rig.freeBytes = 1.5e9;
    await rig.start();
    await rig.pass(600);
    expect((await rig.next("ended")).ended).toMatchObject({
      because: "diskFull",
      detail: expect.stringMatching(/858 MiB of disk would be left/),
    });
  });

  it("a failed write ends the episode with its reason, and the next one starts", async () => {
    const failure = new CerebellumError("RECORDING_FAILED", "The disk is gone", "Look at it");
    const broken = sink({ failure, finish: () => Promise.reject(failure) });
    const rig = await open({ createFile: broken });
    await rig.start();
    await rig.pass(600);
    expect((await rig.next("ending")).because).toBe("writeFailed");
    expect((await rig.next("ended")).ended.failure).toEqual({
      code: "RECORDING_FAILED",
      happened: "The disk is gone",
      remedy: "Look at it",
    });
    await rig.start();
  });
});

describe("a start that cannot be", () => {
  const refused = async (rig: RecorderRig, request: object = {}) => {
    rig.tell({
      kind: "start",
      request: { task: "test", kind: "other", note: "", context: {}, strict: false, ...request },
      bundle: null,
      engine: {},
      calibration: {},
    });
    return (await rig.next("startFailed")).failure;
  };

  it("is refused on a disk that is nearly full, with figures and remedy", async () => {
    const rig = await open();
    rig.freeBytes = 0.9e9;
    expect(await refused(rig)).toMatchObject({
      code: "RECORDING_FAILED",
      happened: expect.stringMatching(/858 MiB are free.*at least 954 MiB/),
    });
    expect(rig.servos).toEqual([]);
  });

  it.each([
    ["on a file system that takes nothing", () => "/sys/recordings"],
    [
      "below a file",
      (rig: RecorderRig) => {
        const file = join(rig.folder, "file");
        writeFileSync(file, "");
        return join(file, "recordings");
      },
    ],
  ])("is refused %s, the servos are let go, and the thread goes on", async (_name, folderOf) => {
    const probe = await open();
    const rig = await open({ setup: { folder: folderOf(probe) } });
    expect((await refused(rig)).code).toMatch(/RECORDING_FAILED|FILE_UNREADABLE/);
    expect(rig.servo.closed.aborted).toBe(true);
    expect((await refused(rig)).code).toMatch(/RECORDING_FAILED|FILE_UNREADABLE/);
  });

  it("is refused while a servo does not answer, and leaves nothing behind", async () => {
    const rig = await open();
    rig.refuseServo = new CerebellumError("LINK_CLOSED", "The servo is away", "Start it");
    expect(await refused(rig)).toMatchObject({ code: "LINK_CLOSED", happened: "The servo is away" });
    expect(existsSync(join(rig.folder, "recordings/test"))).toBe(false);
    rig.refuseServo = undefined;
    await rig.start();
    await rig.stop();
  });

  it("is refused for a type that this machine has no definition of", async () => {
    const rig = await open({ setup: { prefixes: ["/nowhere"] } });
    expect(await refused(rig)).toMatchObject({ code: "ROS_UNAVAILABLE" });
  });
});

describe("what a crash has left", () => {
  it("is repaired before anything else, and told; a repair that fails stops nothing", async () => {
    const told = { episode: "test/episode-000001", ok: true, text: "repaired" };
    const rig = new RecorderRig({ repair: async () => [told] });
    rigs.push(rig);
    expect((await rig.next("ready")).repairs).toEqual([told]);
    const other = new RecorderRig({ repair: () => Promise.reject(new Error("no permission")) });
    rigs.push(other);
    expect((await other.next("ready")).repairs).toMatchObject([{ ok: false, text: "no permission" }]);
    await other.start();
    await other.stop();
  });

  it("keeps its number", async () => {
    const rig = await open();
    mkdirSync(join(rig.folder, "recordings/test/episode-000006.active"), { recursive: true });
    expect((await rig.start()).episode).toBe("episode-000007");
    await rig.stop();
  });
});
