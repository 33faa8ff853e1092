/**
 * The one sequence that takes all force from the hand, in this order: zero torque for the four fingers, servo off, all
 * streams off. The hand has no watchdog of its own, and what its firmware does with the last torque when frames stop
 * coming is not documented: whoever ends, in whatever way, sends this. Driver and guardian share it.
 */
import type { CanFrame } from "../can/frame.js";
import { slcanText } from "../can/slcan.js";
import { setPeriod, systemOff, zeroTorqueFrames } from "./protocol/index.js";

export const LIMP: readonly CanFrame[] = [
  ...zeroTorqueFrames(),
  systemOff(),
  setPeriod({ jointMs: 0, imuMs: 0, temperatureMs: 0 }),
];

/** For a serial adapter, in one piece. The CR ahead ends the line that a process may have been killed in. */
export const limpLines = (): Uint8Array =>
  new TextEncoder().encode(`\r${LIMP.map((frame) => slcanText(frame)).join("")}`);
