/**
 * The simulated cell behind the devices' own wires: a physics thread (with a hand's firmware), one thread per camera, the
 * emulated controller and, with ROS, the cameras' topics. Nothing here knows who is connected: the daemon cannot tell it
 * from real devices.
 */
import { addNs, type Clock, msToNs, sleepMs } from "../core/clock.js";
import { CerebellumError } from "../core/errors.js";
import type { HandDeviceRequest, OpenHandPort } from "./allegro/device.js";
import type { CameraMessage, CameraReply, CameraWorkerConfig, Picture } from "./camera/cameraLoop.js";
import { FrameSlots } from "./camera/frames.js";
import { CameraPublisher, type LabRosNode } from "./camera/publisher.js";
import type { LabHandTruth, LabTruth } from "./control/protocol.js";
import { LabControlServer } from "./control/server.js";
import { answerTo } from "./handlers.js";
import { handDeviceOf, type LabSetup, physicsStepMsOf, worldOf } from "./setup.js";
import { handTruth, tableTruth } from "./truth.js";
import { LabThread, type WithoutId } from "./workers.js";
import { drawHandScene } from "./world/handScene.js";
import { layoutOf } from "./world/layout.js";
import { emptySnapshot, WorldMemory, type WorldSnapshot } from "./world/memory.js";
import type { WorldParts } from "./world/parts.js";
import type { PhysicsWorkerConfig } from "./world/physicsLoop.js";
import { SharedPlant } from "./world/sharedPlant.js";
import { drawTableScene, type WorldSceneRequest } from "./world/worldScene.js";
import { LockstepWorld, startPacedWorld, type WorldHost } from "./worldHost.js";
import { type EmulatorPorts, XArm7Emulator } from "./xarm7/emulator.js";

export interface LabParts {
  readonly setup: LabSetup;
  readonly clock: Clock;
  readonly workerUrls: { readonly physics: URL; readonly camera: URL };
  /** In lock-step; with a clock the physics thread opens a hand's port itself. */
  readonly openHandPort: OpenHandPort;
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

/** An emulated arm: its controller, and its joints in the world. */
export interface LabArm {
  readonly plant: SharedPlant;
  readonly emulator: XArm7Emulator;
}

type CameraReplyMessage = Extract<CameraReply, { kind: "reply" }>;
type CameraThread = LabThread<CameraMessage, CameraReplyMessage>;
const SUBSCRIBERS_EVERY_MS = 1000;
/** The arm's controller's own period: the smallest step of a lock-step lab with one; without, a hand's. */
const ARM_TICK_MS = 4;
const HAND_TICK_MS = 1;
/** A thread that does not end by itself within this is ended by force. */
const STOP_GRACE_MS = 500;
/** One millisecond each. */
const TRUTH_ATTEMPTS = 500;

/** Lets sockets and ports deliver, as real time would. */
const delivery = () => new Promise<void>((resolve) => setImmediate(resolve));

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
  readonly arm: LabArm | undefined;
  readonly #parts: LabParts;
  readonly #stop = new AbortController();
  readonly #snapshot: WorldSnapshot;
  readonly #server: LabControlServer;
  #host: WorldHost | undefined;
  #scene: WorldSceneRequest;
  readonly #cameras: CameraThread[] = [];
  #ports: EmulatorPorts | undefined;
  #framesPublished = 0;
  readonly #framesSkipped: number[] = [];
  readonly #framesDue: number[] = [];

