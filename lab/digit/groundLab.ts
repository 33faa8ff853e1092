/**
 * The simulated cell of a Digit: one robot on its ground, behind its own two wires, and the lab's control socket. Nothing
 * here knows who is connected: the daemon cannot tell it from a real robot.
 */
import { type Clock, sleepMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import type { LabAnswer, LabRequest } from "../control/protocol.js";
import { LabControlServer } from "../control/server.js";
import { digitDeviceOf, type LabSetup } from "../setup.js";
import { LabThread } from "../workers.js";
import { DigitDevice, type DigitDeviceRequest } from "./device.js";
import { DigitPortsSchema } from "./setup.js";
import type { DigitPorts } from "./sockets.js";
import type { DigitThreadMessage, DigitThreadReply } from "./thread.js";

export interface GroundLabParts {
  readonly setup: LabSetup;
  readonly clock: Clock;
  readonly workerUrl: URL;
  /** Called once when the thread ends by itself. */
  readonly onFailure: (error: CerebellumError) => void;
}

/** A thread that does not end by itself within this is ended by force. */
const STOP_GRACE_MS = 1000;

interface Host {
  readonly ports: DigitPorts;
  ask(request: DigitDeviceRequest): Promise<Record<string, unknown>>;
  stop(grace: Promise<void>): Promise<void>;
}

export async function startGroundLab(parts: GroundLabParts): Promise<GroundLab> {
  const lab = new GroundLab(parts);
  try {
    await lab.start();
    return lab;
  } catch (thrown) {
    await lab.close();
    throw thrown;
  }
}

export class GroundLab {
  readonly #parts: GroundLabParts;
  readonly #server = new LabControlServer((request) => this.#answer(request));
  #host: Host | undefined;

  /** Stores only; see `startGroundLab`. */
  constructor(parts: GroundLabParts) {
    this.#parts = parts;
  }

  get digitPorts(): DigitPorts | undefined {
    return this.#host?.ports;
  }

  async start(): Promise<void> {
    const { setup } = this.#parts;
    this.#host = setup.lab.clock === "lockstep" ? await this.#inLockstep() : await this.#inThread();
    if (setup.controlSocket !== undefined) await this.#server.listen(setup.controlSocket);
  }

  async close(): Promise<void> {
    await this.#server.close();
    const graceEnd = new AbortController();
    await this.#host?.stop(sleepMs(this.#parts.clock, STOP_GRACE_MS, graceEnd.signal));
    graceEnd.abort();
  }

  /** What its owner wants to know at the end. */
  async counters(): Promise<Record<string, unknown>> {
    const { observationsSent, skippedMs, counters } = await this.ask({ do: "digitStatus" });
    return { observationsSent, skippedMs, ...(counters as object) };
  }

  ask(request: DigitDeviceRequest): Promise<Record<string, unknown>> {
    return this.#host!.ask(request);
  }

  async #answer(request: LabRequest): Promise<Omit<Extract<LabAnswer, { ok: true }>, "ok">> {
    switch (request.do) {
      case "digitTruth":
      case "digitStatus":
      case "digitWire":
      case "digitFault":
      case "digitScene":
        return { digit: await this.ask(request) };
      case "step":
        return { digit: await this.#step(request.ms) };
      case "ports":
        return { ports: { ...this.digitPorts } };
      default:
        throw new CerebellumError(
          "LAB_REFUSED",
          `This lab has a Digit and nothing else: ${request.do} is not for it`,
          "Ask for digitTruth, digitStatus, digitWire, digitFault, digitScene or ports",
        );
    }
  }

  #step(ms: number): Promise<Record<string, unknown>> {
    const isWhole = Math.abs(ms - Math.round(ms)) < 1e-9;
    if (this.#parts.setup.lab.clock !== "lockstep" || !isWhole) {
      throw new CerebellumError(
        "LAB_REFUSED",
        isWhole ? "This lab keeps real time" : `${ms} ms is no whole number of milliseconds`,
        isWhole ? "Start it with lab.clock lockstep" : "Step by whole milliseconds",
      );
    }
    return this.ask({ do: "step", ms: Math.round(ms) });
  }

  async #inLockstep(): Promise<Host> {
    const { setup, clock } = this.#parts;
    const { device, ports } = await DigitDevice.start(digitDeviceOf(setup)!, clock, true);
    return { ports, ask: (request) => device.ask(request), stop: () => device.close() };
  }

  async #inThread(): Promise<Host> {
    const { setup, workerUrl, onFailure } = this.#parts;
    const thread = await LabThread.start<DigitThreadMessage, DigitThreadReply>(
      "digit",
      workerUrl,
      digitDeviceOf(setup)!,
      () => {},
      onFailure,
    );
    const { report } = await thread.ask({ do: "ports" });
    return {
      ports: DigitPortsSchema.parse(report),
      ask: async (request) => (await thread.ask(request)).report ?? {},
      stop: (grace) => thread.stop({ do: "stop" }, grace),
    };
  }
}
