/**
 * An emulated headset in a process of its own, for measurements: it takes teleoperation, holds the clutch, and leads a
 * hand along a smooth figure. Configuration as one JSON line on standard input, then one command a line, one answer a
 * line. Ends with its standard input.
 */
import { createInterface } from "node:readline";
import { z } from "zod";
import { sleepMs } from "../../core/clock.js";
import { errorText } from "../../core/errors.js";
import type { TrackedPose } from "../../core/teleop/pose.js";
import { EmulatedHeadset } from "../headset/emulatedHeadset.js";
import { createNodeSocket } from "../headset/nodeSocket.js";
import { systemClock } from "../systemClock.js";

const Config = z.strictObject({
  /** For instance "https://127.0.0.1:8443". */
  origin: z.string().min(1),
  code: z.string().min(1).describe("Of a pairing, for a token"),
  robot: z.string().min(1),
  rateHz: z.number().positive(),
  /** PEM to trust. */
  certificate: z.string().optional(),
});
const Command = z.discriminatedUnion("do", [
  z.strictObject({ do: z.literal("engage") }),
  /** Answers with what was sent since it engaged, and what ended the engagement meanwhile. */
  z.strictObject({ do: z.literal("release") }),
]);

const HAND = "right";
const START_M = [0.25, 1.1, -0.4] as const;
/** Half the way to each side [m], and how often a second, by axis: no axis ever stands. */
const FIGURE = [
  { halfM: 0.05, rateHz: 0.31 },
  { halfM: 0.04, rateHz: 0.23 },
  { halfM: 0.05, rateHz: 0.17 },
] as const;
const READY_MS = 5000;
const LOOK_MS = 50;
const LATCHES_TOLD_MAX = 10;
const ATTEMPTS_MAX = 10;

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const read = async () => {
  const { value, done } = await lines.next();
  return done ? undefined : (JSON.parse(value as string) as unknown);
};
const answer = (message: object) => void process.stdout.write(`${JSON.stringify(message)}\n`);

const config = Config.parse(await read());
const { certificate } = config;
const headset = new EmulatedHeadset({
  clock: systemClock,
  device: "bench-headset",
  rateHz: config.rateHz,
  openSocket: createNodeSocket(certificate === undefined ? {} : { certificate }),
});
/** Number and monotonic time of each pose that was sent. */
let sent: [seq: number, atNs: string][] = [];
let latches: string[] = [];
let latched = 0;
let before = "";
let kept: Promise<void> = Promise.resolve();
const released = new AbortController();
let figureFromMs = Number.NaN;

function poseAt(sinceMs: number): TrackedPose {
  const at = (axis: number) => {
    const { halfM, rateHz } = FIGURE[axis]!;
    return START_M[axis]! + halfM * Math.sin((2 * Math.PI * rateHz * sinceMs) / 1000);
  };
  return { positionM: [at(0), at(1), at(2)], quatXyzw: [0, 0, 0, 1] };
}

/** As a person does it: whatever goes wrong, release and press again. */
async function press(): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    headset.setButtons(HAND, { squeeze: 0 });
    await headset.untilStatus(({ state, alignment }) => state === "ready" && alignment !== "none", READY_MS);
    await sleepMs(systemClock, 100);
    headset.setButtons(HAND, { squeeze: 1 });
    const { state, why } = await headset.untilStatus(
      (status) => status.state === "engaged" || status.state === "latched",
      READY_MS,
    );
    if (state === "engaged") break;
    if (attempt === ATTEMPTS_MAX) throw new Error(`latched at each of ${attempt} attempts: ${why?.happened}`);
  }
}

/** Until the next command: a latch is told, and the hand goes on. */
async function keepEngaged(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const state = headset.status?.state;
    if (state === "latched" || state === "ready") await press();
    await sleepMs(systemClock, LOOK_MS, signal);
  }
}

try {
  // The code is good once, and on this computer plain HTTP is answered whatever the page speaks.
  const response = await fetch(`${config.origin.replace(/^https/, "http")}/api/pair`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ code: config.code, name: "bench-headset" }),
  });
  const { token, device } = (await response.json()) as { token: string; device: string };
  headset.setHead({ positionM: [0, 1.6, 0], quatXyzw: [0, 0, 0, 1] });
  headset.setController(HAND, poseAt(0));
  headset.onPose(({ seq }) => {
    sent.push([seq, systemClock.nowNs().toString()]);
    if (Number.isFinite(figureFromMs))
      headset.setController(HAND, poseAt(systemClock.nowMs() - figureFromMs));
  });
  headset.onStatus(({ state, why }) => {
    if (state === "latched" && before !== "latched" && why !== null) {
      latched++;
      if (latches.length < LATCHES_TOLD_MAX) latches.push(`${why.code}: ${why.happened}`);
    }
    before = state;
  });
  await headset.connect(config.origin, token, { robot: config.robot });
  await headset.untilStatus(({ state, poseAgeMs }) => state === "ready" && poseAgeMs !== null, READY_MS);
  for (let attempt = 1; !(await headset.recenter()); attempt++) {
    if (attempt === ATTEMPTS_MAX) throw new Error(`not recentred at any of ${attempt} attempts`);
    await sleepMs(systemClock, LOOK_MS);
  }
  answer({ ok: true });
  for (let line = await read(); line !== undefined; line = await read()) {
    const command = Command.parse(line);
    if (command.do === "engage") {
      await press();
      [sent, latches, latched] = [[], [], 0];
      figureFromMs = systemClock.nowMs();
      kept = keepEngaged(released.signal);
      answer({ ok: true });
    } else {
      released.abort();
      await kept;
      headset.setButtons(HAND, { squeeze: 0 });
      answer({ ok: true, sent, latches, latched });
      await headset.request({ do: "revokeDevice", device }).catch(() => {});
    }
  }
} catch (thrown) {
  answer({ ok: false, error: errorText(thrown) });
}
headset.close();
process.exit(0);
