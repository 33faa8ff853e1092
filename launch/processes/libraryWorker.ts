/** Entry of the library's thread. */
import { parentPort, workerData } from "node:worker_threads";
import { invariant } from "../../core/errors.js";
import { runLibraryWorker } from "../../runtime/gateway/library/worker.js";

invariant(parentPort !== null, "the library runs as a thread of the gateway");
runLibraryWorker(workerData, parentPort);
