/** The main thread's end of the ring: which topics go in, and what of them is kept for the next episode. */
import type { MonotonicNs } from "../../core/clock.js";
import { rosDefinition } from "../../episodes/definitions.js";
import { POLICY_STEP, type PolicyStep, writePolicyStep } from "../../episodes/messages.js";
import { type RosCodec, rosCodec } from "../../episodes/rosCodec.js";
import type { RecorderInput } from "./messages.js";
import { createRing, RingWriter } from "./ring.js";

/** Most latched messages that are kept, of all topics together. */
const LATCHED_MAX = 64;

interface Latched {
  readonly input: number;
  readonly receivedNs: MonotonicNs;
  readonly cdr: Uint8Array;
}

export class RecorderFeed {
  readonly ring: SharedArrayBuffer;
  readonly #writer: RingWriter;
  readonly #inputs: readonly RecorderInput[];
  readonly #numbers: ReadonlyMap<string, number>;
  readonly #prefixes: readonly string[];
  /** Several publishers of one latched topic, as /tf_static has, each have a message that counts. */
  readonly #latched: Latched[] = [];
  #policyStep: RosCodec | undefined;

  constructor(ringBytes: number, inputs: readonly RecorderInput[], prefixes: readonly string[]) {
    this.ring = createRing(ringBytes, inputs.length);
    this.#writer = new RingWriter(this.ring);
    this.#inputs = inputs;
    this.#numbers = new Map(inputs.map(({ topic }, number) => [topic, number]));
    this.#prefixes = prefixes;
  }

  get usedBytes(): number {
    return this.#writer.usedBytes;
  }

  /** Copies a message in while an episode runs; a latched one is kept in any case. Other topics are not meant. */
  write(topic: string, receivedNs: MonotonicNs, cdr: Uint8Array, isRecording: boolean): void {
    const input = this.#numbers.get(topic);
    if (input === undefined) return;
    if (this.#inputs[input]!.latched) this.#keep({ input, receivedNs, cdr: new Uint8Array(cdr) });
    if (isRecording) this.#writer.write(input, receivedNs, cdr);
  }

  /** At the start of an episode: what was published once, before it. */
  giveLatched(): void {
    for (const { input, receivedNs, cdr } of this.#latched) this.#writer.write(input, receivedNs, cdr);
  }

  /** @throws CerebellumError ROS_UNAVAILABLE when our own messages are not built */
  encodeStep(step: PolicyStep): Uint8Array {
    this.#policyStep ??= rosCodec(POLICY_STEP, rosDefinition(POLICY_STEP, this.#prefixes));
    return this.#policyStep.encode(writePolicyStep(step));
  }

  #keep(message: Latched): void {
    const same = this.#latched.findIndex(
      ({ input, cdr }) => input === message.input && Buffer.compare(cdr, message.cdr) === 0,
    );
    if (same >= 0) this.#latched.splice(same, 1);
    this.#latched.push(message);
    if (this.#latched.length > LATCHED_MAX) this.#latched.shift();
  }
}
