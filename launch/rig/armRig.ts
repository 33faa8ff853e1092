/**
 * One arm to be ill-treated: the emulated controller (never killed; its log is the witness), the real servo process, a
 * supervisor and a commander, each in a process of its own. For benches and campaigns.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { asMonotonicNs, type MonotonicNs, sleepMs } from "../../core/clock.js";
import { entryUrl } from "../../core/entry.js";
import { CerebellumError } from "../../core/errors.js";
import { XArm7Config } from "../../drivers/xarm7/config.js";
import type { ServoClient, ServoStateName } from "../../runtime/servo/api.js";
import { ServoConfig } from "../../runtime/servo/config.js";
import { connectServo } from "../../runtime/servo/link/client.js";
import { LAB_PRIORITY } from "../realtime.js";
import { runFolderAt } from "../runFolder.js";
import { systemClock } from "../systemClock.js";
import { JsonChild } from "./jsonChild.js";
import { framesOf, type WireFrame } from "./wire.js";

export interface ArmRigOptions {
  readonly name: string;
  readonly homeRad: readonly number[];
  readonly servo: Readonly<Record<string, unknown>>;
}

export type RigRole = "supervisor" | "commander";

const HEARTBEAT_MS = 50;
const POLL_MS = 2;
const WAIT_MS_MAX = 8000;

export class ArmRig {
  readonly folder: string;
  readonly socketPath: string;
  readonly config: ServoConfig;
  readonly emulator: JsonChild;
  readonly #options: ArmRigOptions;
  readonly #clients = new Map<RigRole, JsonChild>();
  #xarm7: XArm7Config | undefined;
  #servo: JsonChild | undefined;
  #observer: ServoClient | undefined;

  private constructor(options: ArmRigOptions) {
    this.#options = options;
    this.config = ServoConfig.parse(options.servo);
    this.folder = mkdtempSync(join(tmpdir(), `cerebellum-${options.name}-`));
    // Where the command line looks for a running cell when this folder is its XDG_RUNTIME_DIR.
    this.socketPath = runFolderAt(join(this.folder, "cerebellum", options.name)).servoSocket("arm");
    this.emulator = new JsonChild(
      "emulator",
      entryUrl("../processes/xarm7EmulatorMain.js", import.meta.url),
      [JSON.stringify({ positionRad: options.homeRad, setpointPeriodMs: this.periodMs })],
    );
  }

  /** The emulated controller runs; nothing else does yet. */
  static async start(options: ArmRigOptions): Promise<ArmRig> {
    const rig = new ArmRig(options);
    const { ports } = (await rig.emulator.read()) as { ports: Record<string, number> };
    const { command, ...reportPorts } = ports;
    rig.#xarm7 = XArm7Config.parse({ host: "127.0.0.1", commandPort: command, reportPorts });
    keepOwnTime(rig.emulator.processId);
    return rig;
  }

  get name(): string {
    return this.#options.name;
  }

  get periodMs(): number {
    return 1000 / this.config.rateHz;
  }

  get servo(): JsonChild | undefined {
    return this.#servo?.running ? this.#servo : undefined;
  }

  /** The bench's own eyes: it neither commands nor supervises, so the servo counts on nobody here. */
  get observer(): ServoClient | undefined {
    return this.#observer?.closed.aborted === false ? this.#observer : undefined;
  }

  get state(): ServoStateName | undefined {
    return this.observer?.latest()?.state;
  }

  get commandPort(): number {
    return this.#xarm7!.commandPort;
  }

  client(role: RigRole): JsonChild | undefined {
    const client = this.#clients.get(role);
    return client?.running ? client : undefined;
  }

  /** Starts the process without waiting until it is ready, so that it can be killed while it starts. */
  spawnServo(startLatched?: string): JsonChild {
    const servo = new JsonChild("servo", entryUrl("../processes/servoMain.js", import.meta.url));
    this.#servo = servo;
    const answered = servo.ask({
      robot: this.#options.name,
      device: "xarm7",
      xarm7: this.#xarm7,
      servo: this.config,
      socketPath: this.socketPath,
      logLevel: "fatal",
      ...(startLatched === undefined ? {} : { startLatched }),
    });
    this.#ready = answered.then(() => undefined);
    this.#ready.catch(() => {});
    return servo;
  }
  #ready: Promise<void> = Promise.resolve();

  /** Starts the servo process if none runs, and looks at it. */
  async needServo(startLatched?: string): Promise<ServoClient> {
    if (this.servo === undefined) this.spawnServo(startLatched);
    await this.#ready;
    if (this.observer !== undefined) return this.observer;
    const observer = await connectServo(this.socketPath, {
      role: "observer",
      name: "rig",
      clock: systemClock,
    });
    this.#observer = observer;
    await this.until("a snapshot", () => observer.latest() !== undefined);
    return observer;
  }

  async needClient(role: RigRole): Promise<JsonChild> {
    const running = this.client(role);
    if (running !== undefined) return running;
    const client = new JsonChild(role, entryUrl("../processes/rigClientMain.js", import.meta.url));
    this.#clients.set(role, client);
    await client.ask({
      socketPath: this.socketPath,
      role,
      name: `rig ${role}`,
      stampFile: this.#stampFile(role),
      heartbeatMs: HEARTBEAT_MS,
    });
    return client;
  }

  /** When the newest frame of this client left it, also after its death. */
  lastHeardNs(role: RigRole): MonotonicNs {
    return asMonotonicNs(readFileSync(this.#stampFile(role)).readBigInt64LE(0));
  }

  /** Clients of a servo process that has ended are of no use. */
  async endClients(): Promise<void> {
    for (const client of this.#clients.values()) await client.end();
    this.#clients.clear();
  }

  async until(what: string, condition: () => boolean | Promise<boolean>, msMax = WAIT_MS_MAX): Promise<void> {
    const startNs = systemClock.nowNs();
    while (!(await condition())) {
      if (Number(systemClock.nowNs() - startNs) / 1e6 > msMax)
        throw new CerebellumError(
          "TIMED_OUT",
          `${this.#options.name}: ${what} never came true; the servo is ${this.state ?? "not running"}`,
          "Look at the log lines of the processes above",
        );
      await sleepMs(systemClock, POLL_MS);
    }
  }

  async frames(sinceIndex = 0): Promise<WireFrame[]> {
    return framesOf(await this.emulator.ask({ do: "log", form: "records", since: sinceIndex }));
  }

  async close(): Promise<void> {
    await this.#observer?.close();
    await this.endClients();
    await this.#servo?.end();
    await this.emulator.end();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #stampFile(role: RigRole): string {
    return join(this.folder, `${role}.stamp`);
  }
}

/** A robot's controller keeps its own time; where the system refuses, a late witness counts against the servo. */
function keepOwnTime(processId: number): void {
  try {
    execFileSync("chrt", ["-R", "-f", "-p", String(LAB_PRIORITY), String(processId)], { stdio: "ignore" });
  } catch {
    // Everything works without, only less evenly.
  }
}
