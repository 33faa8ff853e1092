/**
 * Who moves the world: a thread that keeps real time, or the caller, step by step. Both share `WorldMemory` with the
 * emulated controller, which cannot tell them apart.
 */

import { addNs, type Clock, type EpochNs, type MonotonicNs, msToNs } from "../core/clock.js";
import type { CerebellumError } from "../core/errors.js";
import { invariant } from "../core/errors.js";
import { HandDevice, type OpenHandPort } from "./allegro/device.js";
import { LabThread } from "./workers.js";
import type { WorldMemory } from "./world/memory.js";
import { Physics } from "./world/physics.js";
import {
  type PhysicsMessage,
  type PhysicsReply,
  type PhysicsRequest,
  type PhysicsWorkerConfig,
  serve,
} from "./world/physicsLoop.js";
import { WorldHandPlant } from "./world/worldHandPlant.js";

export interface WorldHost {
  /** @returns what a hand has to tell, where the request is one to it */
  ask(request: Exclude<PhysicsRequest, { do: "stop" }>): Promise<Record<string, unknown>>;
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
  return {
    ask: async (request) => (await thread.ask(request)).report ?? {},
    stop: (grace) => thread.stop({ do: "stop" }, grace),
  };
}

/** Simulated time only: it stands still until `advance`, on the caller's thread. */
export class LockstepWorld implements WorldHost {
  readonly #physics: Physics;
  readonly #hand: HandDevice | undefined;
  readonly #stepS: number;
  readonly #startNs: MonotonicNs;
  readonly #startEpochNs: EpochNs;

  static async load(
    config: PhysicsWorkerConfig,
    memory: WorldMemory,
    clock: Clock,
    openPort: OpenHandPort,
  ): Promise<LockstepWorld> {
    const physics = await Physics.load(config.world, config.physicsStepMs, memory);
    const world = new LockstepWorld(physics, config, clock, openPort);
    await world.#hand?.start();
    return world;
  }

  private constructor(physics: Physics, config: PhysicsWorkerConfig, clock: Clock, openPort: OpenHandPort) {
    this.#physics = physics;
    this.#stepS = config.physicsStepMs / 1000;
    this.#startNs = clock.nowNs();
    this.#startEpochNs = clock.epochNs();
    this.#hand =
      config.hand &&
      new HandDevice({
        setup: config.hand,
        plant: new WorldHandPlant(physics.world.hand!, this.#stepS, () => physics.step()),
        clock,
        openPort,
        lockstep: true,
        onFailure: (thrown) => {
          throw thrown;
        },
      });
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
    if (this.#hand === undefined) for (let step = 0; step < steps; step++) this.#physics.step();
    else this.#hand.emulator.step(dtS);
    this.#publish();
  }

  async ask(request: PhysicsRequest): Promise<Record<string, unknown>> {
    const { report } = serve(request, this.#physics, this.#hand);
    this.#publish();
    return report ?? {};
  }

  async stop(): Promise<void> {
    await this.#hand?.close();
    this.#physics.dispose();
  }

  /** Stamps follow simulated time from where the real clocks stood at the start. */
  #publish(): void {
    const elapsedNs = msToNs(1000 * this.#physics.timeS);
    this.#physics.publish(addNs(this.#startNs, elapsedNs), addNs(this.#startEpochNs, elapsedNs));
  }
}
