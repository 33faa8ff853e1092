/** Entry of the recorder's thread. */
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { invariant } from "../../core/errors.js";
import { repairAll } from "../../episodes/repair.js";
import { toldRepairs } from "../../runtime/recorder/repaired.js";
import { runRecorderWorker } from "../../runtime/recorder/worker.js";
import { connectServo } from "../../runtime/servo/link/client.js";
import { systemClock } from "../systemClock.js";

invariant(parentPort !== null, "the recorder runs as a thread of the daemon");

/** Of the disk of the nearest folder above that is there already. */
async function freeBytes(folder: string): Promise<number> {
  let nearest = folder;
  while (!existsSync(nearest) && dirname(nearest) !== nearest) nearest = dirname(nearest);
  const { bavail, bsize } = await statfs(nearest);
  return bavail * bsize;
}

await runRecorderWorker(workerData, {
  port: parentPort,
  clock: systemClock,
  // An observer: this connection must not pass for a daemon that watches over the arm.
  connect: (socketPath) =>
    connectServo(socketPath, { role: "observer", name: "recorder", clock: systemClock }),
  freeBytes,
  uuid: randomUUID,
  repair: async (folder) => toldRepairs(await repairAll(folder, { clock: systemClock })),
});
