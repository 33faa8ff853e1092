/**
 * Entry of the thread that writes a servo's black box. It has no event loop to speak of: it sleeps on the ring, drains
 * it, and sleeps again. Started by a thread whose real-time priority is not inherited, it runs at normal priority.
 */
import { workerData } from "node:worker_threads";
import { nsToMs } from "../../core/clock.js";
import { Ring } from "../../runtime/servo/blackBox/ring.js";
import { BlackBoxWriter } from "../../runtime/servo/blackBox/writer.js";
import type { BlackBoxWorkerData } from "../blackBox.js";
import { systemClock } from "../systemClock.js";

const DRAIN_MS = 100;

const { memory, size, ...target } = workerData as BlackBoxWorkerData;
const ring = new Ring(size, memory);
const writer = new BlackBoxWriter({
  ...target,
  ring,
  clock: {
    nowMs: () => systemClock.nowMs(),
    epochMs: () => nsToMs(systemClock.epochNs()),
  },
});
while (!ring.isClosing) {
  const seen = ring.wakeCount;
  writer.drain();
  ring.sleep(seen, DRAIN_MS);
}
writer.close();
