/** Entry of the policy worker thread. */
import { parentPort, workerData } from "node:worker_threads";
import { invariant } from "../../core/errors.js";
import { runPolicyWorker } from "../../runtime/policy/worker.js";
import { connectServo } from "../../runtime/servo/link/client.js";
import { hurryThisThread } from "../realtime.js";
import { systemClock } from "../systemClock.js";

invariant(parentPort !== null, "the policy worker runs as a thread of the daemon");
await runPolicyWorker(workerData, {
  port: parentPort,
  clock: systemClock,
  connect: (socketPath, name, snapshotEveryTicks = 1) =>
    connectServo(socketPath, { role: "commander", name, clock: systemClock, snapshotEveryTicks }),
  hurry: hurryThisThread,
});
