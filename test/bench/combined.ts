/**
 * An arm at 250 Hz and a hand at 333 Hz beside the frozen encoder: `node dist/test/bench/combined.js [--seconds N]
 * [--silentPeriods N] [--json FILE]`. Emulated xArm7 and Allegro Hand, each in a process of its own with real-time priority
 * as the lab has it; their servo processes and the hand's guardian; and the encoder of the shipped policy in one more, with
 * normal priority: not at all, five times a second, and without a pause. Both robots follow targets at 5 Hz. A fault is
 * counted, and the robot enabled again.
 */
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { addNs, msToNs, sleepMs } from "../../core/clock.js";
import { repositoryRootUrl } from "../../core/entry.js";
import { AllegroConfig } from "../../drivers/allegro/config.js";
import { XArm7Config } from "../../drivers/xarm7/config.js";
import type { EmulatorPorts } from "../../lab/xarm7/emulator.js";
import { LAB_PRIORITY } from "../../launch/realtime.js";
import { systemClock } from "../../launch/systemClock.js";
import { loadBundle } from "../../policies/bundle.js";
import { PolicyPipeline } from "../../policies/pipeline.js";
import { decodePng } from "../../policies/png.js";
import { passingVariants } from "../../policies/verify.js";
import type { Lease, ServoClient } from "../../runtime/servo/api.js";
import { HandServoConfig, ServoConfig } from "../../runtime/servo/config.js";
import { connectServo } from "../../runtime/servo/link/client.js";
import { HOME_RAD, JsonProcess, keepOwnTime, until } from "../support/servoRig.js";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "20" },
    silentPeriods: { type: "string", default: "2" },
    json: { type: "string" },
    /** This process is the encoder: encodings a second, 0 for as many as there can be. */
    encoder: { type: "string" },
  },
});
const BUNDLE = fileURLToPath(new URL("policies/bundles/reach-block", repositoryRootUrl()));
const PHASES = { alone: undefined, encoderAt5Hz: 5, encoderAtFullSpeed: 0 } as const;
const COMMAND_MS = 200;
const VALID_MS = 600;
const WARM_UP_MS = 2000;
const SWING_RAD = 0.08;
const SWING_S = 3;

