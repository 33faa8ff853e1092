/** Well-formed messages of clients, and what a seeded chance makes of them: mutations, random JSON and random bytes. */
import type { ClientMessage } from "../../../core/gateway/client.js";
import { HAND_JOINTS, NUMBERS_PER_HAND_JOINT } from "../../../core/teleop/pose.js";
import type { Chance } from "../episodes/delays.js";

const hand = (withJoints: boolean) => ({
  hand: "right" as const,
  mode: "controller" as const,
  tracked: true,
  pose: { positionM: [0.1, 1.2, -0.3], quatXyzw: [0, 0, 0, 1] },
  clutch: 1,
  gripper: 0.5,
  buttons: { a: false, b: false, stick: false },
  stick: [0, 0],
  joints: withJoints
    ? Array.from({ length: HAND_JOINTS.length * NUMBERS_PER_HAND_JOINT }, (_, i) => i / 100)
    : null,
});

const pose = (withJoints: boolean, seq: number) => ({
  v: 1,
  source: "webxr",
  device: "quest3",
  session: "0123456789abcdef",
  seq,
  deviceTimeMs: 1000 + seq,
  space: "local-floor",
  visibility: "visible",
  head: { positionM: [0, 1.6, 0], quatXyzw: [0, 0, 0, 1] },
  hands: [hand(withJoints)],
});

/** One of each kind, and requests of every group that may move something. */
export const VALID: readonly ClientMessage[] = [
  { kind: "pose", pose: pose(false, 1) },
  { kind: "pose", pose: pose(true, 2) },
  {
    kind: "subscribe",
    telemetryHz: 10,
    teleop: true,
    events: true,
    cameras: [{ camera: "wrist", rateHz: 5 }],
  },
  {
    kind: "velocity",
    robot: "digit",
    isHeld: true,
    velocity: { forwardMPerS: 0.4, leftMPerS: 0, yawRateRadPerS: -0.3 },
  },
  { kind: "stop", reason: "stop" },
  { kind: "ping", id: 1, clientTimeMs: 12.5 },
  { kind: "link", roundTripMs: 3, clockOffsetMs: -7.25 },
  { kind: "request", id: 1, request: { do: "enable" } },
  { kind: "request", id: 2, request: { do: "takeTeleop", robot: "arm" } },
  { kind: "request", id: 3, request: { do: "startRecording", task: "reach", note: "" } },
  { kind: "request", id: 4, request: { do: "stop", category: 1 } },
  { kind: "request", id: 5, request: { do: "startPolicy", bundle: "policies/x" } },
  { kind: "request", id: 6, request: { do: "teleopSettings", translationScale: 0.5, hand: "left" } },
  { kind: "hello", protocol: 1, token: "x", client: "program", name: "fuzz" },
] as ClientMessage[];

const STRANGE: readonly unknown[] = [
  null,
  true,
  -1,
  0,
  1e308,
  -1e308,
  1e-320,
  2 ** 53,
  0.1,
  "",
  "\u0000",
  "x".repeat(300),
  "\ud800",
  "__proto__",
  "constructor",
  [],
  {},
  [[[]]],
  { toString: 1 },
  { kind: "pose" },
];
const TOKENS = [
  "NaN",
  "Infinity",
  "-Infinity",
  "1e999",
  "undefined",
  "//",
  "'",
  "\u2028",
  ",",
  "}",
  "]",
  ":",
  '"',
  "\\u0000",
  "-",
  "1e",
  "01",
];

/** One frame: text, or bytes of a binary message. */
export function frame(chance: Chance): string | Uint8Array {
  const roll = chance();
  if (roll < 0.03)
    return Uint8Array.from({ length: Math.floor(chance() * 200) }, () => Math.floor(chance() * 256));
  if (roll < 0.08) return randomText(chance);
  const message = pick(VALID, chance);
  // Most stay what they were but for one thing: the rest of it must not carry it through.
  if (roll < 0.6) return JSON.stringify(mutated(structuredClone(message), chance));
  return damaged(JSON.stringify(message), chance);
}

const pick = <T>(list: readonly T[], chance: Chance): T => list[Math.floor(chance() * list.length)]!;

/** Puts something strange into one place of it, takes one thing out, or adds one. */
function mutated(root: ClientMessage, chance: Chance): unknown {
  let holder = root as unknown as Record<string, unknown>;
  for (;;) {
    const keys = Object.keys(holder);
    if (keys.length === 0) return root;
    const key = pick(keys, chance);
    const value = holder[key];
    if (typeof value === "object" && value !== null && chance() < 0.7) {
      holder = value as Record<string, unknown>;
      continue;
    }
    const roll = chance();
    if (roll < 0.6) holder[key] = pick(STRANGE, chance);
    else if (roll < 0.8) delete holder[key];
    else if (Array.isArray(holder)) holder.push(pick(STRANGE, chance));
    else
      Object.defineProperty(holder, pick(["extra", "__proto__", "then", "toJSON", "length"], chance), {
        value: pick(STRANGE, chance),
        enumerable: true,
      });
    return root;
  }
}

/** Cuts, repeats, overwrites or puts in a few characters. */
function damaged(text: string, chance: Chance): string {
  const at = Math.floor(chance() * text.length);
  const roll = chance();
  if (roll < 0.25) return text.slice(0, at);
  if (roll < 0.4) return text + text.slice(at);
  if (roll < 0.6) return text.slice(0, at) + pick(TOKENS, chance) + text.slice(at);
  if (roll < 0.8)
    return text.slice(0, at) + String.fromCharCode(Math.floor(chance() * 0xffff)) + text.slice(at + 1);
  return text.slice(0, at) + text.slice(at + Math.ceil(chance() * 8));
}

function randomText(chance: Chance): string {
  const roll = chance();
  if (roll < 0.3) return "[".repeat(Math.floor(chance() * 2000));
  if (roll < 0.5) return `{"kind":${'{"kind":'.repeat(Math.floor(chance() * 500))}`;
  return String.fromCharCode(
    ...Array.from({ length: Math.floor(chance() * 100) }, () => Math.floor(chance() * 0xffff)),
  );
}
