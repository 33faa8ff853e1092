/** What decides the next motion: a learned policy, or anything else that is to run in the very same loop. */
import { type Clock, nsToMs } from "../../core/clock.js";
import type { PolicyPipeline } from "../../policies/pipeline.js";
import type { Frame } from "./frameSlots.js";

export interface Observation {
  readonly frame: Frame;
  /** Joint positions measured at the image's time [rad], base to tool. */
  readonly positionRad: Float64Array;
  /** Newest opening between the finger pads [m]; NaN without a gripper. */
  readonly gripperOpeningM: number;
}

/** Durations of the newest `act` [ms]; NaN for parts that do not exist. */
export interface ActorParts {
  readonly preprocessMs: number;
  readonly encodeMs: number;
  readonly controlMs: number;
}

export interface Actor {
  /**
   * Joint step relative to `positionRad` [rad], base to tool, and behind it the gripper's opening [m] where the runner
   * has bounds for one; the runner clips them and refuses values that are not finite. The observation's pixels must not be kept beyond the call.
   */
  act(observation: Observation): Promise<ArrayLike<number>> | ArrayLike<number>;
  readonly parts?: ActorParts;
}

/** A policy bundle as an actor. */
export class PolicyActor implements Actor {
  readonly #pipeline: PolicyPipeline;
  readonly #clock: Clock;
  readonly #state: Float64Array;
  #parts: ActorParts = { preprocessMs: Number.NaN, encodeMs: Number.NaN, controlMs: Number.NaN };

  constructor(pipeline: PolicyPipeline, clock: Clock) {
    this.#pipeline = pipeline;
    this.#clock = clock;
    this.#state = new Float64Array(pipeline.manifest.proprioception.length);
  }

  get parts(): ActorParts {
    return this.#parts;
  }

  /** @throws POLICY_OUTPUT_INVALID when the controller's output is not finite */
  async act({ frame, positionRad, gripperOpeningM }: Observation): Promise<Float32Array> {
    const startNs = this.#clock.nowNs();
    this.#pipeline.preprocess(frame.pixels, frame.encoding);
    const preprocessedNs = this.#clock.nowNs();
    await this.#pipeline.encode();
    const encodedNs = this.#clock.nowNs();
    const state = this.#pipeline.assembleState(positionRad, gripperOpeningM, this.#state);
    const action = await this.#pipeline.control(state);
    this.#parts = {
      preprocessMs: nsToMs(preprocessedNs - startNs),
      encodeMs: nsToMs(encodedNs - preprocessedNs),
      controlMs: nsToMs(this.#clock.nowNs() - encodedNs),
    };
    return action;
  }
}