  /** Stores only; see `startLab`. */
  constructor(parts: LabParts) {
    this.#parts = parts;
    this.world = worldOf(parts.setup);
    this.memory = new WorldMemory(layoutOf(this.world));
    this.#snapshot = emptySnapshot(this.memory.layout);
    this.arm = parts.setup.arm && this.#newArm(parts.setup.arm);
    this.#scene = this.#firstScene();
    this.#server = new LabControlServer((request) => answerTo(this, request));
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
    const { setup, clock, workerUrls, onFailure, rosNode, openHandPort } = this.#parts;
    const config: PhysicsWorkerConfig = {
      memory: this.memory.buffer,
      world: this.world,
      hand: handDeviceOf(setup),
      physicsStepMs: physicsStepMsOf(setup),
      scene: this.#scene,
      options: setup.lab.randomise,
    };
    // Each thread loads MuJoCo for itself, so all start at once.
    const cameras = Promise.all(setup.cameras.map((_, index) => this.#startCamera(index, rosNode)));
    const world =
      setup.lab.clock === "lockstep"
        ? LockstepWorld.load(config, this.memory, clock, openHandPort)
        : startPacedWorld(workerUrls.physics, config, onFailure);
    // Whatever fails, the threads that did start are known to `close`.
    const [, loaded] = await Promise.allSettled([cameras, world]);
    if (loaded.status === "fulfilled") this.#host = loaded.value;
    this.#host = await world;
    await cameras;
    this.#ports = await this.arm?.emulator.start();
    if (setup.controlSocket !== undefined) await this.#server.listen(setup.controlSocket);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all([this.#server.close(), this.arm?.emulator.close()]);
    const graceEnd = new AbortController();
    const grace = sleepMs(this.#parts.clock, STOP_GRACE_MS, graceEnd.signal);
    await Promise.all([
      this.#host?.stop(grace),
      ...this.#cameras.map((camera) => camera.stop({ do: "stop" }, grace)),
    ]);
    graceEnd.abort();
  }

  async setScene(scene: WorldSceneRequest): Promise<void> {
    const { randomise: options } = this.#parts.setup.lab;
    await this.#host!.ask({ do: "scene", scene, options });
    this.#scene = scene;
    await this.askCameras({ do: "scene", scene, options });
    // The answer to "truth" that follows must show the new scene.
    const { clock } = this.#parts;
    for (let wait = 0; wait < 100; wait++) {
      this.memory.snapshot(this.#snapshot);
      if (this.#snapshot.sceneSeed === scene.seed) return;
      await sleepMs(clock, 2, this.#stop.signal);
    }
  }

  /**
   * Lock-step only: moves simulated time on by whole ticks, and sends the camera frames that fall due, each before time
   * goes on.
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
    const tickMs = this.arm === undefined ? HAND_TICK_MS : ARM_TICK_MS;
    const worldTickMs = this.world.hand === undefined ? tickMs : HAND_TICK_MS;
    const ticks = Math.round(ms / tickMs);
    if (Math.abs(ticks * tickMs - ms) > 1e-6) {
      throw new CerebellumError(
        "LAB_REFUSED",
        `${ms} ms is no multiple of ${tickMs} ms`,
        "Step by whole controller ticks",
      );
    }
    for (let tick = 0; tick < ticks; tick++) {
      this.arm?.emulator.step(tickMs / 1000);
      for (let atMs = 0; atMs < tickMs; atMs += worldTickMs) {
        if (atMs > 0) await delivery();
        world.advance(worldTickMs / 1000);
      }
      await Promise.all(
        this.#parts.setup.cameras.map((camera, index) => this.#frameIfDue(index, camera.rateHz, world.timeS)),
      );
      await delivery();
    }
  }

  async #frameIfDue(index: number, rateHz: number, timeS: number): Promise<void> {
    const due = Math.floor(timeS * rateHz + 1e-9);
    if (due <= (this.#framesDue[index] ?? 0)) return;
    this.#framesDue[index] = due;
    await this.#cameras[index]!.ask({ do: "frame" });
  }

  /** Of an arm and what is on its table. */
  async truth(): Promise<LabTruth> {
    const request = this.#scene as Exclude<WorldSceneRequest, { props: "palm" }>;
    const scene = drawTableScene(request, this.#parts.setup.lab.randomise);
    const { layout, targetRad } = this.memory;
    return tableTruth(layout, await this.#newestStep(), targetRad, scene);
  }

  /** Of a hand with an object. */
  async handTruth(): Promise<LabHandTruth> {
    const scene = drawHandScene(
      this.#scene as Extract<WorldSceneRequest, { props: "palm" }>,
      this.#parts.setup.lab.randomise,
    );
    return handTruth(this.memory.layout, await this.#newestStep(), scene);
  }

  /** The newest whole step. The physics thread may be interrupted while it writes one: it is then waited for. */
  async #newestStep(): Promise<WorldSnapshot> {
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
    return this.#snapshot;
  }

  async teleport(positionRad: readonly number[]): Promise<void> {
    await this.#host!.ask({ do: "teleport", positionRad });
  }

  /** @throws CerebellumError LAB_REFUSED while the hand's servo is on */
  async teleportHand(positionRad: readonly number[]): Promise<void> {
    await this.#host!.ask({ do: "teleportHand", positionRad });
  }

  askHand(request: HandDeviceRequest): Promise<Record<string, unknown>> {
    return this.#host!.ask({ do: "hand", request });
  }

  async push(on: "tool" | "object", forceN: readonly [number, number, number], ms: number): Promise<void> {
    this.memory.push(on, forceN, (await this.#newestStep()).timeS + ms / 1000);
  }

  /** @param of name of a camera, or `scene` */
  async savePicture(of: string, file: string): Promise<void> {
    const names = this.#parts.setup.cameras.map(({ name }) => name);
    const index = of === "scene" ? 0 : names.indexOf(of);
    if (index < 0) {
      throw new CerebellumError(
        "LAB_REFUSED",
        `No camera is called ${of}`,
        `Name one of ${[...names, "scene"].join(", ")}`,
      );
    }
    const { picture } = await this.#cameras[index]!.ask({
      do: "picture",
      of: of === "scene" ? of : "camera",
    });
    await this.#parts.savePng(picture!, of === "scene" ? picture!.widthPx / 2 : picture!.widthPx, file);
  }

  async askCameras(message: WithoutId<CameraMessage>): Promise<void> {
    await Promise.all(this.#cameras.map((camera) => camera.ask(message)));
  }

  #newArm({ host, ports }: NonNullable<LabSetup["arm"]>): LabArm {
    const { lab } = this.#parts.setup;
    const plant = new SharedPlant(this.memory);
    const emulator = new XArm7Emulator({
      plant,
      clock: this.#parts.clock,
      ports,
      host,
      version: lab.armVersion,
      serial: lab.armSerial,
      lockstep: lab.clock === "lockstep",
    });
    return { plant, emulator };
  }

  #firstScene(): WorldSceneRequest {
    const { seed } = this.#parts.setup.lab;
    const { props, hand } = this.world;
    return props === "palm"
      ? { props, seed, side: hand!.side, light: "training" }
      : { props, seed, light: "training" };
  }

  async #startCamera(index: number, rosNode: LabRosNode | undefined): Promise<void> {
    const { setup, clock, workerUrls, onFailure } = this.#parts;
    const camera = setup.cameras[index]!;
    const slots = FrameSlots.create(camera.widthPx, camera.heightPx);
    const publisher =
      rosNode === undefined
        ? undefined
        : new CameraPublisher(rosNode, camera, camera.tfParent, clock.epochNs());
    const config: CameraWorkerConfig = {
      memory: this.memory.buffer,
      slots: slots.buffer,
      world: this.world,
      camera,
      frames: publisher === undefined ? "none" : setup.lab.clock === "paced" ? "paced" : "onRequest",
      scene: this.#scene,
      options: setup.lab.randomise,
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
}
