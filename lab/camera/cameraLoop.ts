/**
 * The camera thread: renders the camera's picture on an absolute grid from the newest physics state, and pictures on
 * request. Late frames are skipped, never sent in a burst. Faults as real cameras have them can be switched on.
 */
import type { MessagePort } from "node:worker_threads";
import { addNs, type Clock, type EpochNs } from "../../core/clock.js";
import { errorText } from "../../core/errors.js";
import { layoutOf } from "../world/layout.js";
import { emptySnapshot, WorldMemory, type WorldSnapshot } from "../world/memory.js";
import { sceneCameraOf } from "../world/mjcf.js";
import { WorldModel } from "../world/model.js";
import { intrinsicsOf, type LabCamera } from "../world/mount.js";
import type { WorldParts } from "../world/parts.js";
import type { SceneOptions } from "../world/scene.js";
import { drawWorldScene, type WorldScene, type WorldSceneRequest } from "../world/worldScene.js";
import { FrameSlots } from "./frames.js";
import { WorldView } from "./worldView.js";

/** Started with, as worker data. */
export interface CameraWorkerConfig {
  readonly memory: SharedArrayBuffer;
  readonly slots: SharedArrayBuffer;
  readonly world: WorldParts;
  readonly camera: LabCamera;
  /** `none`: nobody takes them, only single pictures are made. */
  readonly frames: "paced" | "onRequest" | "none";
  readonly scene: WorldSceneRequest;
  readonly options: SceneOptions;
}

/**
 * `freeze` repeats the same pixels under new stamps, `drop` sends one frame in five, `stop` sends nothing.
 */
export type CameraAction = "run" | "freeze" | "drop" | "stop";

export type CameraMessage = { readonly id: number } & (
  | { readonly do: "scene"; readonly scene: WorldSceneRequest; readonly options: SceneOptions }
  | { readonly do: "action"; readonly action: CameraAction }
  | { readonly do: "picture"; readonly of: "camera" | "scene" }
  /** One frame now; answered after it was sent. */
  | { readonly do: "frame" }
  | { readonly do: "stop" }
);

export interface Picture {
  readonly widthPx: number;
  readonly heightPx: number;
  readonly rgb: Uint8ClampedArray;
}

export type CameraReply =
  | { readonly kind: "reply"; readonly id: number; readonly error?: string; readonly picture?: Picture }
  | {
      readonly kind: "frame";
      readonly slot: number;
      readonly hasDepth: boolean;
      readonly stampNs: EpochNs;
      /** Frames so far that were left out: late, with no slot free, or without a newer state. */
      readonly skipped: number;
    };

const DROP_KEEPS_ONE_IN = 5;
/** The picture from beside the table, after halving: rendered at twice this for smooth edges. */
const SCENE_PICTURE_PX = [960, 720] as const;

/** Runs until a stop message. Answers id 0 when the first picture can be made. */
export async function runCamera(config: CameraWorkerConfig, port: MessagePort, clock: Clock): Promise<void> {
  const camera = new CameraThread(config, await WorldModel.load(config.world));
  const stop = new AbortController();
  let skipped = 0;
  const sendFrame = () => {
    const frame = camera.frame();
    if (frame === "skipped") skipped++;
    else if (frame !== undefined)
      port.postMessage({ kind: "frame", skipped, ...frame } satisfies CameraReply);
  };
  port.on("message", (message: CameraMessage) => {
    if (message.do === "stop") stop.abort();
    try {
      if (message.do === "frame") sendFrame();
      const picture = camera.handle(message);
      port.postMessage({ kind: "reply", id: message.id, ...(picture && { picture }) } satisfies CameraReply);
    } catch (thrown) {
      port.postMessage({ kind: "reply", id: message.id, error: errorText(thrown) } satisfies CameraReply);
    }
  });
  port.postMessage({ kind: "reply", id: 0 } satisfies CameraReply);
  if (config.frames === "paced") {
    const periodNs = BigInt(Math.round(1e9 / config.camera.rateHz));
    let dueNs = addNs(clock.nowNs(), periodNs);
    for (;;) {
      await clock.sleepUntil(dueNs, stop.signal);
      if (stop.signal.aborted) break;
      sendFrame();
      // The next frame may start late by up to a period; only those that are later than that are left out.
      dueNs = addNs(dueNs, periodNs);
      const late = (clock.nowNs() - dueNs) / periodNs;
      if (late > 0n) {
        skipped += Number(late);
        dueNs = addNs(dueNs, late * periodNs);
      }
    }
  } else if (!stop.signal.aborted) {
    await new Promise((resolve) => stop.signal.addEventListener("abort", resolve));
  }
  camera.dispose();
  port.close();
}

