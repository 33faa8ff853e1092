/**
 * A commander or supervisor in a process of its own, to be killed and stopped by benches and campaigns. It speaks the
 * servo link frame by frame, so that it says nothing but what it is told, and writes the time of each frame to a file
 * before the frame leaves: whoever stops this process reads there when it was last heard.
 *
 * Configuration as one JSON line on standard input, then one command a line, one answer a line.
 */
import { openSync, writeSync } from "node:fs";
import { createConnection } from "node:net";
import { createInterface } from "node:readline";
import { z } from "zod";
import { addNs, type MonotonicNs, msToNs, sleepMs } from "../../core/clock.js";
import { errorText } from "../../core/errors.js";
import { decodeFromServo, encode, FrameReader } from "../../runtime/servo/link/codec.js";
import type { ServoMessage } from "../../runtime/servo/link/schema.js";
import { systemClock } from "../systemClock.js";

const Config = z.strictObject({
  socketPath: z.string().min(1),
  role: z.enum(["commander", "supervisor"]),
  name: z.string().min(1),
  stampFile: z.string().min(1),
  heartbeatMs: z.number().positive(),
});

const Command = z.discriminatedUnion("do", [
  z.strictObject({ do: z.literal("lease") }),
  z.strictObject({
    do: z.literal("follow"),
    targetRad: z.array(z.number()).length(7),
    speedScale: z.number(),
    validMs: z.number().positive(),
    everyMs: z.number().positive(),
    epoch: z.int().min(0).optional().describe("Another than the lease's: what a stale command looks like"),
  }),
  /** No more commands; heartbeats go on. Answers with the last command's expiry. */
  z.strictObject({ do: z.literal("quiet") }),
  /** No more commands, and the lease given back. */
  z.strictObject({ do: z.literal("release") }),
  z.strictObject({ do: z.literal("nan") }),
  z.strictObject({ do: z.literal("enable") }),
  z.strictObject({ do: z.literal("reset") }),
  z.strictObject({ do: z.literal("revokeLease") }),
]);
type Command = z.infer<typeof Command>;

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const config = Config.parse(JSON.parse((await lines.next()).value as string));
const stampFd = openSync(config.stampFile, "w");
const stamp = Buffer.alloc(8);
const socket = createConnection(config.socketPath);
const reader = new FrameReader(decodeFromServo);
const waiting = new Map<number, (message: ServoMessage) => void>();
let requestId = 0;
let epoch = 0;
let seq = 0;
let expiresNs = 0n as MonotonicNs;
let stream = new AbortController();
let welcome: () => void = () => {};
const welcomed = new Promise<void>((resolve) => {
  welcome = resolve;
});

socket.on("error", () => {});
socket.on("close", () => {
  stream.abort();
  for (const settle of waiting.values())
    settle({ type: "result", requestId: 0, ok: false, code: "LINK_CLOSED", happened: "closed", remedy: "" });
});
socket.on("data", (chunk: Buffer) =>
  reader.push(chunk, (message) => {
    if (message.type === "info") welcome();
    else if ("requestId" in message) {
      waiting.get(message.requestId)?.(message);
      waiting.delete(message.requestId);
    }
  }),
);
send(encode("hello", { role: config.role, name: config.name, snapshotEveryTicks: 0 }));
await welcomed;
void beat();
print({ ready: true, processId: process.pid });
for (let next = await lines.next(); next.done !== true; next = await lines.next()) {
  try {
    print({ ok: true, ...(await execute(Command.parse(JSON.parse(next.value)))) });
  } catch (thrown) {
    print({ ok: false, error: errorText(thrown) });
  }
}
process.exit(0);

function send(bytes: Buffer): MonotonicNs {
  const atNs = systemClock.nowNs();
  stamp.writeBigInt64LE(atNs);
  writeSync(stampFd, stamp, 0, stamp.length, 0);
  if (socket.writable) socket.write(bytes);
  return atNs;
}

async function beat(): Promise<void> {
  for (;;) {
    await sleepMs(systemClock, config.heartbeatMs);
    send(encode("heartbeat", {}));
  }
}

async function request(frame: (id: number) => Buffer): Promise<ServoMessage> {
  const id = ++requestId;
  const answered = new Promise<ServoMessage>((resolve) => waiting.set(id, resolve));
  send(frame(id));
  const answer = await answered;
  if (answer.type === "result" && !answer.ok) throw new Error(`${answer.code}: ${answer.happened}`);
  return answer;
}

async function execute(command: Command): Promise<Record<string, unknown>> {
  switch (command.do) {
    case "lease": {
      const answer = await request((id) => encode("leaseRequest", { requestId: id, name: config.name }));
      if (answer.type !== "leaseGranted") throw new Error(`answered with ${answer.type}`);
      ({ epoch } = answer);
      seq = 0;
      return { epoch };
    }
    case "follow":
      stream.abort();
      stream = new AbortController();
      void follow(command, stream.signal);
      return {};
    case "quiet":
      stream.abort();
      return { expiresNs: String(expiresNs) };
    case "release":
      stream.abort();
      send(encode("leaseRelease", { epoch }));
      return {};
    case "nan": {
      const positionRad = new Float64Array(7).fill(Number.NaN);
      return { atNs: String(point(positionRad, 1, 500)) };
    }
    case "enable":
    case "reset": {
      const kind = command.do;
      await request((id) => encode(kind, { requestId: id }));
      return {};
    }
    case "revokeLease": {
      const atNs = systemClock.nowNs();
      await request((id) => encode("leaseRevoke", { requestId: id, reason: "the bench wants it" }));
      return { atNs: String(atNs) };
    }
  }
}

async function follow(command: Extract<Command, { do: "follow" }>, signal: AbortSignal): Promise<void> {
  const positionRad = Float64Array.from(command.targetRad);
  while (!signal.aborted) {
    point(positionRad, command.speedScale, command.validMs, command.epoch);
    await sleepMs(systemClock, command.everyMs, signal);
  }
}

function point(positionRad: Float64Array, speedScale: number, validMs: number, of = epoch): MonotonicNs {
  const stampNs = systemClock.nowNs();
  expiresNs = addNs(stampNs, msToNs(validMs));
  return send(
    encode("command", { epoch: of, seq: ++seq, stampNs, expiresNs, speedScale, inputAgeMs: 0, positionRad }),
  );
}

function print(message: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
