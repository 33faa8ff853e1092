/**
 * The emulated hand of a simulated world behind a serial port: its joints are the world's, its time is the world's time.
 * Paced, the hand's own streams move the world on, so that each frame tells of the moment it is sent at, and a torque acts
 * from the moment it came; in lock-step time passes only through `step`.
 */
import { z } from "zod";
import type { Clock } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import { HAND_MODELS, HAND_SIDES } from "../../kinematics/allegro/hand.js";
import { AllegroEmulator } from "./emulator.js";
import type { HandFault } from "./handFaults.js";
import { handStatus, handWire } from "./handReport.js";
import type { HandPlant } from "./plant.js";

export const HandDeviceSetup = z.strictObject({
  model: z.enum(HAND_MODELS),
  side: z.enum(HAND_SIDES),
  serial: z.string().length(8).optional().describe("The lab's own when absent"),
  path: z.string().min(1).describe("Symbolic link that is made to the serial port"),
  seed: z.int().describe("Of the chance in faults"),
});
export type HandDeviceSetup = z.infer<typeof HandDeviceSetup>;

/** A serial port that this process owns; the other end is what programs open. */
export interface HandPort {
  readonly path: string;
  readonly droppedBytes: number;
  onBytes: (bytes: Uint8Array) => void;
  write(bytes: Uint8Array): void;
  close(): void;
}
export type OpenHandPort = (path: string) => Promise<HandPort>;

export type HandDeviceRequest =
  | { readonly do: "handFault"; readonly fault: HandFault }
  | { readonly do: "handStatus" }
  | { readonly do: "handWire"; readonly since: number; readonly clear: boolean };

export interface HandDeviceParts {
  readonly setup: HandDeviceSetup;
  readonly plant: HandPlant;
  readonly clock: Clock;
  readonly openPort: OpenHandPort;
  readonly lockstep: boolean;
  /** The adapter was to come back and could not. */
  readonly onFailure: (thrown: unknown) => void;
}

export class HandDevice {
  readonly emulator: AllegroEmulator;
  readonly #parts: HandDeviceParts;
  #port: HandPort | undefined;

  /** Stores only; see `start`. */
  constructor(parts: HandDeviceParts) {
    const { setup, plant, clock, lockstep, onFailure } = parts;
    this.#parts = parts;
    this.emulator = new AllegroEmulator({
      model: setup.model,
      side: setup.side,
      ...(setup.serial === undefined ? {} : { serial: setup.serial }),
      plant,
      clock,
      seed: setup.seed,
      lockstep,
      send: (bytes) => this.#port?.write(bytes),
      onPlug: (isPlugged) => {
        if (isPlugged) this.#plugIn().catch(onFailure);
        else this.#port?.close();
      },
    });
  }

  /** @throws what opening the port throws */
  async start(): Promise<void> {
    await this.#plugIn();
    this.emulator.start();
  }

  ask(request: HandDeviceRequest): Record<string, unknown> {
    switch (request.do) {
      case "handFault":
        this.emulator.inject(request.fault);
        return {};
      case "handStatus":
        return { ...handStatus(this.emulator), bytesDropped: this.#port?.droppedBytes ?? 0 };
      case "handWire":
        return handWire(this.emulator, request);
    }
  }

  /** @throws CerebellumError LAB_REFUSED while its motors are on: joints then move only as they are commanded */
  refuseWhileOn(): void {
    if (!this.emulator.hand.isOn) return;
    throw new CerebellumError(
      "LAB_REFUSED",
      "The simulated hand is switched on; it moves only as it is commanded",
      "Disable it first",
    );
  }

  async close(): Promise<void> {
    await this.emulator.close();
    this.#port?.close();
  }

  async #plugIn(): Promise<void> {
    const port = await this.#parts.openPort(this.#parts.setup.path);
    port.onBytes = (bytes) => this.emulator.receive(bytes);
    this.#port = port;
  }
}
