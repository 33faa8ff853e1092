/**
 * The controller of an xArm7 on loopback: the vendor's own client software drives it as it drives the real one. Its
 * setpoint loop runs on the injected clock, or in lock-step through `step`.
 */
import { addNs, asMonotonicNs, type Clock, type MonotonicNs, msToNs } from "../../core/clock.js";
import {
  generationOf,
  parseVersion,
  REPORT_KINDS,
  type ReportKind,
} from "../../drivers/xarm7/protocol/index.js";
import type { ArmPlant } from "../plant.js";
import { Controller, type LimitsGeneration } from "./controller.js";
import { ReportBuilder, type RichBytes } from "./reports.js";
import { CommandServer, listen, ReportServer } from "./servers.js";
import { SetpointMonitor } from "./setpointMonitor.js";
import { type EmulatorCounters, emptyCounters, WireLog } from "./wireLog.js";

export interface EmulatorPorts {
  readonly command: number;
  readonly highRate: number;
  readonly normal: number;
  readonly rich: number;
  readonly realTime: number;
}

export interface XArm7EmulatorOptions {
  readonly plant: ArmPlant;
  readonly clock: Clock;
  /** 0 or absent: any free port. */
  readonly ports?: Partial<EmulatorPorts>;
  readonly host?: string;
  readonly version?: string;
  readonly serial?: string;
  readonly boxSerial?: string;
  /** Joint limits; by default those of the generation in the version. */
  readonly limits?: LimitsGeneration;
  /** No loop of its own: time passes only through `step`. */
  readonly lockstep?: boolean;
  /** After each setpoint tick, before reports: where a plant without its own loop moves on. */
  readonly onStep?: (dtS: number) => void;
  readonly richBytes?: RichBytes;
  /** Rate that the tool's RS485 bus has at first; 11 is the gripper's. */
  readonly toolBaudIndex?: number;
  readonly speedFaultWindowMs?: number;
  readonly toolSpeedWindowMs?: number;
  /** Nominal time between two setpoints, for the monitor's derivatives; 4, as at 250 Hz. */
  readonly setpointPeriodMs?: number;
}

const TICK_NS = msToNs(4);
const REPORT_PERIODS_NS: Readonly<Record<ReportKind, bigint>> = {
  highRate: msToNs(4),
  normal: msToNs(200),
  rich: msToNs(200),
  realTime: msToNs(10),
};
const NARROW_GENERATION = 1305;

export class XArm7Emulator {
  readonly controller: Controller;
  readonly counters: EmulatorCounters = emptyCounters();
  readonly wireLog = new WireLog();
  readonly setpoints: SetpointMonitor;
  readonly #clock: Clock;
  readonly #options: XArm7EmulatorOptions;
  readonly #host: string;
  readonly #commandServer: CommandServer;
  readonly #reportServers: readonly ReportServer[];
  readonly #stop = new AbortController();
  #steppedNs = asMonotonicNs(0n);
  #loop: Promise<void> | undefined;

