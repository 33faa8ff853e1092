/** Frames that nobody ever sent, seeded: no decoder throws, and no number that comes out is not finite. */
import { expect, it } from "vitest";
import { HAND_MODELS } from "../../../kinematics/allegro/hand.js";
import type { CanFrame } from "../../can/frame.js";
import { decodeHandFrame, type HandMessage, readPose } from "./handFrames.js";
import { decodeHostFrame, type HostMessage } from "./hostFrames.js";

const FRAMES = 200_000;
const SEED = 71;
/** Identifiers of which something is known; half of the frames have one of them. */
const KNOWN_IDS = [
  0x044, 0x048, 0x080, 0x084, 0x088, 0x08c, 0x0c0, 0x0e0, 0x0e4, 0x0e8, 0x0ec, 0x100, 0x104, 0x140, 0x148,
  0x180, 0x184, 0x188, 0x18c, 0x1a0, 0x200, 0x204, 0x220, 0x224, 0x248, 0x380, 0x384, 0x388, 0x38c, 0x3b8,
  0x3c0, 0x3c8,
];

const EXTREMES = [0, 0, 0x7f, 0x80, 0xff];

/** Small and seeded (mulberry32): the same frames in every run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Two thirds look like frames; the rest has lengths, bytes and identifiers that do not go together. */
function randomFrame(next: () => number): CanFrame {
  const whole = (below: number) => Math.floor(next() * below);
  const length = whole(9);
  const isRemote = next() < 0.15;
  const isOdd = next() < 0.33;
  const data = new Uint8Array(isOdd ? whole(12) : isRemote ? 0 : length);
  // Extremes are commoner than chance would have them.
  for (let i = 0; i < data.length; i++)
    data[i] = next() < 0.4 ? (EXTREMES[whole(EXTREMES.length)] ?? 0) : whole(256);
  const known = (KNOWN_IDS[whole(KNOWN_IDS.length)] ?? 0) + whole(4);
  const ids = [
    next() < 0.5 ? known : whole(0x800),
    known,
    whole(0x2000_0000),
    -whole(9),
    next() * 0x800,
    Number.NaN,
  ];
  const id = ids[isOdd ? whole(ids.length) : 0] ?? 0;
  return { id, isExtended: next() < 0.05, isRemote, length: isOdd ? whole(20) - 2 : length, data };
}

function numbersOf(message: HandMessage | HostMessage): number[] {
  return Object.values(message).flatMap((value: unknown) =>
    typeof value === "number"
      ? [value]
      : Array.isArray(value) || value instanceof Int16Array
        ? Array.from(value as ArrayLike<number>)
        : [],
  );
}

it(`${FRAMES} random frames: always an answer, every number in it finite`, () => {
  const next = random(SEED);
  const counts = new Int16Array(16);
  const seen = new Map<string, number>();
  for (let i = 0; i < FRAMES; i++) {
    const frame = randomFrame(next);
    const answers = [decodeHostFrame(frame), ...HAND_MODELS.map((model) => decodeHandFrame(frame, model))];
    const finger = readPose(frame, counts);
    for (const message of answers) {
      if (message === undefined) continue;
      seen.set(message.kind, (seen.get(message.kind) ?? 0) + 1);
      for (const number of numbersOf(message))
        if (!Number.isFinite(number)) expect.fail(`seed ${SEED}, frame ${i}: ${JSON.stringify(message)}`);
    }
    // The two readers of poses are of one mind.
    const pose = answers[1]?.kind === "pose" ? answers[1].finger : undefined;
    if (finger !== pose) expect.fail(`seed ${SEED}, frame ${i}: finger ${finger}, message ${pose}`);
  }
  for (const kind of [
    "systemOn",
    "systemOff",
    "torque",
    "period",
    "requestInfo",
    "requestSerial",
    "requestImu",
    "requestPose",
    "requestTemperature",
    "neverSent",
    "malformed",
    "pose",
    "info",
    "serial",
    "imu",
    "temperature",
    "pressure",
    "error",
  ])
    expect(seen.get(kind) ?? 0, kind).toBeGreaterThan(10);
});
