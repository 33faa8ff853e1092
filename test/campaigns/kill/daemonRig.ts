/**
 * The daemon of the kill campaign: the real `up` with the shipped policy and wrist camera, against a lab in a process
 * of its own that is never killed. The policy worker is a thread of the daemon and cannot be killed alone from outside:
 * what happens in reality is that the process which hosts it dies, so that is what is done here.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { sleepMs } from "../../../core/clock.js";
import { LabClient } from "../../../lab/control/client.js";
import type { Random } from "../../../lab/world/random.js";
import { askDaemon } from "../../../launch/control/client.js";
import { framesOf, type WireFrame } from "../../../launch/rig/wire.js";
import { type RunFolder, runFolder } from "../../../launch/runFolder.js";
import { systemClock } from "../../../launch/systemClock.js";
import { connectServo } from "../../../runtime/servo/link/client.js";
import { type CellDraft, Running, writeCell } from "../../support/cell.js";

const UP_S = 90;
const ATTEMPTS = 20;

export class DaemonRig {
  readonly #folder: string;
  readonly #lab: Running;
  readonly #cellFile: string;
  readonly #run: RunFolder;
  #client: LabClient | undefined;
  #up: Running | undefined;

  private constructor(folder: string, lab: Running, cellFile: string, run: RunFolder) {
    this.#folder = folder;
    this.#lab = lab;
    this.#cellFile = cellFile;
    this.#run = run;
  }

  static async start(): Promise<DaemonRig> {
    const folder = mkdtempSync(join(tmpdir(), "cerebellum-kill-"));
    const labFile = await writeCell(folder, (cell) => {
      cell.policy!.autostart = false;
    });
    const cell = parse(readFileSync(labFile, "utf8")) as CellDraft;
    const labSocket = runFolder(cell.name).labSocket;
    const lab = new Running(["lab", labFile]);
    try {
      await lab.until(/Ctrl-C ends it/, UP_S);
    } catch (thrown) {
      await lab.interrupt();
      throw thrown;
    }
    // To the daemon the very same devices are real ones.
    delete cell.lab;
    cell.name = `${cell.name}_daemon`;
    const cellFile = join(folder, "daemon.yaml");
    writeFileSync(cellFile, stringify(cell));
    const rig = new DaemonRig(folder, lab, cellFile, runFolder(cell.name));
    rig.#client = await LabClient.connect(labSocket);
    return rig;
  }

  get up(): Running | undefined {
    return this.#up;
  }

  /** Starts the daemon without waiting for it. */
  spawnUp(): Running {
    this.#up = new Running(["--log-level", "warn", "up", this.#cellFile]);
    return this.#up;
  }

  /** A servo process that outlived the former daemon may hold the arm for a while: then it is tried again. */
  async needUp(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const up = this.#up ?? this.spawnUp();
      try {
        await up.until(/nothing is enabled/, UP_S);
        return;
      } catch (thrown) {
        this.#up = undefined;
        up.process.kill("SIGKILL");
        await up.finished;
        if (!up.text.includes("ALREADY_RUNNING") || attempt === ATTEMPTS) throw thrown;
        await sleepMs(systemClock, 2000);
      }
    }
  }

  /** SIGKILL of the daemon's main process alone; its servo process hears of it as in reality. */
  async killUp(): Promise<bigint> {
    const atNs = systemClock.nowNs();
    this.#up!.process.kill("SIGKILL");
    await this.#up!.finished;
    this.#up = undefined;
    return atNs;
  }

  ask(request: Parameters<typeof askDaemon>[1]) {
    return askDaemon(this.#run.controlSocket, request, systemClock, 20_000);
  }

  async state(): Promise<string> {
    const { status } = await this.ask({ do: "status" });
    const items = status!.items as readonly { name: string; values: { state?: string } }[];
    return items.find(({ name }) => name === "servo: arm")?.values.state ?? "unknown";
  }

  async policyPhase(): Promise<string> {
    const { status } = await this.ask({ do: "status" });
    return (status!.policy as { phase: string } | undefined)?.phase ?? "none";
  }

  async until(what: string, condition: () => Promise<boolean>, withinMs: number): Promise<void> {
    const startNs = systemClock.nowNs();
    while (!(await condition())) {
      if (Number(systemClock.nowNs() - startNs) / 1e6 > withinMs) throw new Error(`never came true: ${what}`);
      await sleepMs(systemClock, 20);
    }
  }

  /** @returns the servo process's id, as the servo itself says */
  async servoProcessId(): Promise<number> {
    const client = await connectServo(this.#run.servoSocket("arm"), {
      role: "observer",
      name: "kill campaign",
      clock: systemClock,
      snapshotEveryTicks: 0,
    });
    const { processId } = client.info;
    await client.close();
    return processId;
  }

  /** Another block to go to, so that the policy has a reason to move. */
  async newScene(random: Random): Promise<void> {
    await this.#client!.ask({ do: "scene", seed: random.below(1_000_000), light: "training" });
  }

  async wire(
    since: number,
    clear = false,
  ): Promise<{ frames: WireFrame[]; nextIndex: number; setpoints: { startDistanceRad: number } }> {
    const { wire } = await this.#client!.ask({ do: "wire", since, form: "records", clear });
    return {
      frames: framesOf(wire!),
      nextIndex: wire!.nextIndex as number,
      setpoints: wire!.setpoints as { startDistanceRad: number },
    };
  }

  async armRad(): Promise<readonly number[]> {
    return (await this.#client!.ask({ do: "truth" })).truth!.positionRad;
  }

  async close(): Promise<void> {
    if (this.#up !== undefined) await this.#up.interrupt();
    this.#client?.close();
    await this.#lab.interrupt();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
