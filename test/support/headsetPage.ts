/** The headset's page in real Chromium, with an emulated headset, before a real gateway. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import type { EmulatedDevice } from "../../console/xr/emulatedDevice.js";
import type { PoseMessage } from "../../core/teleop/pose.js";
import { systemClock } from "../../launch/systemClock.js";
import type { PartFactory } from "../../runtime/gateway/part.js";
import { PART_FACTORIES } from "../../runtime/gateway/parts.js";
import { createFrameSlots, FrameWriter } from "../../runtime/policy/frameSlots.js";
import { TestGateway, type TestGatewayOptions } from "./gateway.js";

declare global {
  interface Window {
    cerebellumHeadset?: EmulatedDevice;
  }
}

/** Where `vite build` puts the pages. */
export const PAGES = fileURLToPath(new URL("../../dist/pages", import.meta.url));
export const hasPages = existsSync(`${PAGES}/xr/index.html`);

const CAMERA = { widthPx: 320, heightPx: 240, encoding: "rgb8" } as const;

/** A gateway that serves the built pages, with a camera and a witness of what its hub lets through. */
export class HeadsetStage {
  readonly poses: PoseMessage[] = [];
  readonly malformed: string[] = [];
  readonly #gateway: TestGateway;
  readonly #camera: FrameWriter;

  private constructor(gateway: TestGateway, camera: FrameWriter) {
    this.#gateway = gateway;
    this.#camera = camera;
  }

  static async open(options: Omit<TestGatewayOptions, "factories"> = {}): Promise<HeadsetStage> {
    const frames = createFrameSlots(CAMERA);
    const witnessed: { stage?: HeadsetStage } = {};
    const witness: PartFactory = () => ({
      onPose: ({ pose }) => void witnessed.stage?.poses.push(pose),
      onMalformed: (_client, why) => void witnessed.stage?.malformed.push(why),
    });
    const gateway = await TestGateway.start({
      ...options,
      factories: [...PART_FACTORIES, witness],
      setup: {
        pages: PAGES,
        cameras: [{ camera: "wrist", index: 0, ageMsMax: 200, frames, ...CAMERA }],
        ...options.setup,
      },
    });
    witnessed.stage = new HeadsetStage(gateway, new FrameWriter(frames, CAMERA));
    return witnessed.stage;
  }

  get gateway(): TestGateway {
    return this.#gateway;
  }

  newest(): PoseMessage {
    return this.poses.at(-1)!;
  }

  /** The camera sees this colour everywhere. */
  showColour(rgb: readonly [number, number, number]): void {
    const pixels = new Uint8Array(3 * CAMERA.widthPx * CAMERA.heightPx);
    for (let at = 0; at < pixels.length; at += 3) pixels.set(rgb, at);
    this.#camera.write(pixels, 3 * CAMERA.widthPx, systemClock.epochNs(), systemClock.nowNs());
  }

  /** As the daemon's main thread says it a few times a second. */
  tellRecorder(state: string, episode = ""): void {
    this.#gateway.post({
      kind: "state",
      policy: null,
      recorder: {
        state,
        task: "demonstrations",
        episode,
        seconds: 4,
        bytes: 0,
        dropped: 0,
        lostBefore: 0,
        diskFreeBytes: 1e11,
        message: "",
        lastOutcome: "",
        lastFlags: [],
      },
      activity: "",
      cameras: {},
    });
  }

  close(): Promise<void> {
    return this.#gateway.close();
  }
}

/** A fresh browser that has kept nothing. Small, because software draws it. */
export async function freshPage(browser: Browser, width = 360, height = 270): Promise<Page> {
  const context = await browser.newContext({ viewport: { width, height } });
  return context.newPage();
}

/** Pairs with a new code and waits until the page may enter. */
export async function openPaired(page: Page, { gateway }: HeadsetStage): Promise<void> {
  await page.goto(`${gateway.origin}/xr/?emulate=1#pair=${await gateway.code()}`);
  await page.locator("#enter-vr:enabled").waitFor();
}

export async function enterVr(page: Page, stage: HeadsetStage): Promise<void> {
  const count = stage.poses.length;
  await page.locator("#enter-vr").click();
  await until(() => stage.poses.length > count + 3);
}

/** Something to do to the emulated headset, inside the browser. */
export function onHeadset<T>(
  page: Page,
  act: (device: EmulatedDevice, value: T) => void,
  value: T,
): Promise<void> {
  return page.evaluate(`(${act.toString()})(window.cerebellumHeadset, ${JSON.stringify(value)})`);
}

/** @throws with `what` when it does not come about */
export async function until(look: () => boolean, what = "what was waited for", withinS = 20): Promise<void> {
  const startMs = performance.now();
  while (!look()) {
    if (performance.now() - startMs > 1000 * withinS)
      throw new Error(`${what} has not come within ${withinS} s`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
