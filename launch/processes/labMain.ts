/**
 * The lab process: the simulated devices of one cell. Configuration (`LabProcessConfig`) as one JSON line on standard
 * input, one ready line with the ports on standard output, log on standard error. Ends on SIGTERM and SIGINT, and when
 * its standard input ends because its parent is gone.
 */
import { setFlagsFromString } from "node:v8";
import { z } from "zod";
import { entryUrl } from "../../core/entry.js";
import type { CerebellumError } from "../../core/errors.js";
import type { LabRosNode } from "../../lab/camera/publisher.js";
import { startGroundLab } from "../../lab/digit/groundLab.js";
import type { DigitPorts } from "../../lab/digit/sockets.js";
import { startLab } from "../../lab/lab.js";
import { savePng } from "../../lab/savePng.js";
import { LabSetup } from "../../lab/setup.js";
import { type RosRuntime, startRos } from "../../runtime/ros/rosRuntime.js";
import { printFailure, printReady, readChildConfig } from "../child.js";
import { openHandPort } from "../handPort.js";
import { onDefect } from "../lastResort.js";
import { createLog } from "../log.js";
import { LAB_PRIORITY, makeThisThreadFifo } from "../realtime.js";
import { systemClock } from "../systemClock.js";

/**
 * A collection that shares its work with V8's helper threads waits for them, and they have no priority: on a busy machine
 * the world, which has, would wait with them. Before any thread starts, for all of them.
 */
setFlagsFromString("--no-parallel-scavenge");

export const LabProcessConfig = LabSetup.extend({
  ros: z.boolean().default(true).describe("Publish the cameras' topics"),
  nodeName: z.string().default("cerebellum_lab"),
  logLevel: z.string().default("info"),
});
export type LabProcessConfig = z.infer<typeof LabProcessConfig>;

export interface LabReady {
  /** Of the arm's controller. */
  readonly ports: Readonly<Record<string, number>>;
  /** Serial port of the hand's adapter. */
  readonly handPort: string | undefined;
  readonly digitPorts: DigitPorts | undefined;
  readonly controlSocket: string | undefined;
}

async function main(): Promise<void> {
  const ended = new AbortController();
  const end = () => ended.abort();
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.once(signal, end);
  const { ros: wantsRos, nodeName, logLevel, ...setup } = LabProcessConfig.parse(await readChildConfig(end));
  const log = createLog(logLevel, 2);
  onDefect(log, () => process.exit(1));
  let failure: CerebellumError | undefined;
  let ros: RosRuntime | undefined;
  const onFailure = (error: CerebellumError) => {
    failure = error;
    end();
  };
  try {
    if (wantsRos && setup.digit === undefined) ros = await startRos();
    const lab = await (setup.digit === undefined
      ? startCameraLab(setup, ros?.createNode(nodeName), onFailure)
      : startDigitLab(setup, onFailure));
    printReady(lab.ready);
    log.info({ event: "labReady", ...lab.ready, seed: setup.lab.seed });
    if (!ended.signal.aborted) {
      await new Promise((resolve) => ended.signal.addEventListener("abort", resolve));
    }
    const counters = failure === undefined ? await lab.counters() : {};
    await lab.close();
    log.info({ event: "labEnded", ...counters });
  } finally {
    ros?.shutdown();
  }
  if (failure !== undefined) {
    log.error({ event: "labFailed", code: failure.code }, failure.message);
    process.exitCode = 1;
  }
}

interface Running {
  readonly ready: LabReady;
  counters(): object | Promise<object>;
  close(): Promise<void>;
}

/** An arm, a hand or both, seen by cameras. */
async function startCameraLab(
  setup: LabSetup,
  rosNode: LabRosNode | undefined,
  onFailure: (error: CerebellumError) => void,
): Promise<Running> {
  const lab = await startLab({
    setup,
    clock: systemClock,
    workerUrls: {
      physics: entryUrl("./physicsWorker.js", import.meta.url),
      camera: entryUrl("./cameraWorker.js", import.meta.url),
    },
    rosNode,
    openHandPort,
    savePng,
    onFailure,
  });
  // After the workers have started: the camera is the heavy part and must not come before anybody's control loop.
  makeThisThreadFifo(LAB_PRIORITY);
  const { controlSocket, hand } = setup;
  return {
    ready: { ports: lab.ports, handPort: hand?.path, digitPorts: undefined, controlSocket },
    counters: () => lab.counters(),
    close: () => lab.close(),
  };
}

async function startDigitLab(setup: LabSetup, onFailure: (error: CerebellumError) => void): Promise<Running> {
  const workerUrl = entryUrl("./digitWorker.js", import.meta.url);
  const lab = await startGroundLab({ setup, clock: systemClock, workerUrl, onFailure });
  const { controlSocket } = setup;
  return {
    ready: { ports: {}, handPort: undefined, digitPorts: lab.digitPorts, controlSocket },
    counters: () => lab.counters(),
    close: () => lab.close(),
  };
}

try {
  await main();
  process.exit();
} catch (thrown) {
  printFailure(thrown);
  process.exit(1);
}
