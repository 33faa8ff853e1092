/**
 * Makes whole episodes without a robot: an arm that swings smoothly, cameras whose pictures show the step's number and
 * move, servo ticks, joint states, policy steps. Everything follows from the options, so a test can compute what it
 * must find.
 */
import { randomUUID } from "node:crypto";
import sharp from "sharp";
import { asEpochNs, asMonotonicNs, type EpochNs, NS_PER_S } from "../../../core/clock.js";
import { CdrWriter, ImageMessage, writeCompressedImage } from "../../../core/rosWire.js";
import { rosDefinition } from "../../../episodes/definitions.js";
import { EpisodeFile } from "../../../episodes/episodeFile.js";
import {
  EPISODE_SCHEMA,
  type EpisodeEnd,
  type EpisodeStart,
  episodeName,
  type ImageStorage,
  type Outcome,
  type RecordedTopic,
  type TopicCounters,
  writeMapping,
} from "../../../episodes/format.js";
import { LABELLED_NUMBERS } from "../../../episodes/labelledNumbers.js";
import {
  CLOCK_MAPPING,
  CLOCK_TOPIC,
  EVENT,
  POLICY_READING_TOPIC,
  POLICY_STEP,
  POLICY_STEP_TOPIC,
  type PolicyStep,
  policyInputTopic,
  SERVO_TICK,
  type ServoTick,
  servoEventTopic,
  servoTickTopic,
  writeClockMapping,
  writeEvent,
  writePolicyStep,
  writeServoTick,
} from "../../../episodes/messages.js";
import { type RosCodec, type RosMessage, rosCodec } from "../../../episodes/rosCodec.js";

export interface TestEpisodeOptions {
  readonly number?: number;
  readonly task?: string;
  readonly seconds?: number;
  readonly cameras?: readonly string[];
  readonly storage?: ImageStorage;
  readonly widthPx?: number;
  readonly heightPx?: number;
  readonly cameraRateHz?: number;
  readonly tickRateHz?: number;
  readonly policyRateHz?: number;
  readonly outcome?: Outcome;
  readonly flags?: EpisodeEnd["flags"];
  /** In place of the values that its record has otherwise. */
  readonly start?: Partial<EpisodeStart>;
  /** Of frame `index`, packed rgb8, in place of `testPixels`. */
  readonly pixels?: (index: number) => Uint8Array;
  /** Changes a policy step before it is written. */
  readonly step?: (step: PolicyStep, frameIndex: number) => PolicyStep | Promise<PolicyStep>;
  /** Keeps the images that the policy used once more as PNG. */
  readonly policyInputs?: boolean;
  /** What each step of a policy without pictures was given. */
  readonly reading?: (step: number) => RosMessage | undefined;
  /** Changes a servo tick before it is written, at a time of the episode [s]. */
  readonly tick?: (tick: ServoTick, atS: number) => ServoTick;
  /** Besides the one of the lease. */
  readonly events?: readonly { readonly atS: number; readonly kind: string; readonly text: string }[];
  /** Declared fixed delay between capture and stamp, by topic. */
  readonly latencyMs?: Readonly<Record<string, number>>;
  /** Changes a message's times or leaves it out (undefined), to injure an episode. */
  readonly disturb?: (message: TestMessage) => TestMessage | undefined;
}

export interface TestMessage {
  readonly topic: string;
  readonly publishNs: EpochNs;
  readonly logNs: EpochNs;
  readonly bytes: Uint8Array;
}

export const TEST_START_NS = asEpochNs(1_800_000_000_000_000_000n);
/** Monotonic time at TEST_START_NS. */
export const TEST_MONOTONIC_NS = asMonotonicNs(5_000n * NS_PER_S);
export const JOINT_NAMES = Array.from({ length: 7 }, (_, joint) => `joint${joint + 1}`);
const ROBOT = "arm";
/** Message received this much after it was stamped. */
export const CAMERA_DELAY_NS = 12_000_000n;
export const STATE_DELAY_NS = 2_000_000n;
/** What is sent runs ahead of what is measured by this. */
export const LAG_S = 0.03;

