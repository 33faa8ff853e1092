/** Starts the servo process of one robot and connects to it: as its supervisor, and for the robot's ROS topics. */
import type { Logger } from "pino";
import type { Clock } from "../../core/clock.js";
import { entryUrl } from "../../core/entry.js";
import type { ServoClient } from "../../runtime/servo/api.js";
import { connectServo } from "../../runtime/servo/link/client.js";
import type { RobotConfig } from "../cell/robotConfig.js";
import { Child } from "../child.js";

export interface ServoStart {
  readonly robot: string;
  readonly config: RobotConfig;
  readonly socketPath: string;
  readonly pidFile: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly logLevel: string;
  readonly signal: AbortSignal;
}

export interface ServoProcess {
  readonly child: Child;
  /** Both end with the process. */
  readonly supervisor: ServoClient;
  readonly commander: ServoClient;
}

/** Connecting, handshake and limits over the network, with room for a slow controller. */
const READY_MS_MAX = 20_000;

/** @param latched why the servo must start stopped, so that only a person's reset leads on */
export async function startServo(start: ServoStart, latched?: string): Promise<ServoProcess> {
  const { robot, config, socketPath, pidFile, clock, log, logLevel, signal } = start;
  const { child } = await Child.start<{ ready: boolean }>({
    name: `servo:${robot}`,
    entry: entryUrl("../processes/servoMain.js", import.meta.url),
    config: {
      robot,
      ...deviceOf(config),
      socketPath,
      logLevel,
      ...(latched !== undefined && { startLatched: latched }),
    },
    clock,
    log,
    readyWithinMs: READY_MS_MAX,
    signal,
    pidFile,
  });
  try {
    return { child, ...(await connectToServo(start)) };
  } catch (thrown) {
    await child.stop(2000);
    throw thrown;
  }
}

/** What the servo process needs to know of its robot; where it is mounted is not of that. */
function deviceOf(config: RobotConfig) {
  const { device, servo } = config;
  if (device === "xarm7") return { device, xarm7: config.xarm7, servo };
  return device === "allegro"
    ? { device, allegro: config.allegro, servo }
    : { device, digit: config.digit, servo };
}

export async function connectToServo({ socketPath, clock }: ServoStart) {
  const supervisor = await connectServo(socketPath, { role: "supervisor", name: "daemon", clock });
  try {
    const commander = await connectServo(socketPath, { role: "commander", name: "ros", clock });
    return { supervisor, commander };
  } catch (thrown) {
    await supervisor.close();
    throw thrown;
  }
}
