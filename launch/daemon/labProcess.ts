/** Starts the lab of a cell in a process of its own, at the addresses that the cell gives for its devices. */
import type { Logger } from "pino";
import type { Clock } from "../../core/clock.js";
import { entryUrl } from "../../core/entry.js";
import { CerebellumError } from "../../core/errors.js";
import { LabClient, type LabOk } from "../../lab/control/client.js";
import type { LabRequest } from "../../lab/control/protocol.js";
import { armsOf } from "../cell/robotConfig.js";
import type { CellConfig } from "../cell/schema.js";
import { Child } from "../child.js";
import type { LabProcessConfig, LabReady } from "../processes/labMain.js";

export interface LabProcess {
  readonly ports: Readonly<Record<string, number>>;
  readonly child: Child;
  ask(request: LabRequest): Promise<LabOk>;
  close(): Promise<void>;
}

/** MuJoCo, the camera's shaders and ROS start within two seconds on an idle machine. */
const READY_MS_MAX = 30_000;
const STOP_MS_MAX = 1500;

/** What the lab process needs to know of a cell. @throws CONFIG_INVALID when the lab cannot simulate the cell */
export function labConfigOf(cell: CellConfig, controlSocket: string, logLevel: string): LabProcessConfig {
  const robots = armsOf(cell.robots);
  const [only] = robots;
  const cameras = Object.entries(cell.cameras);
  if (cell.lab === undefined || only === undefined || robots.length > 1 || cameras.length === 0) {
    throw new CerebellumError(
      "CONFIG_INVALID",
      `The lab simulates a cell with one robot and at least one camera; ${cell.name} has ${robots.length} and ${cameras.length}`,
      "Start from launch/cells/xarm7-lab.yaml",
    );
  }
  const [name, { xarm7 }] = only;
  return {
    lab: cell.lab,
    robot: { name, host: xarm7.host, ports: { command: xarm7.commandPort, ...xarm7.reportPorts } },
    cameras: cameras.map(([camera, { topic, widthPx, heightPx, rateHz, fovYDeg, mount }]) => ({
      name: camera,
      topic,
      widthPx,
      heightPx,
      rateHz,
      fovYDeg,
      parentFrame: mount.parentFrame,
      positionM: mount.positionM,
      quatXyzw: mount.quatXyzw,
    })),
    controlSocket,
    flangeFrame: "link7",
    ros: cell.lab.publishCameras,
    nodeName: "cerebellum_lab",
    logLevel,
  };
}

export async function startLabProcess(
  cell: CellConfig,
  labSocket: string,
  options: { clock: Clock; log: Logger; logLevel: string; signal?: AbortSignal; pidFile?: string },
): Promise<LabProcess> {
  const { child, ready } = await Child.start<LabReady>({
    name: "lab",
    entry: entryUrl("../processes/labMain.js", import.meta.url),
    config: labConfigOf(cell, labSocket, options.logLevel),
    clock: options.clock,
    log: options.log,
    signal: options.signal,
    pidFile: options.pidFile,
    readyWithinMs: READY_MS_MAX,
  });
  const client = await LabClient.connect(labSocket);
  return {
    ports: ready.ports,
    child,
    ask: (request) => client.ask(request),
    close: async () => {
      client.close();
      await child.stop(STOP_MS_MAX);
    },
  };
}
