/** The emulated Digit of a lab: a body, the robot that drives it, and its ports. */
import type { Clock } from "../../core/clock.js";
import type { DigitFault } from "./digitFaults.js";
import { DigitEmulator } from "./emulator.js";
import { IdealBody } from "./idealBody.js";
import { MujocoDigit } from "./mujocoBody.js";
import { digitStatus, digitTruth, digitWire } from "./report.js";
import { DIGIT_SCENES, type DigitSceneName } from "./scenes.js";
import type { DigitDeviceSetup, DigitLabConfig } from "./setup.js";
import { type DigitPorts, DigitSockets } from "./sockets.js";

export type DigitDeviceRequest =
  | { readonly do: "digitTruth" }
  | { readonly do: "digitStatus" }
  | { readonly do: "digitWire"; readonly since: number; readonly clear: boolean; readonly records: boolean }
  | { readonly do: "digitFault"; readonly fault: DigitFault }
  | { readonly do: "digitScene"; readonly scene: DigitSceneName }
  | { readonly do: "step"; readonly ms: number };

export class DigitDevice {
  readonly emulator: DigitEmulator;
  readonly #sockets: DigitSockets;
  #body: MujocoDigit | IdealBody;

  /** @throws CerebellumError CHECK_FAILED when MuJoCo refuses the body; PORT_IN_USE */
  static async start(
    setup: DigitDeviceSetup,
    clock: Clock,
    lockstep: boolean,
  ): Promise<{ readonly device: DigitDevice; readonly ports: DigitPorts }> {
    const body = await bodyOf(setup.body, setup.scene);
    const device = new DigitDevice(setup, clock, lockstep, body);
    const ports = await device.#sockets.open(device.emulator);
    device.emulator.start();
    return { device, ports };
  }

  private constructor(
    setup: DigitDeviceSetup,
    clock: Clock,
    lockstep: boolean,
    body: MujocoDigit | IdealBody,
  ) {
    this.#body = body;
    this.#sockets = new DigitSockets(setup.host, setup.ports);
    this.emulator = new DigitEmulator({
      body,
      clock,
      lockstep,
      conventions: setup.frames,
      seed: setup.seed,
      sendObservation: this.#sockets.send,
      onNewSource: this.#sockets.renew,
    });
  }

  async ask(request: DigitDeviceRequest): Promise<Record<string, unknown>> {
    const { emulator } = this;
    switch (request.do) {
      case "digitTruth":
        return digitTruth(emulator);
      case "digitStatus":
        return digitStatus(emulator);
      case "digitWire":
        return digitWire(emulator, request);
      case "digitFault":
        emulator.inject(request.fault);
        return digitStatus(emulator);
      case "digitScene":
        await this.#goTo(request.scene);
        return digitTruth(emulator);
      case "step":
        await this.#step(request.ms);
        return digitTruth(emulator);
    }
  }

  async close(): Promise<void> {
    await this.emulator.close();
    await this.#sockets.close();
    disposeOf(this.#body);
  }

  /** People carry the robot to another ground, or load it, and put it on its feet. */
  async #goTo(scene: DigitSceneName): Promise<void> {
    const before = this.#body;
    this.#body = await bodyOf(before instanceof MujocoDigit ? "mujoco" : "ideal", scene);
    this.emulator.robot.body = this.#body;
    this.emulator.inject({ standsUp: {} });
    disposeOf(before);
  }

  /** Clients read their sockets, and write, between two milliseconds. */
  async #step(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed++) {
      this.emulator.step(1);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }
}

async function bodyOf(kind: DigitLabConfig["body"], scene: DigitSceneName): Promise<MujocoDigit | IdealBody> {
  return kind === "ideal" ? new IdealBody() : MujocoDigit.load({ scene: DIGIT_SCENES[scene] });
}

function disposeOf(body: MujocoDigit | IdealBody): void {
  if (body instanceof MujocoDigit) body.dispose();
}