async function main(): Promise<void> {
  const result: Record<string, unknown> = {
    machine: `${cpus().length} x ${cpus()[0]?.model}, load ${loadavg()[0]!.toFixed(2)}`,
    secondsEach: Number(values.seconds),
    silentPeriodsMax: Number(values.silentPeriods),
  };
  for (const [name, rateHz] of Object.entries(PHASES)) {
    result[name] = await phase(rateHz);
    console.log(`${name}: ${JSON.stringify(result[name], undefined, 2)}`);
  }
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(result, undefined, 2)}\n`);
  process.exit(0);
}

/** @param rateHz of the encoder: 0 without a pause, undefined for none */
async function phase(rateHz: number | undefined): Promise<Record<string, unknown>> {
  const folder = await mkdtemp(join(tmpdir(), "bench-combined-"));
  const armDevice = new JsonProcess("xarm7EmulatorMain.js", [JSON.stringify({ positionRad: HOME_RAD })]);
  const path = join(folder, "adapter");
  const handDevice = new JsonProcess("allegroEmulatorMain.js", [
    JSON.stringify({ path, realtimePriority: LAB_PRIORITY }),
  ]);
  const { ports } = (await armDevice.read()) as unknown as { ports: EmulatorPorts };
  keepOwnTime(armDevice);
  await handDevice.read();
  const { command, ...reportPorts } = ports;
  const arm = await Follower.start(folder, "arm", {
    device: "xarm7",
    xarm7: XArm7Config.parse({ host: "127.0.0.1", commandPort: command, reportPorts }),
    servo: ServoConfig.parse({}),
  });
  const silentPeriodsMax = Number(values.silentPeriods);
  const hand = await Follower.start(folder, "hand", {
    device: "allegro",
    allegro: AllegroConfig.parse({ can: { slcan: { path } }, model: "v4", side: "right", silentPeriodsMax }),
    servo: HandServoConfig.parse({}),
  });
  const encoder = rateHz === undefined ? undefined : new EncoderProcess(rateHz);
  await encoder?.ready;
  const seconds = Number(values.seconds);
  await Promise.all([arm.run(WARM_UP_MS + 1000 * seconds), hand.run(WARM_UP_MS + 1000 * seconds)]);
  const encoded = await encoder?.end();
  const sentLateUs = ((await handDevice.ask({ do: "status" })) as { sentLateUs?: unknown }).sentLateUs;
  const figures = {
    arm: await arm.figures(),
    hand: { ...(await hand.figures()), emulatorLateUs: sentLateUs },
    encoder: encoded ?? "none",
  };
  await Promise.all([arm.end(), hand.end()]);
  for (const device of [armDevice, handDevice]) device.process.kill("SIGKILL");
  await rm(folder, { recursive: true });
  return figures;
}

/** One robot's servo process, enabled again after each fault, following a slow swing. */
class Follower {
  readonly #servo: JsonProcess;
  readonly #client: ServoClient;
  readonly #faults: Record<string, number> = {};
  #lease: Lease | undefined;
  #homeRad: number[] = [];

  static async start(folder: string, robot: string, device: Record<string, unknown>): Promise<Follower> {
    const socketPath = join(folder, `${robot}.sock`);
    const servo = new JsonProcess("servoMain.js");
    const ready = await servo.ask({ robot, ...device, socketPath, logLevel: "fatal" });
    if (ready.error !== undefined) throw new Error(JSON.stringify(ready.error));
    const client = await connectServo(socketPath, { role: "supervisor", name: "bench", clock: systemClock });
    await until("a snapshot", () => client.latest() !== undefined);
    return new Follower(servo, client);
  }

  private constructor(servo: JsonProcess, client: ServoClient) {
    this.#servo = servo;
    this.#client = client;
    client.onEvent(({ kind, fault }) => {
      if (kind === "fault" && fault !== undefined)
        this.#faults[fault.code] = (this.#faults[fault.code] ?? 0) + 1;
    });
  }

  async run(durationMs: number): Promise<void> {
    const startMs = systemClock.nowMs();
    for (;;) {
      const passedMs = systemClock.nowMs() - startMs;
      if (passedMs > durationMs) return;
      // A robot that has just stopped refuses some of this; the next turn asks again.
      await this.#follow(passedMs / 1000).catch(() => {});
      await sleepMs(systemClock, COMMAND_MS);
    }
  }

  async figures(): Promise<Record<string, unknown>> {
    const { ticks, missed, latenessUs, reportToCommandUs } = await this.#client.statistics();
    return {
      rateHz: this.#client.info.rateHz,
      realtimePriority: this.#client.info.realtimePriority,
      ticks,
      missed,
      latenessUs,
      ...(reportToCommandUs === undefined ? {} : { reportToCommandUs }),
      faults: this.#faults,
    };
  }

  async end(): Promise<void> {
    await this.#client.stop(2, "the bench ends").catch(() => {});
    this.#servo.process.kill("SIGTERM");
    await this.#servo.exited;
  }

  async #follow(timeS: number): Promise<void> {
    const client = this.#client;
    const state = client.latest()?.state;
    if (state === "faulted" || state === "stopped") await client.reset();
    if (client.latest()?.state === "connected") await client.enable();
    if (this.#lease === undefined || this.#lease.lost.aborted) {
      await until("holding", () => client.latest()?.state === "holding", 1000);
      this.#lease = await client.acquireLease("bench");
      this.#homeRad = [...client.latest()!.sentRad];
    }
    const swingRad = SWING_RAD * Math.sin((2 * Math.PI * timeS) / SWING_S);
    this.#lease.command({
      positionRad: this.#homeRad.map((rad, joint) => (joint % 4 === 0 ? rad : rad + swingRad)),
      expiresNs: addNs(systemClock.nowNs(), msToNs(VALID_MS)),
    });
  }
}

class EncoderProcess {
  readonly ready: Promise<unknown>;
  readonly #lines: AsyncIterator<string>;
  readonly #process;

  constructor(rateHz: number) {
    this.#process = spawn(process.execPath, [fileURLToPath(import.meta.url), "--encoder", String(rateHz)], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#lines = createInterface({ input: this.#process.stdout! })[Symbol.asyncIterator]();
    this.ready = this.#lines.next();
  }

  async end(): Promise<unknown> {
    this.#process.stdin!.end();
    const { value } = await this.#lines.next();
    return JSON.parse(value as string);
  }
}

/** The encoder as a policy runs it, on one thread of its own process, until standard input ends. */
async function encode(rateHz: number): Promise<void> {
  const bundle = await loadBundle(BUNDLE);
  const pipeline = await PolicyPipeline.load(bundle, passingVariants(bundle)[0]!);
  const image = decodePng(readFileSync(join(BUNDLE, "golden0.png")));
  if (typeof image === "string") throw new Error(image);
  let isOver = false;
  process.stdin.on("end", () => {
    isOver = true;
  });
  process.stdin.resume();
  console.log("{}");
  const takenMs: number[] = [];
  const startMs = systemClock.nowMs();
  while (!isOver) {
    const fromMs = systemClock.nowMs();
    pipeline.preprocess(image.pixels, "rgb8");
    await pipeline.encode();
    takenMs.push(systemClock.nowMs() - fromMs);
    const restMs = rateHz === 0 ? 0 : 1000 / rateHz - takenMs.at(-1)!;
    if (restMs > 0) await sleepMs(systemClock, restMs);
    else await new Promise((resolve) => setImmediate(resolve));
  }
  const seconds = (systemClock.nowMs() - startMs) / 1000;
  takenMs.sort((one, other) => one - other);
  const at = (share: number) => takenMs[Math.floor(share * (takenMs.length - 1))];
  console.log(
    JSON.stringify({
      precision: pipeline.variant.precision,
      perS: takenMs.length / seconds,
      p50Ms: at(0.5),
      p99Ms: at(0.99),
    }),
  );
  process.exit(0);
}

// Last, because classes exist only from where they are declared.
if (values.encoder === undefined) await main();
else await encode(Number(values.encoder));
