/** Worker thread of `bench digit`: who leads the robot. */
import { parentPort, workerData } from "node:worker_threads";
import { errorText } from "../../core/errors.js";
import { type DigitPaceSetup, type FromPace, runDigitPace } from "../commands/digitPace.js";
import { makeThisThreadEager } from "../realtime.js";
import { systemClock } from "../systemClock.js";

/** As a cell's policy. */
makeThisThreadEager();
try {
  await runDigitPace(workerData as DigitPaceSetup, parentPort!, systemClock);
} catch (thrown) {
  parentPort!.postMessage({ kind: "failed", what: errorText(thrown) } satisfies FromPace);
  throw thrown;
}
