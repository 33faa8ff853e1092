/**
 * The simulated cell behind the devices' own wires: a physics thread, one thread per camera, the emulated controller
 * and, with ROS, the cameras' topics. Nothing here knows who is connected: the daemon cannot tell it from real devices.
 */
import { z } from "zod";
import { addNs, type Clock, msToNs, sleepMs } from "../core/clock.js";
import { CerebellumError } from "../core/errors.js";
import type { CameraMessage, CameraReply, CameraWorkerConfig, Picture } from "./camera/cameraLoop.js";
import { FrameSlots } from "./camera/frames.js";
import { CameraPublisher, type LabRosNode } from "./camera/publisher.js";
import { LabConfig } from "./config.js";
import type { LabRequest, LabTruth } from "./control/protocol.js";
import { LabControlServer, type LabHandler } from "./control/server.js";
import { LabThread, type WithoutId } from "./workers.js";
import { boxCentreM, boxYawRad, layoutOf } from "./world/layout.js";
import { emptySnapshot, WorldMemory, type WorldSnapshot } from "./world/memory.js";
import { LabCameraSchema } from "./world/mount.js";
import { armWorld, type WorldParts } from "./world/parts.js";
import type { PhysicsWorkerConfig } from "./world/physicsLoop.js";
import { FLOOR_Z_M } from "./world/propsMjcf.js";
import { DISTRACTORS_MAX, type SceneOptions, type SceneRequest } from "./world/scene.js";
import { SharedPlant } from "./world/sharedPlant.js";
import { LockstepWorld, startPacedWorld, type WorldHost } from "./worldHost.js";
import { type EmulatorPorts, XArm7Emulator } from "./xarm7/emulator.js";
import { reportFrames, reportSetpoints } from "./xarm7/wireReport.js";

const Port = z.int().min(0).max(65535);

/** What a lab is started with; also the configuration line of its process. */
export const LabSetup = z.strictObject({
  lab: LabConfig,
  robot: z.strictObject({
    name: z.string().min(1),
    host: z.string().default("127.0.0.1"),
    ports: z
      .strictObject({ command: Port, highRate: Port, normal: Port, rich: Port, realTime: Port })
      .describe("0 takes any free port"),
  }),
  cameras: z.array(LabCameraSchema).min(1).max(4).describe("The first one's housing is part of the world"),
  controlSocket: z.string().min(1).optional(),
  flangeFrame: z.string().default("link7").describe("Name of the flange in the tf tree"),
});
export type LabSetup = z.infer<typeof LabSetup>;

export interface LabParts {
  readonly setup: LabSetup;
  readonly clock: Clock;
  readonly workerUrls: { readonly physics: URL; readonly camera: URL };
  /** Without it no topics are published, and the cameras render only on request. */
  readonly rosNode?: LabRosNode | undefined;
  /** Writes a picture to a PNG file of a width [px]. */
  readonly savePng: (picture: Picture, widthPx: number, file: string) => Promise<void>;
  /** Called once when a thread ends by itself. */
  readonly onFailure: (error: CerebellumError) => void;
}

export interface LabCounters {
  readonly framesPublished: number;
  readonly framesSkipped: number;
  readonly physicsStepsSkipped: number;
}

type CameraReplyMessage = Extract<CameraReply, { kind: "reply" }>;
type CameraThread = LabThread<CameraMessage, CameraReplyMessage>;
const SUBSCRIBERS_EVERY_MS = 1000;
/** The controller's own period; also the smallest step of a lock-step lab. */
const TICK_MS = 4;
/** A thread that does not end by itself within this is ended by force. */
const STOP_GRACE_MS = 500;
/** One millisecond each. */
const TRUTH_ATTEMPTS = 500;

export async function startLab(parts: LabParts): Promise<Lab> {
  const lab = new Lab(parts);
  try {
    await lab.start();
    return lab;
  } catch (thrown) {
    await lab.close();
    throw thrown;
  }
}

export class Lab {
  readonly world: WorldParts;
  readonly memory: WorldMemory;
  readonly plant: SharedPlant;
  readonly emulator: XArm7Emulator;
  readonly #parts: LabParts;
  readonly #stop = new AbortController();
  readonly #snapshot: WorldSnapshot;
  readonly #server: LabControlServer;
  #host: WorldHost | undefined;
  readonly #cameras: CameraThread[] = [];
  #ports: EmulatorPorts | undefined;
  #framesPublished = 0;
  readonly #framesSkipped: number[] = [];
  readonly #framesDue: number[] = [];

