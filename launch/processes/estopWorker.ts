/** Entry of the e-stop worker thread; any message from the daemon ends it. */
import { parentPort, workerData } from "node:worker_threads";
import { invariant } from "../../core/errors.js";
import { connectServo } from "../../runtime/servo/link/client.js";
import { EstopDesk } from "../estop/desk.js";
import { EstopSetup, type FromEstopWorker } from "../estop/messages.js";
import { sourcesOf } from "../estop/sources.js";
import { systemClock } from "../systemClock.js";

invariant(parentPort !== null, "the e-stop worker runs as a thread of the daemon");
const port = parentPort;
const { estop, sockets } = EstopSetup.parse(workerData);
const post = (message: FromEstopWorker) => port.postMessage(message);
const desk = new EstopDesk({
  clock: systemClock,
  sources: sourcesOf(estop),
  category: estop.category,
  robots: Object.keys(sockets),
  // An observer: this connection must not pass for a daemon that watches over the arm.
  connect: (robot) =>
    connectServo(sockets[robot]!, {
      role: "observer",
      name: "e-stop",
      clock: systemClock,
      snapshotEveryTicks: 0,
    }),
  onStatus: (sources) => post({ kind: "status", sources: [...sources] }),
  onStop: (report) => post({ kind: "stop", ...report }),
});
port.once("message", () => desk.close());
await desk.run();
port.close();
