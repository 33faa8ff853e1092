/** Worker thread of `bench digit`: who leads the robot. */
import { parentPort, workerData } from "node:worker_threads";
import { errorText } from "../../core/errors.js";
import { type DigitPaceSetup, type FromPace, runDigitPace } from "../commands/digitPace.js";
import { hurryThisThread } from "../realtime.js";
import { systemClock } from "../systemClock.js";

try {
  await runDigitPace(workerData as DigitPaceSetup, parentPort!, systemClock, hurryThisThread);
} catch (thrown) {
  parentPort!.postMessage({ kind: "failed", what: errorText(thrown) } satisfies FromPace);
  throw thrown;
}