  constructor(options: XArm7EmulatorOptions) {
    const version = options.version ?? "7,7,XS1305,AC1304,v2.7.1";
    this.#options = options;
    this.#clock = options.clock;
    this.#host = options.host ?? "127.0.0.1";
    this.controller = new Controller({
      plant: options.plant,
      version,
      serial: options.serial ?? "XS130520231201",
      boxSerial: options.boxSerial ?? "AC130420231201",
      limits: options.limits ?? limitsOf(version),
      toolBaudIndex: options.toolBaudIndex ?? 11,
      speedFaultWindowMs: options.speedFaultWindowMs ?? 50,
      toolSpeedWindowMs: options.toolSpeedWindowMs ?? 20,
      behindS: () => this.#behindS(),
    });
    const reports = new ReportBuilder(this.controller, options.richBytes ?? 574);
    this.setpoints = new SetpointMonitor(options.setpointPeriodMs ?? 4);
    this.#commandServer = new CommandServer(
      this.controller,
      options.clock,
      this.counters,
      this.wireLog,
      this.setpoints,
    );
    this.#reportServers = REPORT_KINDS.map(
      (kind) => new ReportServer(kind, REPORT_PERIODS_NS[kind], () => reports.frame(kind), this.counters),
    );
  }

  /** Opens the ports, then starts the setpoint loop; rejects with PORT_IN_USE and leaves nothing open. */
  async start(): Promise<EmulatorPorts> {
    const wanted = this.#options.ports ?? {};
    try {
      const command = await listen(this.#commandServer.server, this.#host, wanted.command ?? 0);
      const reports: Record<string, number> = {};
      for (const { kind, server } of this.#reportServers) {
        reports[kind] = await listen(server, this.#host, wanted[kind] ?? 0);
      }
      this.#steppedNs = this.#clock.nowNs();
      for (const server of this.#reportServers) server.dueNs = this.#steppedNs;
      if (this.#options.lockstep !== true) this.#loop = this.#run();
      return { command, ...(reports as Omit<EmulatorPorts, "command">) };
    } catch (thrown) {
      await this.close();
      throw thrown;
    }
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
    await Promise.all([this.#commandServer.close(), ...this.#reportServers.map((server) => server.close())]);
  }

  /** Moves the controller's time on by `dtS` and sends the reports that fall due. */
  step(dtS: number): void {
    this.#advance(dtS);
    this.#steppedNs = addNs(this.#steppedNs, msToNs(dtS * 1000));
    this.#sendReports(this.#steppedNs);
  }

  /**
   * An error as the controller raises it. `held`: its cause stays (button pressed, power missing), so that clearing
   * it does nothing until `releaseError`. `jointDetail`: for codes 11 to 17, the servo's own code in the rich report.
   */
  injectError(code: number, held = false, jointDetail = 0): void {
    this.controller.jointDetail = jointDetail;
    this.controller.state.fault(code, held);
  }

  releaseError(): void {
    this.controller.state.releaseCause();
  }

  injectWarning(code: number): void {
    this.controller.state.warn(code);
  }

  injectGripperError(code: number): void {
    this.controller.gripper.errorCode = code;
  }

  setGripperPlugged(plugged: boolean): void {
    this.controller.gripper.plugged = plugged;
  }

  /** Reports stop or go on; connections stay. */
  freezeReports(on: boolean): void {
    for (const server of this.#reportServers) server.freeze(on);
  }

  dropClients(): void {
    this.#commandServer.dropClients();
    for (const server of this.#reportServers) server.dropClients();
  }

  /** Clients connected now and frames sent so far, by port. */
  traffic(): Record<"command" | ReportKind, { clients: number; frames: number }> {
    const reports = this.#reportServers.map((server) => [
      server.kind,
      { clients: server.clientCount, frames: server.sentCount },
    ]);
    const command = { clients: this.#commandServer.clientCount, frames: this.counters.requests };
    return { command, ...(Object.fromEntries(reports) as Record<ReportKind, typeof command>) };
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    let dueNs = addNs(this.#steppedNs, TICK_NS);
    for (;;) {
      await this.#clock.sleepUntil(this.#nextDueNs(dueNs), signal);
      if (signal.aborted) return;
      const nowNs = this.#clock.nowNs();
      if (nowNs >= dueNs) {
        const missed = (nowNs - dueNs) / TICK_NS;
        this.counters.missedTicks += Number(missed);
        if (missed > 0n) this.setpoints.late(addNs(nowNs, TICK_NS));
        this.#advance(Number(nowNs - this.#steppedNs) / 1e9);
        this.#steppedNs = nowNs;
        dueNs = addNs(dueNs, (missed + 1n) * TICK_NS);
      }
      this.#sendReports(nowNs);
    }
  }

  /** How late the setpoint loop is, beyond one tick. */
  #behindS(): number {
    if (this.#options.lockstep === true) return 0;
    return Math.max(0, Number(this.#clock.nowNs() - this.#steppedNs - TICK_NS) / 1e9);
  }

  #nextDueNs(tickDueNs: MonotonicNs): MonotonicNs {
    let dueNs = tickDueNs;
    for (const server of this.#reportServers) if (server.dueNs < dueNs) dueNs = server.dueNs;
    return dueNs;
  }

  #advance(dtS: number): void {
    this.counters.setpointTicks += 1;
    this.controller.step(dtS);
    this.#options.onStep?.(dtS);
  }

  #sendReports(nowNs: MonotonicNs): void {
    for (const server of this.#reportServers) server.sendDue(nowNs);
  }
}

function limitsOf(version: string): LimitsGeneration {
  const model = parseVersion([...version].map((letter) => letter.charCodeAt(0)))?.armModel ?? "";
  return generationOf(model) >= NARROW_GENERATION ? "narrow" : "wide";
}
