/** Entry of the gateway's thread. */
import { randomBytes } from "node:crypto";
import { parentPort, Worker, workerData } from "node:worker_threads";
import { openTrackerStore } from "../../calibration/store.js";
import { entryUrl } from "../../core/entry.js";
import { invariant } from "../../core/errors.js";
import { PART_FACTORIES } from "../../runtime/gateway/parts.js";
import { runGatewayWorker } from "../../runtime/gateway/worker.js";
import { connectServo } from "../../runtime/servo/link/client.js";
import { systemClock } from "../systemClock.js";

invariant(parentPort !== null, "the gateway runs as a thread of the daemon");

/** An episode is read chunk by chunk. */
const LIBRARY_HEAP_MIB_MAX = 512;

await runGatewayWorker(workerData, {
  port: parentPort,
  clock: systemClock,
  connectServo: (socketPath, role, name, snapshotEveryTicks) =>
    connectServo(socketPath, { role, name, clock: systemClock, snapshotEveryTicks }),
  random: randomBytes,
  factories: PART_FACTORIES,
  trackerFrames: openTrackerStore,
  startLibrary: (setup) =>
    new Worker(entryUrl("./libraryWorker.js", import.meta.url), {
      workerData: setup,
      name: "library",
      resourceLimits: { maxOldGenerationSizeMb: LIBRARY_HEAP_MIB_MAX },
    }),
});
