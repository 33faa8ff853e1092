/** The gateway of a cell: what its thread is told about the cell, and what its clients may ask of the daemon. */
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Logger } from "pino";
import { stringify } from "yaml";
import type { Clock, MonotonicNs } from "../../core/clock.js";
import { entryUrl, repositoryRootUrl } from "../../core/entry.js";
import { CerebellumError } from "../../core/errors.js";
import type { GatewayRequest } from "../../core/gateway/requests.js";
import type { ImageView } from "../../core/rosWire.js";
import { GatewayHost } from "../../runtime/gateway/host.js";
import type { GatewaySetup } from "../../runtime/gateway/messages.js";
import { RateGate } from "../../runtime/gateway/rateGrid.js";
import { createFrameSlots, FrameWriter } from "../../runtime/policy/frameSlots.js";
import type { RecorderHost } from "../../runtime/recorder/host.js";
import type { ServoInfo } from "../../runtime/servo/api.js";
import type { DiagnosticItem } from "../../runtime/supervisor.js";
import { recordedCell } from "../cell/load.js";
import { armsOf, handsOf } from "../cell/robotConfig.js";
import type { CellConfig } from "../cell/schema.js";
import type { ControlRequest } from "../control/protocol.js";
import type { ControlHandler } from "../control/server.js";
import { calibrationFolder, stateFolder } from "../runFolder.js";
import { softwareIdentity } from "../software.js";
import type { GatewayFeed } from "./gatewayFeed.js";
import { GatewayStateFeed, type GatewayStateOptions } from "./gatewayState.js";
import { RESTART_RULES, RestartBudget } from "./restartPolicy.js";
import { describeRobot } from "./robotDescription.js";
import type { SteeringDesk } from "./steeringDesk.js";
import type { CellSupervisor } from "./supervisor.js";
import { restamp, type TeleopSide } from "./teleopSide.js";

export interface GatewaySideOptions {
  readonly cell: CellConfig;
  readonly cellFile: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly servoInfo: (robot: string) => ServoInfo;
  readonly servoSocket: (robot: string) => string;
  /** What the control socket answers, these clients get too. */
  readonly control: ControlHandler;
  readonly supervisor: CellSupervisor;
  readonly stopPolicy: () => void;
  readonly isPolicyRunning: () => boolean;
  readonly recorder: RecorderHost | undefined;
  readonly feed: GatewayFeed;
  /** For `state`; see GatewayStateOptions. */
  readonly policyStatus: GatewayStateOptions["policy"];
  readonly activity: GatewayStateOptions["activity"];
  readonly cameras: GatewayStateOptions["cameras"];
  readonly teleop: TeleopSide;
  readonly steering: SteeringDesk;
}

/** Ages of cameras that no policy looks at. */
const AGE_MS_MAX = 500;

export interface GatewaySide {
  readonly host: GatewayHost;
  /** Copies a frame for the gateway's thread, while somebody looks at that camera. */
  takeFrame(camera: string, image: ImageView, receivedNs: MonotonicNs): void;
  takeDiagnostics(items: readonly DiagnosticItem[]): void;
  close(): Promise<void>;
}

/**
 * Undefined for a cell without a gateway. Resolves when it listens.
 * @throws CerebellumError PORT_IN_USE, CONFIG_INVALID and whatever else keeps it from it
 */
export async function startGateway(options: GatewaySideOptions): Promise<GatewaySide | undefined> {
  const { cell, clock, log, control, recorder } = options;
  if (cell.gateway === "off") return undefined;
  const setup = await setupOf(cell.gateway, options);
  const budget = new RestartBudget(RESTART_RULES.gatewayWorker);
  const host = new GatewayHost({
    entry: entryUrl("../processes/gatewayWorker.js", import.meta.url),
    clock,
    setup,
    restart: {
      delayMs: RESTART_RULES.gatewayWorker.delayMs,
      take: () => budget.take(clock.nowNs()),
    },
    log: (level, event, text) => log[level]({ event }, text),
    answer: async (request, client) => {
      log.info({ event: "consoleRequest", request: request.do }, `${client}: ${request.do}`);
      return (await control(toControl(request, options), client)).message;
    },
    onStopped: ({ category, reason, failures }) => {
      log.warn({ event: "consoleStop", category }, reason);
      options.stopPolicy();
      // The gateway has stopped the robots that it reached; this tries the others once more.
      if (failures.length > 0) void options.supervisor.stop(category, reason);
    },
    onVelocity: (asked) => options.steering.takeHand(asked),
    onRecord: ({ topic, receivedNs, cdr }) => {
      const arrivedNs = receivedNs as MonotonicNs;
      const mapping = recorder?.mapping;
      if (mapping !== undefined) restamp(cdr, arrivedNs, mapping);
      recorder?.write(topic, arrivedNs, cdr);
      options.feed.tap(topic, arrivedNs, cdr);
    },
  });
  host.onTeleop((status) => options.teleop.take(status));
  const writers = new Map(
    setup.cameras.map(({ camera, widthPx, heightPx, encoding, frames }) => [
      camera,
      new FrameWriter(frames, { widthPx, heightPx, encoding }),
    ]),
  );
  const gates = new Map<string, RateGate>();
  const isWanted = (camera: string, receivedNs: MonotonicNs): boolean => {
    const rateHz = host.watchedCameras.get(camera);
    if (rateHz === undefined) return false;
    let gate = gates.get(camera);
    if (gate?.rateHz !== rateHz) gates.set(camera, (gate = new RateGate(rateHz)));
    if (!gate.isDue(receivedNs)) return false;
    gate.pass(receivedNs);
    return true;
  };
  const state = new GatewayStateFeed({
    clock,
    host,
    isAlwaysTold: cell.gateway.mqtt !== "off",
    policy: options.policyStatus,
    steering: () => options.steering.status(),
    recorder: () => recorder?.status(),
    activity: options.activity,
    cameras: options.cameras,
  });
  host.onWatch(() => options.feed.watch([...host.watchedTopics]));
  try {
    await host.start();
  } catch (thrown) {
    await host.close();
    throw thrown;
  }
  log.info({ event: "gateway", addresses: host.status().addresses }, "the gateway listens");
  void state.run();
  return {
    host,
    takeFrame: (camera, image, receivedNs) => {
      if (isWanted(camera, receivedNs))
        writers.get(camera)?.write(image.data, image.stepBytes, image.stampNs, receivedNs);
    },
    takeDiagnostics: (items) => state.takeDiagnostics(items),
    close: () => {
      state.close();
      return host.close();
    },
  };
}

