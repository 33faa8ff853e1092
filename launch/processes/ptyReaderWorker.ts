/**
 * Reads a pseudo-terminal for the thread that plays the device on it. A look at an empty terminal waits in the kernel for
 * the worker that hands bytes over, for milliseconds on a busy computer: who keeps time must not look.
 *
 * Posts what it reads; any message closes the terminal and ends the thread.
 */
import { ReadStream } from "node:tty";
import { parentPort, workerData } from "node:worker_threads";
import { invariant } from "../../core/errors.js";
import { makeThisThreadFifo } from "../realtime.js";

invariant(parentPort !== null, "a terminal's reader is a thread of the process that owns the terminal");
const port = parentPort;
const { terminal, priority } = workerData as { terminal: number; priority: number };
makeThisThreadFifo(priority);
const reader = new ReadStream(terminal);
reader.on("data", (bytes: Buffer) => port.postMessage(bytes));
reader.on("error", () => reader.destroy());
reader.on("close", () => port.close());
port.once("message", () => reader.destroy());
