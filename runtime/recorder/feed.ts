/** The main thread's end of the ring: which topics go in, and what of them is kept for the next episode. */
import type { MonotonicNs } from "../../core/clock.js";
import { rosDefinition } from "../../episodes/definitions.js";
import { LABELLED_NUMBERS } from "../../episodes/labelledNumbers.js";
import { POLICY_STEP, type PolicyStep, writePolicyStep } from "../../episodes/messages.js";
import { type RosCodec, type RosMessage, rosCodec } from "../../episodes/rosCodec.js";
import { LatchedMessages } from "../latched.js";
import type { RecorderInput } from "./messages.js";
import { createRing, RingWriter } from "./ring.js";

export class RecorderFeed {
  readonly ring: SharedArrayBuffer;
  readonly #writer: RingWriter;
  readonly #inputs: readonly RecorderInput[];
  readonly #numbers: ReadonlyMap<string, number>;
  readonly #prefixes: readonly string[];
  readonly #latched = new LatchedMessages();
  #policyStep: RosCodec | undefined;
  #policyReading: RosCodec | undefined;

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
    if (this.#inputs[input]!.latched) this.#latched.keep(input, "each", receivedNs, cdr);
    if (isRecording) this.#writer.write(input, receivedNs, cdr);
  }

  /** At the start of an episode: what was published once, before it. */
  giveLatched(): void {
    for (const { topic, receivedNs, cdr } of this.#latched.all()) this.#writer.write(topic, receivedNs, cdr);
  }

  /** @throws CerebellumError ROS_UNAVAILABLE when our own messages are not built */
  encodeStep(step: PolicyStep): Uint8Array {
    this.#policyStep ??= rosCodec(POLICY_STEP, rosDefinition(POLICY_STEP, this.#prefixes));
    return this.#policyStep.encode(writePolicyStep(step));
  }

  /** @throws CerebellumError ROS_UNAVAILABLE without the standard messages */
  encodeReading(reading: RosMessage): Uint8Array {
    this.#policyReading ??= rosCodec(LABELLED_NUMBERS, rosDefinition(LABELLED_NUMBERS, this.#prefixes));
    return this.#policyReading.encode(reading);
  }
}
