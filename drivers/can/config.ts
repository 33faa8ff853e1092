/** The CAN bus in a cell file: `slcan` for an adapter on a serial port, or `socketcan` for an interface of the kernel. */
import { z } from "zod";
import type { Clock } from "../../core/clock.js";
import { invariant } from "../../core/errors.js";
import type { OpenCanBus } from "./bus.js";
import { SLCAN_BITRATES } from "./slcan.js";
import { openSlcanBus } from "./slcanBus.js";
import { openSocketCanBus } from "./socketCanBus.js";

export const SlcanConfig = z.strictObject({
  path: z
    .string()
    .min(1)
    .describe(
      "Serial device of the adapter; one of /dev/serial/by-id stays the same when others are plugged in",
    ),
  baudRate: z
    .int()
    .min(9600)
    .max(4_000_000)
    .default(1_000_000)
    .describe("Of the serial line; adapters that are USB devices themselves ignore it, leave it then"),
  bitrate: z
    .literal([...SLCAN_BITRATES.values()])
    .default(1_000_000)
    .describe("Of the CAN bus; an Allegro Hand has 1 Mbit/s"),
});
export type SlcanConfig = z.infer<typeof SlcanConfig>;

export const SocketCanConfig = z.strictObject({
  interface: z
    .string()
    .regex(/^[\w.-]{1,15}$/, "must be the name of a network interface, e.g. can0")
    .describe("Interface of the kernel; its bit rate is set with ip link"),
});
export type SocketCanConfig = z.infer<typeof SocketCanConfig>;

export const CanConfig = z
  .strictObject({ slcan: SlcanConfig.optional(), socketcan: SocketCanConfig.optional() })
  .refine(({ slcan, socketcan }) => (slcan === undefined) !== (socketcan === undefined), {
    error: "must have exactly one of `slcan` and `socketcan`",
  });
export type CanConfig = z.infer<typeof CanConfig>;

/** The bus that a cell file asks for. */
export function openCanBus({ slcan, socketcan }: CanConfig, clock: Clock): OpenCanBus {
  if (slcan !== undefined) return openSlcanBus({ ...slcan, clock });
  invariant(socketcan !== undefined, "a CAN configuration without a bus passed the schema");
  return openSocketCanBus({ ...socketcan, clock });
}
