/** Worker thread of the lab: the moving world. */
import { parentPort, workerData } from "node:worker_threads";
import { type PhysicsWorkerConfig, runPhysics } from "../../lab/world/physicsLoop.js";
import { systemClock } from "../systemClock.js";

await runPhysics(workerData as PhysicsWorkerConfig, parentPort!, systemClock);
