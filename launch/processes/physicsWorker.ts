/** Worker thread of the lab: the moving world, and the firmware of a hand in it. */
import { parentPort, workerData } from "node:worker_threads";
import { type PhysicsWorkerConfig, runPhysics } from "../../lab/world/physicsLoop.js";
import { openHandPort } from "../handPort.js";
import { LAB_PRIORITY, makeThisThreadFifo } from "../realtime.js";
import { createPacedClock, systemClock } from "../systemClock.js";

const config = workerData as PhysicsWorkerConfig;
/**
 * The world moves at its own pace, whatever else the machine does. A hand is late after a few milliseconds, which the
 * thread that hands pictures over may take: it comes first.
 */
makeThisThreadFifo(config.hand === undefined ? LAB_PRIORITY : LAB_PRIORITY + 1);
await runPhysics(config, {
  port: parentPort!,
  clock: systemClock,
  handClock: createPacedClock(),
  openPort: openHandPort,
});
