/** Worker thread of the lab: one simulated camera. */
import { parentPort, workerData } from "node:worker_threads";
import { type CameraWorkerConfig, runCamera } from "../../lab/camera/cameraLoop.js";
import { systemClock } from "../systemClock.js";

await runCamera(workerData as CameraWorkerConfig, parentPort!, systemClock);