/** Joint positions at a time of the episode [rad]: smooth, at rest at the start. */
export const testPositionRad = (atS: number): Float64Array =>
  Float64Array.from(
    JOINT_NAMES,
    (_, joint) => 0.1 * joint + 0.3 * (1 - Math.cos(0.8 * atS + 0)) * (joint % 2 ? 1 : -1),
  );
export const testGripperM = (atS: number): number => 0.04 + 0.03 * Math.cos(0.5 * atS);
export const testOutputRad = (atS: number): Float64Array =>
  Float64Array.from(testPositionRad(atS + 0.2), (value, joint) =>
    Math.fround(value - testPositionRad(atS)[joint]!),
  );

export const imageTopicOf = (camera: string, storage: ImageStorage): string =>
  `/camera/${camera}/color/image_raw${storage === "raw" ? "" : "/compressed"}`;

/** Pixels of frame `index`: a gradient that wanders, with the frame's number in the first row of blocks. */
export function testPixels(widthPx: number, heightPx: number, index: number): Uint8Array {
  const pixels = new Uint8Array(widthPx * heightPx * 3);
  for (let y = 0, at = 0; y < heightPx; y++)
    for (let x = 0; x < widthPx; x++) {
      pixels[at++] = (x + 3 * index) & 0xff;
      pixels[at++] = (y + index) & 0xff;
      pixels[at++] = ((x >> 4) ^ (y >> 4) ^ index) & 1 ? 200 : 40;
    }
  const block = Math.max(1, Math.floor(widthPx / 16));
  for (let bit = 0; bit < 16; bit++) {
    const value = (index >> bit) & 1 ? 255 : 0;
    for (let y = 0; y < block; y++)
      pixels.fill(value, 3 * (y * widthPx + bit * block), 3 * (y * widthPx + (bit + 1) * block));
  }
  return pixels;
}

/** The number that `testPixels` has put into a picture, also after lossy compression. */
export function readTestIndex(pixels: Uint8Array, widthPx: number, channels = 3): number {
  const block = Math.max(1, Math.floor(widthPx / 16));
  const middle = Math.floor(block / 2);
  let index = 0;
  for (let bit = 0; bit < 16; bit++)
    if (pixels[channels * (middle * widthPx + bit * block + middle)]! > 127) index |= 1 << bit;
  return index;
}

const prefixes = () => (process.env.AMENT_PREFIX_PATH ?? "").split(":").filter((prefix) => prefix !== "");

