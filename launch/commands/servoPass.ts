/** One pass of `bench servo`: the xArm7's servo at its full rate, with a commander that streams targets at 5 Hz. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { addNs, msToNs, NS_PER_MS } from "../../core/clock.js";
import { entryUrl } from "../../core/entry.js";
import { XArm7Config } from "../../drivers/xarm7/config.js";
import type { ServoClient, ServoSnapshot } from "../../runtime/servo/api.js";
import { ServoConfig } from "../../runtime/servo/config.js";
import { systemClock } from "../systemClock.js";
import { COMMAND_RATE_HZ, HOME_RAD, SWING_PERIOD_S, SWING_RAD } from "../timing/practice.js";
import { type CommandStream, type LoopPass, type LoopRobot, runLoopPass } from "./loopPass.js";

const COMMAND_VALID_MS = 500;

/** Runs one pass with its own emulator and servo process; `realtimePriority` 0 asks for none. */
export async function runServoPass(options: {
  readonly seconds: number;
  readonly realtimePriority: number;
  readonly referenceProgram: string;
  /** Of the servo process: to measure what a flag changes. */
  readonly nodeOptions?: readonly string[];
}): Promise<LoopPass> {
  const robot = await startEmulator(options.realtimePriority);
  try {
    const { pass } = await runLoopPass({
      ...options,
      robot,
      stream: (commander) => new Swing(commander),
    });
    return pass;
  } finally {
    await robot.close();
  }
}

type Ports = Readonly<Record<"command" | "highRate" | "normal" | "rich" | "realTime", number>>;

async function startEmulator(realtimePriority: number): Promise<LoopRobot> {
  const entry = entryUrl("../processes/xarm7EmulatorMain.js", import.meta.url);
  const emulator = spawn(
    process.execPath,
    [fileURLToPath(entry), JSON.stringify({ positionRad: HOME_RAD })],
    {
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: emulator.stdout }).once("line", resolve);
    emulator.once("exit", (code) => reject(new Error(`the emulator ended with exit code ${code}`)));
  });
  const { command, ...reportPorts } = (JSON.parse(line) as { ports: Ports }).ports;
  return {
    servo: {
      device: "xarm7",
      xarm7: XArm7Config.parse({ host: "127.0.0.1", commandPort: command, reportPorts }),
      servo: ServoConfig.parse({ realtimePriority }),
    },
    close: async () => {
      emulator.kill("SIGKILL");
    },
  };
}

/** A slow swing of all joints about the start pose, and the time that each command took to the wire. */
class Swing implements CommandStream {
  readonly wireMs: number[] = [];
  snapshotCount = 0;
  readonly #client: ServoClient;
  readonly #sentNs = new Map<number, bigint>();

  constructor(client: ServoClient) {
    this.#client = client;
    client.onSnapshot((snapshot) => this.#take(snapshot));
  }

  async run(durationMs: number): Promise<void> {
    const lease = await this.#client.acquireLease("bench");
    const home = [...this.#client.latest()!.positionRad];
    const startNs = systemClock.nowNs();
    for (let count = 0; count * (1000 / COMMAND_RATE_HZ) < durationMs; count++) {
      await systemClock.sleepUntil(addNs(startNs, msToNs((count * 1000) / COMMAND_RATE_HZ)));
      const phase = (2 * Math.PI * count) / (COMMAND_RATE_HZ * SWING_PERIOD_S);
      const positionRad = home.map((value) => value + SWING_RAD * Math.sin(phase));
      const nowNs = systemClock.nowNs();
      const seq = lease.command({ positionRad, expiresNs: addNs(nowNs, msToNs(COMMAND_VALID_MS)) });
      this.#sentNs.set(seq, nowNs);
    }
    lease.release();
  }

  #take(snapshot: ServoSnapshot): void {
    this.snapshotCount++;
    const sentNs = this.#sentNs.get(snapshot.commandSeq);
    if (sentNs === undefined) return;
    this.#sentNs.delete(snapshot.commandSeq);
    this.wireMs.push(Number(snapshot.commandWireNs - sentNs) / Number(NS_PER_MS));
  }
}
