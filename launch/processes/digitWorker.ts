/** Worker thread of the lab: an emulated Digit, its body and its ports. */
import { parentPort, workerData } from "node:worker_threads";
import type { DigitDeviceSetup } from "../../lab/digit/setup.js";
import { runDigit } from "../../lab/digit/thread.js";
import { LAB_PRIORITY, makeThisThreadFifo } from "../realtime.js";
import { createPacedClock } from "../systemClock.js";

/** The robot is late after some milliseconds already, whatever else the machine does. */
makeThisThreadFifo(LAB_PRIORITY + 1);
await runDigit(workerData as DigitDeviceSetup, parentPort!, createPacedClock());