class CameraThread {
  readonly #world: WorldModel;
  readonly #view: WorldView;
  readonly #memory: WorldMemory;
  readonly #slots: FrameSlots;
  readonly #snapshot: WorldSnapshot;
  readonly #camera: LabCamera;
  readonly #rgbBytes: Uint8Array;
  readonly #depthMm: Uint16Array;
  #scene: WorldScene;
  #sceneView: WorldView | undefined;
  #action: CameraAction = "run";
  #frames = 0;
  #rendered = false;
  #depthRendered = false;

  constructor(config: CameraWorkerConfig, world: WorldModel) {
    const { widthPx, heightPx } = config.camera;
    this.#world = world;
    this.#camera = config.camera;
    this.#memory = new WorldMemory(layoutOf(config.world), config.memory);
    this.#snapshot = emptySnapshot(this.#memory.layout);
    this.#slots = new FrameSlots(config.slots, widthPx, heightPx);
    this.#view = new WorldView(world, config.camera, { widthPx, heightPx });
    this.#rgbBytes = new Uint8Array(this.#view.rgb.buffer);
    this.#depthMm = new Uint16Array(widthPx * heightPx);
    this.#scene = drawWorldScene(config.scene, config.options);
    this.#setScene();
  }

  handle(message: CameraMessage): Picture | undefined {
    if (message.do === "action") this.#action = message.action;
    if (message.do === "scene") {
      this.#scene = drawWorldScene(message.scene, message.options);
      this.#setScene();
    }
    if (message.do !== "picture") return undefined;
    return message.of === "camera" ? this.#cameraPicture() : this.#scenePicture();
  }

  frame(): { slot: number; hasDepth: boolean; stampNs: EpochNs } | "skipped" | undefined {
    this.#frames++;
    if (this.#action === "stop") return undefined;
    if (this.#action === "drop" && this.#frames % DROP_KEEPS_ONE_IN !== 0) return undefined;
    const slot = this.#slots.free();
    if (slot === undefined) return "skipped";
    const wantsDepth = this.#slots.depthWanted;
    const repeat = this.#action === "freeze" && this.#rendered && (this.#depthRendered || !wantsDepth);
    const lastNs = this.#snapshot.epochNs;
    // A camera never sends two pictures of one moment: without a newer state this frame is left out.
    if (!this.#observe() || this.#snapshot.epochNs <= lastNs) return "skipped";
    if (!repeat) {
      this.#view.renderCamera(this.#view.cameraIntrinsics());
      if (wantsDepth) this.#view.depthMm(this.#depthMm);
      this.#rendered = true;
      this.#depthRendered = wantsDepth;
    }
    this.#slots.rgb(slot).set(this.#rgbBytes);
    if (wantsDepth) this.#slots.depthMm(slot).set(this.#depthMm);
    this.#slots.fill(slot);
    return { slot, hasDepth: wantsDepth, stampNs: this.#snapshot.epochNs };
  }

  /** Takes over the newest physics state. */
  #observe(): boolean {
    if (!this.#memory.snapshot(this.#snapshot)) return false;
    this.#world.qpos.set(this.#snapshot.qpos);
    this.#world.kinematics();
    return true;
  }

  #setScene(): void {
    // Where an object's pieces are on it is in the model; where the object is comes with each snapshot.
    this.#world.placeScene(this.#scene);
    this.#view.setScene(this.#scene);
    this.#sceneView?.setScene(exposed(this.#scene));
  }

  #cameraPicture(): Picture {
    this.#observe();
    const { widthPx, heightPx } = this.#camera;
    const rgb = new Uint8ClampedArray(3 * widthPx * heightPx);
    this.#view.renderCamera(this.#view.cameraIntrinsics(), rgb);
    return { widthPx, heightPx, rgb };
  }

  #scenePicture(): Picture {
    const [widthPx, heightPx] = [2 * SCENE_PICTURE_PX[0], 2 * SCENE_PICTURE_PX[1]];
    if (this.#sceneView === undefined) {
      this.#sceneView = new WorldView(this.#world, this.#camera, { widthPx, heightPx, shadowMapPx: 2048 });
      this.#sceneView.setScene(exposed(this.#scene));
    }
    this.#observe();
    this.#sceneView.renderScene(intrinsicsOf(widthPx, heightPx, sceneCameraOf(this.#world.parts).fovYDeg));
    return { widthPx, heightPx, rgb: this.#sceneView.rgb };
  }

  dispose(): void {
    this.#world.dispose();
  }
}

/** The picture for people has no noise and an exposure that suits the light, as any camera would choose. */
function exposed(scene: WorldScene): WorldScene {
  const { ambient, diffuse } = scene.light;
  const exposure = SCENE_BRIGHTNESS / (ambient + diffuse);
  return {
    ...scene,
    noise: false,
    light: { ...scene.light, ambient: ambient * exposure, diffuse: diffuse * exposure },
  };
}

const SCENE_BRIGHTNESS = 1.3;
