/** Starts the lab of a cell in a process of its own, at the addresses that the cell gives for its devices. */
import type { Logger } from "pino";
import type { Clock } from "../../core/clock.js";
import { entryUrl } from "../../core/entry.js";
import { CerebellumError } from "../../core/errors.js";
import { LabClient, type LabOk } from "../../lab/control/client.js";
import type { LabRequest } from "../../lab/control/protocol.js";
import type { DigitPorts } from "../../lab/digit/sockets.js";
import { cameraParentOf } from "../cell/frames.js";
import { labCameraOf } from "../cell/labCamera.js";
import { armsOf, digitsOf, type HandRobotConfig, handsOf } from "../cell/robotConfig.js";
import type { CellConfig } from "../cell/schema.js";
import { Child } from "../child.js";
import type { LabProcessConfig, LabReady } from "../processes/labMain.js";

export interface LabProcess {
  readonly ports: Readonly<Record<string, number>>;
  /** Serial port of the hand's adapter. */
  readonly handPort: string | undefined;
  readonly digitPorts: DigitPorts | undefined;
  readonly child: Child;
  ask(request: LabRequest): Promise<LabOk>;
  close(): Promise<void>;
}

/** MuJoCo, the camera's shaders and ROS start within two seconds on an idle machine. */
const READY_MS_MAX = 30_000;
const STOP_MS_MAX = 1500;

/** What the lab process needs to know of a cell. @throws CONFIG_INVALID when the lab cannot simulate the cell */
export function labConfigOf(cell: CellConfig, controlSocket: string, logLevel: string): LabProcessConfig {
  const { robots, lab } = cell;
  const [arms, hands, digits] = [armsOf(robots), handsOf(robots), digitsOf(robots)];
  const cameras = Object.values(cell.cameras);
  const isSeen =
    arms.length + hands.length > 0 && arms.length <= 1 && hands.length <= 1 && cameras.length > 0;
  const isLegged = digits.length === 1 && arms.length + hands.length + cameras.length === 0;
  if (lab === undefined || (digits.length === 0 ? !isSeen : !isLegged)) {
    throw new CerebellumError(
      "CONFIG_INVALID",
      `The lab simulates a cell with an arm, a hand, or one of each, and at least one camera, or a Digit alone; ${cell.name} has ${arms.length} arms, ${hands.length} hands, ${digits.length} Digits and ${cameras.length} cameras`,
      "Start from one of the cells in launch/cells",
    );
  }
  const [arm] = arms.map(([, { xarm7 }]) => ({
    host: xarm7.host,
    gripper: xarm7.gripper === "xarm",
    ports: { command: xarm7.commandPort, ...xarm7.reportPorts },
  }));
  const [hand] = hands.map(([name, robot]) => handOf(name, robot));
  const [digit] = digits.map(
    ([
      ,
      {
        digit: { host, commandPort, observationPort, jsonPort },
      },
    ]) => ({
      host,
      ports: { command: commandPort, observation: observationPort, json: jsonPort },
    }),
  );
  return {
    lab,
    ...(arm === undefined ? {} : { arm }),
    ...(hand === undefined ? {} : { hand }),
    ...(digit === undefined ? {} : { digit }),
    cameras: Object.entries(cell.cameras).map(([name, camera]) => ({
      ...labCameraOf(name, camera),
      tfParent: cameraParentOf(robots, camera),
    })),
    controlSocket,
    ros: lab.publishCameras,
    nodeName: "cerebellum_lab",
    logLevel,
  };
}

function handOf(name: string, { allegro, mount }: HandRobotConfig): LabProcessConfig["hand"] {
  const { slcan } = allegro.can;
  if (slcan === undefined) {
    throw new CerebellumError(
      "CONFIG_INVALID",
      `robots.${name}.allegro.can is a SocketCAN interface, and the lab's hand is behind a serial adapter`,
      "Give can.slcan.path, where the lab makes the emulated adapter's port",
    );
  }
  return {
    model: allegro.model,
    side: allegro.side,
    on: mount.robot === undefined ? "stand" : "flange",
    positionM: mount.positionM,
    quatXyzw: mount.quatXyzw,
    path: slcan.path,
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
    handPort: ready.handPort,
    digitPorts: ready.digitPorts,
    child,
    ask: (request) => client.ask(request),
    close: async () => {
      client.close();
      await child.stop(STOP_MS_MAX);
    },
  };
}