async function setupOf(
  gateway: GatewaySetup["gateway"],
  { cell, cellFile, servoInfo, servoSocket, feed }: GatewaySideOptions,
): Promise<GatewaySetup> {
  const robots = Object.keys(cell.robots);
  const { cerebellum, git } = await softwareIdentity();
  const folder = stateFolder(cell.name);
  return {
    cell: cell.name,
    software: `Cerebellum ${cerebellum} (${git})`,
    gateway,
    teleop: cell.teleop,
    stateFolder: folder,
    calibrationFolder: calibrationFolder(cell.name),
    pages: fileURLToPath(new URL("dist/pages", repositoryRootUrl())),
    sockets: Object.fromEntries(robots.map((robot) => [robot, servoSocket(robot)])),
    robots: robots.map((robot) => describeRobot(robot, cell.robots[robot]!, servoInfo(robot))),
    toolPointsM: Object.fromEntries(
      armsOf(cell.robots).map(([robot, { xarm7 }]) => [robot, [...xarm7.toolPointM]]),
    ) as GatewaySetup["toolPointsM"],
    arms: Object.fromEntries(
      armsOf(cell.robots).map(([robot, { xarm7, servo }]) => [
        robot,
        { gripper: xarm7.gripper, workspace: servo.workspace, selfCollision: servo.selfCollision },
      ]),
    ),
    hands: Object.fromEntries(
      handsOf(cell.robots).map(
        ([
          robot,
          {
            allegro: { model, side },
            mount,
          },
        ]) => [robot, { model, side, mountedOn: mount.robot ?? null }],
      ),
    ),
    cameras: Object.entries(cell.cameras).map(([camera, { widthPx, heightPx, encoding }], index) => ({
      camera,
      index,
      widthPx,
      heightPx,
      encoding,
      ageMsMax: cell.policy?.camera === camera ? cell.policy.frameAgeMsMax : AGE_MS_MAX,
      frames: createFrameSlots({ widthPx, heightPx, encoding }),
    })),
    hasPolicy: cell.policy !== undefined,
    hasRecorder: cell.recorder !== "off",
    hasLab: cell.lab !== undefined,
    episodesFolder: cell.recorder === "off" ? null : cell.recorder.folder,
    bundleFolders: [
      fileURLToPath(new URL("policies/bundles", repositoryRootUrl())),
      ...(cell.policy === undefined ? [] : [dirname(cell.policy.bundle)]),
    ],
    cellFile,
    cellYaml: stringify(recordedCell(cell)),
    prefixes: (process.env.AMENT_PREFIX_PATH ?? "").split(":").filter((prefix) => prefix !== ""),
    topics: [...feed.topics],
    ring: feed.ring,
  };
}

/** A request of the control group as the control socket knows it. @throws CerebellumError COMMAND_REFUSED */
export function toControl(
  request: GatewayRequest,
  { isPolicyRunning }: Pick<GatewaySideOptions, "isPolicyRunning">,
): ControlRequest {
  switch (request.do) {
    case "enable":
    case "reset":
    case "startPolicy":
    case "stopPolicy":
    case "discardRecording":
    case "teach":
      return request;
    case "stop":
      return { ...request, reason: "operator at the console" };
    case "startRecording": {
      const { task, note } = request;
      const kind = isPolicyRunning() ? "rollout" : "demonstration";
      return { do: "startRecording", request: { task, note, kind, context: {} } };
    }
    case "stopRecording":
    case "labelEpisode": {
      const { do: name, ...rest } = request;
      return { do: name, request: rest } as ControlRequest;
    }
    default:
      throw new CerebellumError(
        "COMMAND_REFUSED",
        `${request.do} is answered by the gateway itself`,
        "This is a defect; keep the log and report it",
      );
  }
}
