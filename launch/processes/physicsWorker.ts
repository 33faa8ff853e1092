/** Worker thread of the lab: the moving world, and the firmware of a hand in it. */
import { parentPort, workerData } from "node:worker_threads";
import { type PhysicsWorkerConfig, runPhysics } from "../../lab/world/physicsLoop.js";
import { openHandPort } from "../handPort.js";
import { LAB_PRIORITY, makeThisThreadFifo } from "../realtime.js";
import { createPacedClock, systemClock } from "../systemClock.js";

/** The world moves at its own pace, whatever else the machine does. */
makeThisThreadFifo(LAB_PRIORITY);
await runPhysics(workerData as PhysicsWorkerConfig, {
  port: parentPort!,
  clock: systemClock,
  handClock: createPacedClock(),
  openPort: openHandPort,
});
