/**
 * The physics thread: keeps simulated time on an absolute grid of real time, and serves what cannot go through shared
 * memory. After a pause it makes up for a bounded number of steps and counts the rest as skipped. A hand keeps time
 * itself: its emulated firmware runs here, and moves the world on as its streams fall due and as it is told something.
 */
import type { MessagePort } from "node:worker_threads";
import { addNs, type Clock, msToMonotonicNs, msToNs } from "../../core/clock.js";
import { errorText, invariant } from "../../core/errors.js";
import {
  HandDevice,
  type HandDeviceRequest,
  type HandDeviceSetup,
  type OpenHandPort,
} from "../allegro/device.js";
import { layoutOf } from "./layout.js";
import { WorldMemory } from "./memory.js";
import type { WorldParts } from "./parts.js";
import { Physics } from "./physics.js";
import type { SceneOptions } from "./scene.js";
import { WorldHandPlant } from "./worldHandPlant.js";
import type { WorldSceneRequest } from "./worldScene.js";

/** Started with, as worker data. */
export interface PhysicsWorkerConfig {
  readonly memory: SharedArrayBuffer;
  readonly world: WorldParts;
  readonly hand: HandDeviceSetup | undefined;
  readonly physicsStepMs: number;
  readonly scene: WorldSceneRequest;
  readonly options: SceneOptions;
}

export type PhysicsRequest =
  | { readonly do: "scene"; readonly scene: WorldSceneRequest; readonly options: SceneOptions }
  | { readonly do: "teleport"; readonly positionRad: readonly number[] }
  | { readonly do: "teleportHand"; readonly positionRad: readonly number[] }
  | { readonly do: "hand"; readonly request: HandDeviceRequest }
  | { readonly do: "stop" };
export type PhysicsMessage = PhysicsRequest & { readonly id: number };
export interface PhysicsReply {
  readonly id: number;
  readonly error?: string;
  /** Of a hand. */
  readonly report?: Record<string, unknown>;
}

/** Steps made up for after a pause; 20 of 2 ms bridge a garbage collection or a busy machine. */
const CATCH_UP_STEPS_MAX = 20;

export interface PhysicsThread {
  readonly port: MessagePort;
  readonly clock: Clock;
  /** The same time for the hand, which must be on its grid to a fraction of a millisecond. */
  readonly handClock: Clock;
  readonly openPort: OpenHandPort;
}

/** Runs until a stop message. Answers id 0 when the world stands. */
export async function runPhysics(config: PhysicsWorkerConfig, thread: PhysicsThread): Promise<void> {
  const { port, clock } = thread;
  const memory = new WorldMemory(layoutOf(config.world), config.memory);
  const physics = await Physics.load(config.world, config.physicsStepMs, memory);
  physics.applyScene(config.scene, config.options);
  const stop = new AbortController();
  const hand = config.hand && pacedHand(config.hand, physics, memory, config.physicsStepMs, thread);
  const reply = (message: PhysicsReply) => port.postMessage(message);
  port.on("message", (message: PhysicsMessage) => {
    try {
      if (message.do === "stop") stop.abort();
      reply({ id: message.id, ...serve(message, physics, hand) });
    } catch (thrown) {
      reply({ id: message.id, error: errorText(thrown) });
    }
  });
  physics.publish(clock.nowNs(), clock.epochNs());
  await hand?.start();
  reply({ id: 0 });
  if (hand === undefined) await pace(physics, memory, msToNs(config.physicsStepMs), clock, stop.signal);
  else await until(stop.signal);
  await hand?.close();
  physics.dispose();
  port.close();
}

/** What the world's owner asks for, on whichever thread that is. */
export function serve(
  request: PhysicsRequest,
  physics: Physics,
  hand: HandDevice | undefined,
): { readonly report?: Record<string, unknown> } {
  switch (request.do) {
    case "scene":
      physics.applyScene(request.scene, request.options);
      return {};
    case "teleport":
      physics.teleport(request.positionRad);
      return {};
    case "teleportHand":
      hand?.refuseWhileOn();
      physics.teleportHand(request.positionRad);
      return {};
    case "hand":
      invariant(hand !== undefined, "this world has a hand");
      return { report: hand.ask(request.request) };
    case "stop":
      return {};
  }
}

function pacedHand(
  setup: HandDeviceSetup,
  physics: Physics,
  memory: WorldMemory,
  physicsStepMs: number,
  { clock, handClock, openPort }: PhysicsThread,
): HandDevice {
  let startMs: number | undefined;
  const plant = new WorldHandPlant(
    physics.world.hand!,
    physicsStepMs / 1000,
    () => physics.step(),
    (sinceS) => {
      const atMs = device.emulator.hand.atMs + 1000 * sinceS;
      const atNs = msToMonotonicNs(atMs);
      startMs ??= atMs - 1000 * physics.timeS;
      memory.skippedSteps = Math.max(0, Math.round((atMs - startMs - 1000 * physics.timeS) / physicsStepMs));
      physics.publish(atNs, addNs(clock.epochNs(), atNs - clock.nowNs()));
    },
  );
  const device = new HandDevice({
    setup,
    plant,
    clock: handClock,
    openPort,
    lockstep: false,
    onFailure: (thrown) => {
      throw thrown;
    },
  });
  return device;
}

const until = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });

/** Exported for its test: one step a period, on the grid that starts now. */
export async function pace(
  physics: Pick<Physics, "step" | "publish">,
  memory: WorldMemory,
  stepNs: bigint,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  let doneNs = clock.nowNs();
  for (;;) {
    await clock.sleepUntil(addNs(doneNs, stepNs), signal);
    if (signal.aborted) return;
    const nowNs = clock.nowNs();
    const epochNs = clock.epochNs();
    const dueSteps = Number((nowNs - doneNs) / stepNs);
    const steps = Math.min(dueSteps, CATCH_UP_STEPS_MAX);
    if (steps < dueSteps) memory.skippedSteps += dueSteps - steps;
    for (let step = 0; step < steps; step++) physics.step();
    doneNs = addNs(doneNs, BigInt(dueSteps) * stepNs);
    if (dueSteps > 0) physics.publish(doneNs, addNs(epochNs, doneNs - nowNs));
  }
}
