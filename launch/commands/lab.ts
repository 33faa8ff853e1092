/** `lab run` and `lab render-corpus`. */

import { CerebellumError } from "../../core/errors.js";
import { OBSERVATION_PX, OBSERVATION_WINDOW, type ObservationWindow } from "../../lab/camera/worldView.js";
import type { WorldParts } from "../../lab/world/parts.js";
import type { CameraConfig } from "../../runtime/policy/config.js";
import { labCameraOf } from "../cell/labCamera.js";
import { loadCell } from "../cell/load.js";
import { armsOf, handsOf } from "../cell/robotConfig.js";
import type { CellConfig } from "../cell/schema.js";
import { startLabProcess } from "../daemon/labProcess.js";
import { createLog } from "../log.js";
import { makeRunFolder } from "../runFolder.js";
import { systemClock } from "../systemClock.js";
import { cameraOf } from "../tasks/seenThrough.js";
import { renderCorpus } from "./renderCorpus.js";

/** Runs the simulated devices until they are interrupted. */
export async function runLab(
  cellFile: string,
  options: { clock?: "paced" | "lockstep"; seed?: number; logLevel: string },
): Promise<void> {
  const cell = loadCell(cellFile);
  if (cell.lab === undefined) {
    throw new CerebellumError(
      "CONFIG_INVALID",
      `Cell ${cell.name} has no lab section`,
      "Start from launch/cells/xarm7-lab.yaml",
    );
  }
  const lab = {
    ...cell.lab,
    ...(options.clock === undefined ? {} : { clock: options.clock }),
    ...(options.seed === undefined ? {} : { seed: options.seed }),
  };
  const log = createLog(options.logLevel);
  const running = await startLabProcess({ ...cell, lab }, makeRunFolder(cell.name).labSocket, {
    clock: systemClock,
    log,
    logLevel: options.logLevel,
  });
  const { ports, handPort, digitPorts } = running;
  const devices = [
    ...(Object.keys(ports).length > 0 ? [`arm ${JSON.stringify(ports)}`] : []),
    ...(handPort === undefined ? [] : [`hand ${handPort}`]),
    ...(digitPorts === undefined ? [] : [`Digit ${JSON.stringify(digitPorts)}`]),
  ];
  process.stdout.write(`lab of ${cell.name}: ${devices.join(", ")}; Ctrl-C ends it\n`);
  const interrupted = new Promise<void>((resolve) => {
    process.once("SIGINT", () => resolve());
    process.once("SIGTERM", () => resolve());
  });
  const code = await Promise.race([interrupted, running.child.exited]);
  await running.close();
  if (typeof code === "number" && code !== 0) {
    throw new CerebellumError(
      "NOT_RUNNING",
      `The lab ended by itself with exit code ${code}`,
      "Read its log lines above",
    );
  }
}

export async function renderCorpusCommand(
  file: string,
  options: { count: number; seed: number; cell: string; camera?: string; crop?: Crop },
): Promise<void> {
  const cell = loadCell(options.cell);
  const [name, camera] = cameraOf(cell, options.camera);
  let shown = -1;
  const result = await renderCorpus({
    file,
    count: options.count,
    seed: options.seed,
    parts: corpusParts(cell, name, camera),
    window: windowIn(camera, options.crop),
    clock: systemClock,
    onProgress: (done, count) => {
      const tenth = Math.floor((10 * done) / count);
      if (tenth === shown) return;
      shown = tenth;
      process.stdout.write(`${done} of ${count} pictures\n`);
    },
  });
  process.stdout.write(
    `${result.file}: ${result.count} pictures in ${result.wallS.toFixed(0)} s, ${result.picturesPerS.toFixed(0)} a second\n`,
  );
}

/** x, y and side of a square of the camera's picture [px]. */
export type Crop = readonly [xPx: number, yPx: number, sidePx: number];

/** @throws CONFIG_INVALID for a square that is not inside of the picture, or no multiple of what encoders see */
function windowIn({ widthPx, heightPx }: CameraConfig, crop?: Crop): ObservationWindow {
  const { leftPx, topPx, widthPx: sidePx } = OBSERVATION_WINDOW;
  const [x, y, side] = crop ?? [leftPx, topPx, sidePx];
  if (side % OBSERVATION_PX === 0 && x + side <= widthPx && y + side <= heightPx)
    return { leftPx: x, topPx: y, widthPx: side, heightPx: side };
  throw new CerebellumError(
    "CONFIG_INVALID",
    `A square of ${side} px at ${x}, ${y} is not inside of ${widthPx} x ${heightPx} px, or no multiple of ${OBSERVATION_PX}`,
    "Name the square that the policy sees with --crop X,Y,SIDE",
  );
}

/** The cell as the lab simulates it, seen by one of its cameras. */
function corpusParts({ robots, lab }: CellConfig, name: string, camera: CameraConfig): WorldParts {
  const [arm] = armsOf(robots);
  const [hand] = handsOf(robots);
  return {
    ...(arm !== undefined && { arm: { gripper: arm[1].xarm7.gripper === "xarm" } }),
    ...(hand !== undefined && {
      hand: {
        model: hand[1].allegro.model,
        side: hand[1].allegro.side,
        on: hand[1].mount.robot === undefined ? "stand" : "flange",
        positionM: hand[1].mount.positionM,
        quatXyzw: hand[1].mount.quatXyzw,
      },
    }),
    props: lab === undefined || lab.world === "ground" ? "reach-block" : lab.world,
    camera: labCameraOf(name, camera),
  };
}
