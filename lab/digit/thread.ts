/** The thread of an emulated Digit: body, robot and ports on one clock, and what the lab asks. */
import type { MessagePort } from "node:worker_threads";
import type { Clock } from "../../core/clock.js";
import { errorText } from "../../core/errors.js";
import { DigitDevice, type DigitDeviceRequest } from "./device.js";
import type { DigitDeviceSetup } from "./setup.js";

export type DigitThreadMessage = (DigitDeviceRequest | { readonly do: "stop" } | { readonly do: "ports" }) & {
  readonly id: number;
};
export interface DigitThreadReply {
  readonly id: number;
  readonly error?: string;
  readonly report?: Record<string, unknown>;
}

/** Runs until a stop message. Answers id 0 when the robot stands and its ports are open. */
export async function runDigit(setup: DigitDeviceSetup, port: MessagePort, clock: Clock): Promise<void> {
  const { device, ports } = await DigitDevice.start(setup, clock, false);
  const reply = (message: DigitThreadReply) => port.postMessage(message);
  await new Promise<void>((resolve) => {
    port.on("message", async (message: DigitThreadMessage) => {
      try {
        const report =
          message.do === "stop" ? {} : message.do === "ports" ? { ...ports } : await device.ask(message);
        reply({ id: message.id, report });
      } catch (thrown) {
        reply({ id: message.id, error: errorText(thrown) });
      }
      if (message.do === "stop") resolve();
    });
    reply({ id: 0 });
  });
  await device.close();
  port.close();
}
