/** A hand's serial port in the lab: a pseudo-terminal, in a folder that is made where it is missing. */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { OpenHandPort } from "../lab/allegro/device.js";
import { PtyPort } from "./ptyPort.js";
import { LAB_PRIORITY } from "./realtime.js";

export const openHandPort: OpenHandPort = (path) => {
  mkdirSync(dirname(path), { recursive: true });
  return PtyPort.open(path, { priority: LAB_PRIORITY + 1 });
};
