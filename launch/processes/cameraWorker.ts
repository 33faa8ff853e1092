/** Worker thread of the lab: one simulated camera. */
import { parentPort, workerData } from "node:worker_threads";
import { type CameraWorkerConfig, runCamera } from "../../lab/camera/cameraLoop.js";
import { makeThisThreadEager } from "../realtime.js";
import { systemClock } from "../systemClock.js";

/** A camera has its own processor; the simulated one comes before whatever looks at its pictures. */
makeThisThreadEager();
await runCamera(workerData as CameraWorkerConfig, parentPort!, systemClock);