  /** Stores only; see `startLab`. */
  constructor(parts: LabParts) {
    this.#parts = parts;
    const { lab, robot } = parts.setup;
    this.world = armWorld(parts.setup.cameras[0]!);
    this.memory = new WorldMemory(layoutOf(this.world));
    this.plant = new SharedPlant(this.memory);
    this.#snapshot = emptySnapshot(this.memory.layout);
    this.emulator = new XArm7Emulator({
      plant: this.plant,
      clock: parts.clock,
      ports: robot.ports,
      host: robot.host,
      version: lab.armVersion,
      serial: lab.armSerial,
      lockstep: lab.clock === "lockstep",
    });
    this.#server = new LabControlServer(this.#handle);
  }

  /** Ports of the emulated controller, by the names of the cell file. */
  get ports(): Readonly<Record<string, number>> {
    return { ...this.#ports };
  }

  counters(): LabCounters {
    return {
      framesPublished: this.#framesPublished,
      framesSkipped: this.#framesSkipped.reduce((sum, count) => sum + count, 0),
      physicsStepsSkipped: this.memory.skippedSteps,
    };
  }

  async start(): Promise<void> {
    const { setup, clock, workerUrls, onFailure, rosNode } = this.#parts;
    const config: PhysicsWorkerConfig = {
      memory: this.memory.buffer,
      world: this.world,
      physicsStepMs: setup.lab.physicsStepMs,
      ...this.#firstScene(),
    };
    // Each thread loads MuJoCo for itself, so all start at once.
    const cameras = Promise.all(setup.cameras.map((_, index) => this.#startCamera(index, rosNode)));
    const world =
      setup.lab.clock === "lockstep"
        ? LockstepWorld.load(config, this.memory, clock)
        : startPacedWorld(workerUrls.physics, config, onFailure);
    // Whatever fails, the threads that did start are known to `close`.
    await Promise.allSettled([cameras, world]);
    this.#host = await world;
    await cameras;
    this.#ports = await this.emulator.start();
    if (setup.controlSocket !== undefined) await this.#server.listen(setup.controlSocket);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all([this.#server.close(), this.emulator.close()]);
    const graceEnd = new AbortController();
    const grace = sleepMs(this.#parts.clock, STOP_GRACE_MS, graceEnd.signal);
    await Promise.all([
      this.#host?.stop(grace),
      ...this.#cameras.map((camera) => camera.stop({ do: "stop" }, grace)),
    ]);
    graceEnd.abort();
  }

  async setScene(scene: SceneRequest): Promise<void> {
    const { randomise: options } = this.#parts.setup.lab;
    await this.#host!.applyScene(scene, options);
    await this.#askCameras({ do: "scene", scene, options });
    // The answer to "truth" that follows must show the new scene.
    const { clock } = this.#parts;
    for (let wait = 0; wait < 100; wait++) {
      this.memory.snapshot(this.#snapshot);
      if (this.#snapshot.sceneSeed === scene.seed) return;
      await sleepMs(clock, 2, this.#stop.signal);
    }
  }

  /**
   * Lock-step only: moves simulated time on by whole ticks of the controller, and sends the camera frames that fall
   * due, each before time goes on.
   */
  async step(ms: number): Promise<void> {
    const world = this.#host;
    if (!(world instanceof LockstepWorld)) {
      throw new CerebellumError(
        "LAB_REFUSED",
        "This lab keeps real time",
        "Start it with lab.clock lockstep",
      );
    }
    const ticks = Math.round(ms / TICK_MS);
    if (Math.abs(ticks * TICK_MS - ms) > 1e-6) {
      throw new CerebellumError(
        "LAB_REFUSED",
        `${ms} ms is no multiple of ${TICK_MS} ms`,
        "Step by whole controller ticks",
      );
    }
    for (let tick = 0; tick < ticks; tick++) {
      this.emulator.step(TICK_MS / 1000);
      world.advance(TICK_MS / 1000);
      await Promise.all(
        this.#parts.setup.cameras.map((camera, index) => this.#frameIfDue(index, camera.rateHz, world.timeS)),
      );
      // Lets sockets deliver between ticks, as real time would.
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  async #frameIfDue(index: number, rateHz: number, timeS: number): Promise<void> {
    const due = Math.floor(timeS * rateHz + 1e-9);
    if (due <= (this.#framesDue[index] ?? 0)) return;
    this.#framesDue[index] = due;
    await this.#cameras[index]!.ask({ do: "frame" });
  }

  /** The newest whole step. The physics thread may be interrupted while it writes one: it is then waited for. */
  async truth(): Promise<LabTruth> {
    for (let attempt = 1; !this.memory.snapshot(this.#snapshot); attempt++) {
      if (attempt === TRUTH_ATTEMPTS) {
        throw new CerebellumError(
          "LAB_REFUSED",
          "The physics thread stands still in a step",
          "Start the lab again",
        );
      }
      await sleepMs(this.#parts.clock, 1);
    }
    const { layout } = this.memory;
    const { qpos, toolM, timeS, atNs } = this.#snapshot;
    const blockM = boxCentreM(layout, qpos, 0);
    const tool: [number, number, number] = [toolM[0]!, toolM[1]!, toolM[2]!];
    return {
      simulatedS: timeS,
      atNs: atNs.toString(),
      blockM,
      blockYawRad: boxYawRad(layout, qpos, 0),
      othersM: Array.from({ length: DISTRACTORS_MAX }, (_, index) =>
        boxCentreM(layout, qpos, 1 + index),
      ).filter(([, , zM]) => zM > FLOOR_Z_M - 1),
      toolM: tool,
      distanceM: Math.hypot(tool[0] - blockM[0], tool[1] - blockM[1], tool[2] - blockM[2]),
      positionRad: [...qpos.subarray(0, layout.armJoints)],
    };
  }

  async teleport(positionRad: readonly number[]): Promise<void> {
    if (this.plant.enabled) {
      throw new CerebellumError(
        "LAB_REFUSED",
        "The simulated arm is enabled; it moves only as it is commanded",
        "Disable it first",
      );
    }
    await this.#host!.teleport(positionRad);
  }

  async savePicture(of: "camera" | "scene", file: string): Promise<void> {
    const { picture } = await this.#cameras[0]!.ask({ do: "picture", of });
    await this.#parts.savePng(picture!, of === "camera" ? picture!.widthPx : picture!.widthPx / 2, file);
  }

  #firstScene(): { scene: SceneRequest; options: SceneOptions } {
    const { seed, randomise } = this.#parts.setup.lab;
    return { scene: { seed, light: "training" }, options: randomise };
  }

  async #startCamera(index: number, rosNode: LabRosNode | undefined): Promise<void> {
    const { setup, clock, workerUrls, onFailure } = this.#parts;
    const camera = setup.cameras[index]!;
    const slots = FrameSlots.create(camera.widthPx, camera.heightPx);
    const publisher =
      rosNode === undefined
        ? undefined
        : new CameraPublisher(rosNode, camera, setup.flangeFrame, clock.epochNs());
    const config: CameraWorkerConfig = {
      memory: this.memory.buffer,
      slots: slots.buffer,
      world: this.world,
      camera,
      frames: publisher === undefined ? "none" : setup.lab.clock === "paced" ? "paced" : "onRequest",
      ...this.#firstScene(),
    };
    const onFrame = (message: object) => {
      const frame = message as Extract<CameraReply, { kind: "frame" }>;
      this.#framesSkipped[index] = frame.skipped;
      if (this.#stop.signal.aborted) return;
      publisher?.publish(slots, frame.slot, frame.hasDepth, frame.stampNs);
      this.#framesPublished++;
    };
    this.#cameras[index] = await LabThread.start(camera.name, workerUrls.camera, config, onFrame, onFailure);
    if (publisher !== undefined) void this.#watchSubscribers(publisher, slots);
  }

  async #watchSubscribers(publisher: CameraPublisher, slots: FrameSlots): Promise<void> {
    const { clock } = this.#parts;
    const { signal } = this.#stop;
    let dueNs = clock.nowNs();
    while (!signal.aborted) {
      slots.depthWanted = publisher.depthWanted();
      dueNs = addNs(dueNs, msToNs(SUBSCRIBERS_EVERY_MS));
      await clock.sleepUntil(dueNs, signal);
    }
  }

  async #askCameras(message: WithoutId<CameraMessage>): Promise<void> {
    await Promise.all(this.#cameras.map((camera) => camera.ask(message)));
  }

  readonly #handle: LabHandler = async (request: LabRequest) => {
    switch (request.do) {
      case "truth":
        return { truth: await this.truth() };
      case "scene":
        await this.setScene({ seed: request.seed, light: request.light, blockM: request.blockM });
        return { truth: await this.truth() };
      case "handScene":
      case "handTruth":
        throw new CerebellumError(
          "LAB_REFUSED",
          "This lab has no hand",
          "Ask a lab of a cell with an Allegro Hand",
        );
      case "pose":
        await this.teleport(request.positionRad);
        return {};
      case "push":
        this.memory.push(request.forceN, (await this.truth()).simulatedS + request.ms / 1000);
        return {};
      case "armFault":
        this.emulator.injectError(request.errorCode);
        return {};
      case "camera":
        await this.#askCameras({ do: "action", action: request.action });
        return {};
      case "snapshot":
        await this.savePicture(request.camera === "scene" ? "scene" : "camera", request.file);
        return {};
      case "step":
        await this.step(request.ms);
        return { truth: await this.truth() };
      case "ports":
        return { ports: this.ports };
      case "wire": {
        const setpoints = reportSetpoints(this.emulator.setpoints.figures);
        const wire = { ...reportFrames(this.emulator, request.form, request.since), setpoints };
        if (request.clear) {
          this.emulator.wireLog.clear();
          this.emulator.setpoints.clear();
        }
        return { wire };
      }
    }
  };
}
