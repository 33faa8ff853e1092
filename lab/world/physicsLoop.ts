/**
 * The physics thread: keeps simulated time on an absolute grid of real time, and serves what cannot go through shared
 * memory. After a pause it makes up for a bounded number of steps and counts the rest as skipped.
 */
import type { MessagePort } from "node:worker_threads";
import { addNs, type Clock, msToNs } from "../../core/clock.js";
import { errorText } from "../../core/errors.js";
import { layoutOf } from "./layout.js";
import { WorldMemory } from "./memory.js";
import type { WorldParts } from "./parts.js";
import { Physics } from "./physics.js";
import type { SceneOptions } from "./scene.js";
import type { WorldSceneRequest } from "./worldScene.js";

/** Started with, as worker data. */
export interface PhysicsWorkerConfig {
  readonly memory: SharedArrayBuffer;
  readonly world: WorldParts;
  readonly physicsStepMs: number;
  readonly scene: WorldSceneRequest;
  readonly options: SceneOptions;
}

export type PhysicsMessage = { readonly id: number } & (
  | { readonly do: "scene"; readonly scene: WorldSceneRequest; readonly options: SceneOptions }
  | { readonly do: "teleport"; readonly positionRad: readonly number[] }
  | { readonly do: "stop" }
);
export interface PhysicsReply {
  readonly id: number;
  readonly error?: string;
}

/** Steps made up for after a pause; 20 of 2 ms bridge a garbage collection or a busy machine. */
const CATCH_UP_STEPS_MAX = 20;

/** Runs until a stop message. Answers id 0 when the world stands. */
export async function runPhysics(
  config: PhysicsWorkerConfig,
  port: MessagePort,
  clock: Clock,
): Promise<void> {
  const memory = new WorldMemory(layoutOf(config.world), config.memory);
  const physics = await Physics.load(config.world, config.physicsStepMs, memory);
  physics.applyScene(config.scene, config.options);
  const stop = new AbortController();
  const reply = (message: PhysicsReply) => port.postMessage(message);
  port.on("message", (message: PhysicsMessage) => {
    try {
      if (message.do === "scene") physics.applyScene(message.scene, message.options);
      else if (message.do === "teleport") physics.teleport(message.positionRad);
      else stop.abort();
      reply({ id: message.id });
    } catch (thrown) {
      reply({ id: message.id, error: errorText(thrown) });
    }
  });
  physics.publish(clock.nowNs(), clock.epochNs());
  reply({ id: 0 });
  await pace(physics, memory, msToNs(config.physicsStepMs), clock, stop.signal);
  physics.dispose();
  port.close();
}

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
