/** Worker thread of the lab: the moving world. */
import { parentPort, workerData } from "node:worker_threads";
import { type PhysicsWorkerConfig, runPhysics } from "../../lab/world/physicsLoop.js";
import { makeThisThreadFifo } from "../realtime.js";
import { systemClock } from "../systemClock.js";

/** Below the emulated controller: the world moves at its own pace, whatever else the machine does. */
makeThisThreadFifo(10);
await runPhysics(workerData as PhysicsWorkerConfig, parentPort!, systemClock);
