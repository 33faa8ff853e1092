/**
 * A console without a browser, for measurements: pairs, subscribes to everything, and prints one JSON line a second with
 * what has come. Configuration as one JSON line on standard input; ends with it.
 */
import { WebSocket } from "ws";
import { z } from "zod";
import { nsToMs, sleepMs } from "../../core/clock.js";
import { decodeCameraFrame } from "../../core/gateway/cameraFrame.js";
import { type ClientMessage, GATEWAY_PATH, GATEWAY_PROTOCOL } from "../../core/gateway/client.js";
import { PairAnswer } from "../../core/gateway/library.js";
import { readChildConfig } from "../child.js";
import { systemClock } from "../systemClock.js";

const Config = z.strictObject({
  /** Of the gateway, e.g. "http://localhost:8443". */
  origin: z.string(),
  code: z.string(),
  telemetryHz: z.number(),
  cameras: z.array(z.strictObject({ camera: z.string(), rateHz: z.number() })),
});

const ended = new AbortController();
const { origin, code, telemetryHz, cameras } = Config.parse(await readChildConfig(() => ended.abort()));
const paired = PairAnswer.parse(
  await (
    await fetch(`${origin}/api/pair`, {
      method: "POST",
      headers: { "content-type": "application/json", origin },
      body: JSON.stringify({ code, name: "bench" }),
    })
  ).json(),
);
if (!paired.ok) throw new Error(paired.happened);

const counts = { pictures: 0, pictureBytes: 0, telemetry: 0, telemetryBytes: 0, other: 0 };
/** Ages of pictures when they came here, by the computer's own clock [ms]. */
let agesMs: number[] = [];
const socket = new WebSocket(`${origin.replace("http", "ws")}${GATEWAY_PATH}`, { origin });
const say = (message: ClientMessage) => socket.send(JSON.stringify(message));
socket.on("open", () => {
  say({ kind: "hello", protocol: GATEWAY_PROTOCOL, token: paired.token, client: "program", name: "bench" });
  say({ kind: "subscribe", telemetryHz, teleop: true, events: true, cameras });
});
socket.on("message", (data: Buffer, isBinary: boolean) => {
  if (isBinary) {
    const picture = decodeCameraFrame(data);
    if (picture === undefined) return;
    counts.pictures++;
    counts.pictureBytes += data.length;
    agesMs.push(nsToMs(systemClock.epochNs()) - picture.captureEpochMs);
  } else if (data.subarray(0, 19).toString() === '{"kind":"telemetry"') {
    counts.telemetry++;
    counts.telemetryBytes += data.length;
  } else counts.other++;
});
socket.on("close", (closeCode: number, reason: Buffer) => {
  process.stdout.write(`${JSON.stringify({ closed: closeCode, reason: reason.toString() })}\n`);
  ended.abort();
});
socket.on("error", (error) => process.stderr.write(`${error.message}\n`));
while (!ended.signal.aborted) {
  await sleepMs(systemClock, 1000, ended.signal);
  const newest = agesMs;
  agesMs = [];
  process.stdout.write(`${JSON.stringify({ ...counts, agesMs: newest })}\n`);
}
process.exit(0);
