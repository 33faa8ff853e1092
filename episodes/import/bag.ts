/**
 * What every kind of bag looks like to the import: files that are read in order, each giving its topics and its messages
 * and, as it goes, remarks on everything that could not be read.
 */
import { CerebellumError } from "../../core/errors.js";

export interface BagTopic {
  readonly topic: string;
  /** e.g. "sensor_msgs/msg/Image" */
  readonly type: string;
  /** Of the messages: "cdr" in ROS 2. */
  readonly serialization: string;
  /** Undefined when the bag has none, as in old sqlite3 bags. */
  readonly definition: { readonly encoding: string; readonly text: string } | undefined;
  /** As the bag has them: YAML, empty when unknown. */
  readonly qosProfiles: string;
}

export interface BagMessage {
  readonly topic: BagTopic;
  /** When it was received, by the clock of whoever recorded it. */
  readonly logNs: bigint;
  /** When it was published, as far as the bag says; 0 when it does not. */
  readonly publishNs: bigint;
  /** Valid until the next message is asked for. */
  readonly data: Uint8Array;
}

/** One file of a bag on one way through it. */
export interface BagReading {
  /** All topics that have been met so far, also those without messages. */
  readonly topics: readonly BagTopic[];
  /** Name and version of the recorder; empty when the file does not say. */
  readonly recorder: string;
  /** What is missing of the recording, in words. */
  readonly damage: readonly string[];
  /** What else was passed over or is unusual, in words. */
  readonly remarks: readonly string[];
  /** Messages by topic that the file had and that cannot be read. */
  readonly lost: ReadonlyMap<string, number>;
  /** Metadata records, name and contents. */
  readonly metadata: ReadonlyMap<string, ReadonlyMap<string, string>>;
  messages(): AsyncGenerator<BagMessage, void, void>;
}

export const bagInvalid = (what: string, remedy: string, cause?: unknown) =>
  new CerebellumError("BAG_INVALID", what, remedy, cause);

/** @throws CerebellumError RECORDING_FAILED once the signal is given */
export function refuseAbort(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return;
  throw new CerebellumError(
    "RECORDING_FAILED",
    "The import was interrupted; nothing of it is kept",
    "Run it again",
  );
}
