/**
 * Camera pictures for people. Frames come through shared memory, newest wins, and only while somebody watches: the main
 * thread copies nothing otherwise. Each picture is compressed once for all who are due, in the image library's own
 * threads and at most one at a time for each camera; a client that is slow misses pictures, never delays one.
 */
import { type MonotonicNs, nsToMs } from "../../core/clock.js";
import { errorText } from "../../core/errors.js";
import { encodeCameraFrame } from "../../core/gateway/cameraFrame.js";
import type { ClientMessage } from "../../core/gateway/client.js";
import { type Frame, FrameReader } from "../policy/frameSlots.js";
import {
  DROP_ABOVE_BYTES,
  type GatewayClient,
  type GatewayPart,
  type PartFactory,
  type PartServices,
} from "./part.js";
import { toJpeg } from "./pictures.js";
import { RateGate } from "./rateGrid.js";

/** How long a silent camera is waited for in one go. */
const WAIT_MS = 500;

type Camera = PartServices["setup"]["cameras"][number];

interface Watcher {
  readonly client: GatewayClient;
  readonly gate: RateGate;
}

interface WatchedCamera {
  readonly camera: Camera;
  readonly watchers: Map<GatewayClient, Watcher>;
  running: Promise<void> | undefined;
}

export const cameraPart: PartFactory = (services) => new CameraPart(services);

class CameraPart implements GatewayPart {
  readonly #services: PartServices;
  readonly #cameras: ReadonlyMap<string, WatchedCamera>;
  readonly #ended = new AbortController();
  #told = "[]";

  constructor(services: PartServices) {
    this.#services = services;
    this.#cameras = new Map(
      services.setup.cameras.map((camera) => [
        camera.camera,
        { camera, watchers: new Map(), running: undefined },
      ]),
    );
  }

  onSubscribe(client: GatewayClient, { cameras }: Extract<ClientMessage, { kind: "subscribe" }>): void {
    const { rateHzMax } = this.#services.setup.gateway.camera;
    for (const [name, watched] of this.#cameras) {
      const wanted = cameras.find(({ camera }) => camera === name);
      if (wanted === undefined) {
        watched.watchers.delete(client);
        continue;
      }
      const rateHz = Math.min(wanted.rateHz, rateHzMax);
      if (watched.watchers.get(client)?.gate.rateHz !== rateHz)
        watched.watchers.set(client, { client, gate: new RateGate(rateHz) });
    }
    this.#changed();
  }

  onClosed(client: GatewayClient): void {
    for (const { watchers } of this.#cameras.values()) watchers.delete(client);
    this.#changed();
  }

  async close(): Promise<void> {
    for (const { watchers } of this.#cameras.values()) watchers.clear();
    this.#ended.abort();
    await Promise.all([...this.#cameras.values()].map(({ running }) => running));
  }

  /** Tells the main thread what is watched, and at what rate at most. */
  #changed(): void {
    const cameras = [...this.#cameras].flatMap(([camera, { watchers }]) => {
      const rates = [...watchers.values()].map(({ gate }) => gate.rateHz);
      return rates.length === 0 ? [] : [{ camera, rateHz: Math.max(...rates) }];
    });
    const text = JSON.stringify(cameras);
    if (text !== this.#told) this.#services.post({ kind: "watch", cameras });
    this.#told = text;
    for (const watched of this.#cameras.values())
      if (watched.watchers.size > 0 && watched.running === undefined)
        watched.running = this.#show(watched).finally(() => {
          watched.running = undefined;
          // Somebody may have come while the last wait ended.
          if (!this.#ended.signal.aborted && watched.watchers.size > 0) this.#changed();
        });
  }

  async #show({ camera, watchers }: WatchedCamera): Promise<void> {
    const reader = new FrameReader(camera.frames, camera);
    // What still lies there is from the last time that somebody watched.
    let shownSequence = reader.newest()?.sequence ?? 0;
    while (watchers.size > 0) {
      await reader.filled(WAIT_MS);
      const frame = reader.newest();
      if (watchers.size === 0 || frame === undefined || frame.sequence === shownSequence) continue;
      shownSequence = frame.sequence;
      await this.#offer(camera, frame, watchers);
    }
  }

  async #offer(camera: Camera, frame: Frame, watchers: ReadonlyMap<GatewayClient, Watcher>): Promise<void> {
    const { clock, setup, log, skippedPictures } = this.#services;
    const nowNs: MonotonicNs = clock.nowNs();
    const due = [...watchers.values()].filter(({ gate }) => gate.isDue(nowNs));
    if (due.length === 0) return;
    for (const { gate } of due) gate.pass(nowNs);
    const skip = (count: number) =>
      skippedPictures.set(camera.camera, (skippedPictures.get(camera.camera) ?? 0) + count);
    // A picture that nobody will take is not made: a page that hangs costs nothing.
    const able = due.filter(({ client }) => client.bufferedBytes <= DROP_ABOVE_BYTES);
    if (able.length < due.length) skip(due.length - able.length);
    if (able.length === 0) return;
    let jpeg: Uint8Array;
    try {
      jpeg = await toJpeg(frame, setup.gateway.camera);
    } catch (thrown) {
      log("warn", "pictureFailed", `${camera.camera}: ${errorText(thrown)}`);
      return;
    }
    const picture = encodeCameraFrame({
      cameraIndex: camera.index,
      sequence: frame.sequence,
      captureEpochMs: nsToMs(frame.stampNs),
      ageMs: nsToMs(clock.epochNs() - frame.stampNs),
      jpeg,
    });
    for (const { client } of able) if (!client.closed.aborted && !client.offer(picture)) skip(1);
  }
}