/** @returns the finished episode's folder. Needs the ROS environment, for the message definitions. */
export async function writeTestEpisode(set: string, options: TestEpisodeOptions = {}): Promise<string> {
  const {
    number = 1,
    task = "test-task",
    seconds = 2,
    cameras = ["wrist"],
    storage = "jpeg",
    widthPx = 128,
    heightPx = 96,
    cameraRateHz = 30,
    tickRateHz = 250,
    policyRateHz = 5,
    outcome = "success",
    flags = [],
    latencyMs = {},
    tick: changeTick = (tick) => tick,
    events = [],
    disturb = (message) => message,
    pixels: pixelsOf = (index) => testPixels(widthPx, heightPx, index),
    step: changeStep = (step) => step,
    policyInputs = false,
    reading: readingOf,
  } = options;
  const imageType = storage === "raw" ? "sensor_msgs/msg/Image" : "sensor_msgs/msg/CompressedImage";
  const declared: RecordedTopic[] = [
    ...cameras.map((camera) => ({
      topic: imageTopicOf(camera, storage),
      type: imageType,
      source: "ros" as const,
      rateHz: cameraRateHz,
    })),
    { topic: `/${ROBOT}/joint_states`, type: "sensor_msgs/msg/JointState", source: "ros", rateHz: 100 },
    { topic: servoTickTopic(ROBOT), type: SERVO_TICK, source: "servo", rateHz: tickRateHz },
    { topic: servoEventTopic(ROBOT), type: EVENT, source: "servo" },
    { topic: POLICY_STEP_TOPIC, type: POLICY_STEP, source: "policy", rateHz: policyRateHz },
    { topic: CLOCK_TOPIC, type: CLOCK_MAPPING, source: "recorder" },
    ...(readingOf === undefined
      ? []
      : [{ topic: POLICY_READING_TOPIC, type: LABELLED_NUMBERS, source: "policy" as const }]),
    ...(policyInputs
      ? [
          {
            topic: policyInputTopic(cameras[0]!),
            type: "sensor_msgs/msg/CompressedImage",
            source: "policy" as const,
          },
        ]
      : []),
  ];
  const topics = declared.map((topic) =>
    topic.topic in latencyMs ? { ...topic, latencyMs: latencyMs[topic.topic]! } : topic,
  );
  const clock = writeMapping({ monotonicNs: TEST_MONOTONIC_NS, epochNs: TEST_START_NS });
  const start: EpisodeStart = {
    schema: EPISODE_SCHEMA,
    uuid: randomUUID(),
    task,
    name: episodeName(number),
    kind: "demonstration",
    note: "",
    startedNs: String(TEST_START_NS),
    clock,
    robots: {
      [ROBOT]: {
        model: "xArm7",
        serial: "TEST00000000",
        firmware: "v1.0.0",
        jointNames: JOINT_NAMES,
        rateHz: tickRateHz,
        positionMinRad: Array(7).fill(-3),
        positionMaxRad: Array(7).fill(3),
        velocityMaxRadPerS: Array(7).fill(1),
      },
    },
    cameras: Object.fromEntries(
      cameras.map((camera) => [
        camera,
        {
          imageTopic: imageTopicOf(camera, storage),
          storage,
          widthPx,
          heightPx,
          rateHz: cameraRateHz,
          fovYDeg: 42,
          mount: { robot: ROBOT, positionM: [0.075, 0, 0.025], quatXyzw: [0, 0, 0, 1] },
        },
      ]),
    ),
    topics,
    cell: { name: "test_cell" },
    calibration: {},
    bundle: null,
    software: { cerebellum: "test" },
    context: { seed: 7 },
    strict: false,
    ...options.start,
  };
  const types = [...new Set(topics.map(({ type }) => type))];
  const definitions = new Map(types.map((type) => [type, rosDefinition(type, prefixes())]));
  const codecs = new Map<string, RosCodec>(
    types.map((type) => [type, rosCodec(type, definitions.get(type)!)]),
  );
  const episode = await EpisodeFile.create(
    set,
    start,
    topics.map(({ topic, type }) => ({ topic, type, definition: definitions.get(type)! })),
  );
  const messages = await testMessages();
  const counters: Record<string, TopicCounters> = Object.fromEntries(
    topics.map(({ topic }) => [
      topic,
      { received: 0, written: 0, bytes: 0, lostBefore: 0, droppedQueue: 0, droppedEncode: 0, droppedDisk: 0 },
    ]),
  );
  for (const message of messages.sort((a, b) => Number(a.logNs - b.logNs))) {
    const kept = disturb(message);
    if (kept === undefined) continue;
    await episode.ready();
    episode.write(kept.topic, kept.publishNs, kept.logNs, kept.bytes);
    const counter = counters[kept.topic]!;
    counters[kept.topic] = {
      ...counter,
      received: counter.received + 1,
      written: counter.written + 1,
      bytes: counter.bytes + kept.bytes.length,
    };
  }
  const endNs = TEST_START_NS + BigInt(Math.round(seconds * 1e9));
  await episode.finish({
    endedNs: String(endNs),
    endedBecause: "stopped",
    detail: "",
    outcome,
    note: "",
    clock: writeMapping({
      monotonicNs: asMonotonicNs(TEST_MONOTONIC_NS + (endNs - TEST_START_NS)),
      epochNs: asEpochNs(endNs),
    }),
    topics: counters,
    flags,
  });
  return episode.folder;

  async function testMessages(): Promise<TestMessage[]> {
    const found: TestMessage[] = [];
    const at = (index: number, rateHz: number) => BigInt(Math.round((index * 1e9) / rateHz));
    const encode = (type: string, message: object) => codecs.get(type)!.encode(message as never);
    const push = (topic: string, offsetNs: bigint, delayNs: bigint, bytes: Uint8Array) =>
      found.push({
        topic,
        publishNs: asEpochNs(TEST_START_NS + offsetNs),
        logNs: asEpochNs(TEST_START_NS + offsetNs + delayNs),
        bytes,
      });
    for (const camera of cameras)
      for (let index = 0; index < seconds * cameraRateHz; index++) {
        const offsetNs = at(index, cameraRateHz);
        const stampNs = asEpochNs(TEST_START_NS + offsetNs);
        const bytes = await imageBytes(`${camera}_color_optical_frame`, stampNs, index, storage);
        push(imageTopicOf(camera, storage), offsetNs, CAMERA_DELAY_NS, bytes);
      }
    for (let index = 0; index < seconds * 100; index++) {
      const offsetNs = at(index, 100);
      const stampNs = asEpochNs(TEST_START_NS + offsetNs);
      push(`/${ROBOT}/joint_states`, offsetNs, STATE_DELAY_NS, jointState(stampNs, Number(offsetNs) / 1e9));
    }
    for (let index = 0; index < seconds * tickRateHz; index++) {
      const offsetNs = at(index, tickRateHz);
      push(
        servoTickTopic(ROBOT),
        offsetNs,
        0n,
        encode(SERVO_TICK, writeServoTick(changeTick(testTick(index, offsetNs), Number(offsetNs) / 1e9))),
      );
    }
    for (let step = 0; step < seconds * policyRateHz; step++) {
      const frame = Math.floor((step * cameraRateHz) / policyRateHz);
      const imageNs = at(frame, cameraRateHz);
      const stepNs = imageNs + CAMERA_DELAY_NS + 5_000_000n;
      const reading = readingOf?.(step);
      if (reading !== undefined)
        push(POLICY_READING_TOPIC, stepNs, 29_999_999n, encode(LABELLED_NUMBERS, reading));
      push(
        POLICY_STEP_TOPIC,
        stepNs,
        30_000_000n,
        encode(POLICY_STEP, writePolicyStep(await changeStep(testStep(step, imageNs, stepNs), frame))),
      );
      if (!policyInputs) continue;
      const stampNs = asEpochNs(TEST_START_NS + imageNs);
      const bytes = await imageBytes(`${cameras[0]}_color_optical_frame`, stampNs, frame, "png");
      push(policyInputTopic(cameras[0]!), imageNs, stepNs - imageNs + 40_000_000n, bytes);
    }
    for (const { atS, kind, text } of [{ atS: 0.001, kind: "lease", text: "lease to test" }, ...events]) {
      const offsetNs = BigInt(Math.round(atS * 1e9));
      const stampNs = asEpochNs(TEST_START_NS + offsetNs);
      const event = { stampNs, source: `servo: ${ROBOT}`, kind, trigger: "", text };
      push(servoEventTopic(ROBOT), offsetNs, 0n, encode(EVENT, writeEvent(event)));
    }
    for (let second = 0; second < seconds; second++) {
      const offsetNs = BigInt(second) * NS_PER_S;
      push(
        CLOCK_TOPIC,
        offsetNs,
        0n,
        encode(
          CLOCK_MAPPING,
          writeClockMapping({
            monotonicNs: TEST_MONOTONIC_NS + offsetNs,
            epochNs: TEST_START_NS + offsetNs,
          }),
        ),
      );
    }
    return found;
  }

  async function imageBytes(
    frameId: string,
    stampNs: EpochNs,
    index: number,
    as: ImageStorage,
  ): Promise<Uint8Array> {
    const pixels = pixelsOf(index);
    if (as === "raw") {
      const message = new ImageMessage(frameId, widthPx, heightPx, "rgb8", 3 * widthPx);
      message.stamp(stampNs);
      message.pixels.set(pixels);
      return message.bytes;
    }
    const picture = sharp(pixels, { raw: { width: widthPx, height: heightPx, channels: 3 } });
    const packed =
      as === "jpeg"
        ? picture.jpeg({ quality: 92, chromaSubsampling: "4:4:4" })
        : picture.png({ compressionLevel: 1 });
    return writeCompressedImage(stampNs, frameId, as, await packed.toBuffer());
  }

  function testTick(index: number, offsetNs: bigint): ServoTick {
    const atS = Number(offsetNs) / 1e9;
    const stateS = Number(offsetNs - STATE_DELAY_NS) / 1e9;
    const positionRad = testPositionRad(stateS);
    const before = testPositionRad(stateS - 0.001);
    return {
      stampNs: asEpochNs(TEST_START_NS + offsetNs),
      tick: 1000 + index,
      state: "following",
      epoch: 3,
      commander: "test",
      commandSeq: 1 + Math.floor(atS * policyRateHz),
      reasons: 0,
      stateStampNs: asEpochNs(TEST_START_NS + offsetNs - STATE_DELAY_NS),
      stateSequence: 500 + index,
      deviceTimeUs: Number(offsetNs / 1000n) + 77_000_000,
      requestedRad: testPositionRad(atS + 0.2),
      limitedRad: testPositionRad(atS + LAG_S),
      sentRad: testPositionRad(atS + LAG_S),
      positionRad,
      velocityRadPerS: positionRad.map((value, joint) => (value - before[joint]!) / 0.001),
      effortNm: new Float64Array(7).fill(1.5),
      gripperCommandM: testGripperM(atS),
      gripperOpeningM: testGripperM(stateS),
      deviceErrorCode: 0,
    };
  }

  function testStep(step: number, imageNs: bigint, stepNs: bigint): PolicyStep {
    const imageS = Number(imageNs) / 1e9;
    const positionRad = testPositionRad(imageS);
    const outputRad = testOutputRad(imageS);
    return {
      stampNs: asEpochNs(TEST_START_NS + stepNs),
      policy: "test",
      step,
      skippedSteps: 0,
      refusal: "",
      camera: cameras[0] ?? "",
      imageStampNs: asEpochNs(TEST_START_NS + imageNs),
      positionRad,
      gripperOpeningM: testGripperM(imageS),
      outputRad,
      actionRad: outputRad,
      targetRad: positionRad.map((value, joint) => value + outputRad[joint]!),
      labelRad: new Float64Array(0),
      phase: "",
      commandSeq: step + 1,
      wireStampNs: asEpochNs(TEST_START_NS + stepNs + 30_000_000n),
      startLatenessMs: 0.1,
      imageAgeMs: Number(stepNs - imageNs) / 1e6,
      preprocessMs: 4,
      encodeMs: 20,
      controlMs: 1,
      sendMs: 0.1,
      gripperOutputM: Number.NaN,
      gripperTargetM: Number.NaN,
      gripperLabelM: Number.NaN,
    };
  }
}

/** sensor_msgs/JointState with positions and velocities, no efforts. */
function jointState(stampNs: EpochNs, atS: number): Uint8Array {
  const writer = new CdrWriter().stamp(stampNs).text("").u32(JOINT_NAMES.length);
  for (const name of JOINT_NAMES) writer.text(name);
  for (const values of [testPositionRad(atS), testPositionRad(atS).map(() => 0)]) {
    writer.u32(values.length).float64s(values);
  }
  return writer.u32(0).finish();
}
