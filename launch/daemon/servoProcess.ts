/** Starts the servo process of one robot and connects to it as its supervisor. */
import type { Logger } from "pino";
import type { Clock } from "../../core/clock.js";
import { entryUrl } from "../../core/entry.js";
import type { ServoClient } from "../../runtime/servo/api.js";
import { connectServo } from "../../runtime/servo/link/client.js";
import type { RobotConfig } from "../cell/schema.js";
import { Child } from "../child.js";

export interface ServoProcess {
  readonly robot: string;
  readonly child: Child;
  readonly client: ServoClient;
}

/** Connecting, handshake and limits over the network, with room for a slow controller. */
const READY_MS_MAX = 20_000;

export async function startServo(
  robot: string,
  config: RobotConfig,
  socketPath: string,
  { clock, log, logLevel }: { clock: Clock; log: Logger; logLevel: string },
): Promise<ServoProcess> {
  const { child } = await Child.start<{ ready: boolean }>({
    name: `servo:${robot}`,
    entry: entryUrl("../processes/servoMain.js", import.meta.url),
    config: { robot, device: config.device, xarm7: config.xarm7, servo: config.servo, socketPath, logLevel },
    clock,
    log,
    readyWithinMs: READY_MS_MAX,
  });
  try {
    const client = await connectServo(socketPath, { role: "supervisor", name: "daemon", clock });
    client.onEvent((event) => {
      const level = event.kind === "fault" || event.kind === "watchdog" ? "warn" : "info";
      log[level]({ event: `servo.${event.kind}`, robot, fault: event.fault?.code }, event.text);
    });
    return { robot, child, client };
  } catch (thrown) {
    await child.stop(2000);
    throw thrown;
  }
}
