/** Worker thread of the lab: the moving world. */
import { parentPort, workerData } from "node:worker_threads";
import { type PhysicsWorkerConfig, runPhysics } from "../../lab/world/physicsLoop.js";
import { LAB_PRIORITY, makeThisThreadFifo } from "../realtime.js";
import { systemClock } from "../systemClock.js";

/** The world moves at its own pace, whatever else the machine does. */
makeThisThreadFifo(LAB_PRIORITY);
await runPhysics(workerData as PhysicsWorkerConfig, parentPort!, systemClock);
