/**
 * Who moves the world: a thread that keeps real time, or the caller, step by step. Both share `WorldMemory` with the
 * emulated controller, which cannot tell them apart.
 */

import { addNs, type Clock, type EpochNs, type MonotonicNs, msToNs } from "../core/clock.js";
import type { CerebellumError } from "../core/errors.js";
import { invariant } from "../core/errors.js";
import { LabThread, type WithoutId } from "./workers.js";
import type { WorldMemory } from "./world/memory.js";
import { Physics } from "./world/physics.js";
import type { PhysicsMessage, PhysicsReply, PhysicsWorkerConfig } from "./world/physicsLoop.js";
import type { SceneOptions } from "./world/scene.js";
import type { WorldSceneRequest } from "./world/worldScene.js";

export interface WorldHost {
  applyScene(scene: WorldSceneRequest, options: SceneOptions): Promise<void>;
  teleport(positionRad: readonly number[]): Promise<void>;
  stop(grace: Promise<void>): Promise<void>;
}

/** Real time, in a thread of its own. */
export async function startPacedWorld(
  url: URL,
  config: PhysicsWorkerConfig,
  onFailure: (error: CerebellumError) => void,
): Promise<WorldHost> {
  const thread = await LabThread.start<PhysicsMessage, PhysicsReply>(
    "physics",
    url,
    config,
    () => {},
    onFailure,
  );
  const ask = async (message: WithoutId<PhysicsMessage>) => void (await thread.ask(message));
  return {
    applyScene: (scene, options) => ask({ do: "scene", scene, options }),
    teleport: (positionRad) => ask({ do: "teleport", positionRad }),
    stop: (grace) => thread.stop({ do: "stop" }, grace),
  };
}

/** Simulated time only: it stands still until `advance`, on the caller's thread. */
export class LockstepWorld implements WorldHost {
  readonly #physics: Physics;
  readonly #stepS: number;
  readonly #startNs: MonotonicNs;
  readonly #startEpochNs: EpochNs;

  static async load(config: PhysicsWorkerConfig, memory: WorldMemory, clock: Clock): Promise<LockstepWorld> {
    const physics = await Physics.load(config.world, config.physicsStepMs, memory);
    return new LockstepWorld(physics, config, clock);
  }

  private constructor(physics: Physics, config: PhysicsWorkerConfig, clock: Clock) {
    this.#physics = physics;
    this.#stepS = config.physicsStepMs / 1000;
    this.#startNs = clock.nowNs();
    this.#startEpochNs = clock.epochNs();
    physics.applyScene(config.scene, config.options);
    this.#publish();
  }

  get timeS(): number {
    return this.#physics.timeS;
  }

  /** @param dtS a whole number of physics steps */
  advance(dtS: number): void {
    const steps = Math.round(dtS / this.#stepS);
    invariant(Math.abs(steps * this.#stepS - dtS) < 1e-9, `${dtS} s is a whole number of physics steps`);
    for (let step = 0; step < steps; step++) this.#physics.step();
    this.#publish();
  }

  async applyScene(scene: WorldSceneRequest, options: SceneOptions): Promise<void> {
    this.#physics.applyScene(scene, options);
    this.#publish();
  }

  async teleport(positionRad: readonly number[]): Promise<void> {
    this.#physics.teleport(positionRad);
    this.#publish();
  }

  async stop(): Promise<void> {
    this.#physics.dispose();
  }

  /** Stamps follow simulated time from where the real clocks stood at the start. */
  #publish(): void {
    const elapsedNs = msToNs(1000 * this.#physics.timeS);
    this.#physics.publish(addNs(this.#startNs, elapsedNs), addNs(this.#startEpochNs, elapsedNs));
  }
}
