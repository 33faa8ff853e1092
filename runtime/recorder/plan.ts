/** The topics of an episode, in the order in which they are declared in its file, and how each is filled. */
import { rosDefinition } from "../../episodes/definitions.js";
import type { RecordedTopic } from "../../episodes/format.js";
import {
  CLOCK_MAPPING,
  CLOCK_TOPIC,
  EVENT,
  policyInputTopic,
  RECORDER_EVENT_TOPIC,
  SERVO_TICK,
  servoEventTopic,
  servoTickTopic,
} from "../../episodes/messages.js";
import { type RosCodec, rosCodec } from "../../episodes/rosCodec.js";
import { COMPRESSED_IMAGE, RAW_IMAGE, storedImage } from "./images.js";
import type { RecorderSetup } from "./messages.js";

export interface PlannedTopic {
  /** As it is in the file: an image that is compressed has another name and type there. */
  readonly topic: RecordedTopic;
  readonly definition: string;
  /** Its messages begin with the time of their making. */
  readonly isStamped: boolean;
  /** Number in the ring; undefined for what the recorder's thread makes itself. */
  readonly input: number | undefined;
  readonly countsGaps: boolean;
  /** Messages are images; `compressed` ones go through an image store. */
  readonly image: "none" | "raw" | "compressed";
}

type Planned = Pick<PlannedTopic, "topic"> & Partial<PlannedTopic>;

/** @throws CerebellumError ROS_UNAVAILABLE when a type has no definition on this machine */
export class TopicPlan {
  readonly topics: readonly PlannedTopic[];
  readonly #definitions = new Map<string, string>();
  readonly #codecs = new Map<string, RosCodec>();
  readonly #prefixes: readonly string[];

  constructor(setup: RecorderSetup, rateHz: ReadonlyMap<string, number>) {
    this.#prefixes = setup.prefixes;
    this.topics = [
      ...setup.inputs.map((_, input) => plannedInput(setup, input)),
      ...[...rateHz].flatMap(([robot, rate]): Planned[] => [
        { topic: { topic: servoTickTopic(robot), type: SERVO_TICK, source: "servo", rateHz: rate } },
        { topic: { topic: servoEventTopic(robot), type: EVENT, source: "servo" } },
      ]),
      ...setup.policyCameras.map(
        (camera): Planned => ({
          topic: { topic: policyInputTopic(camera), type: COMPRESSED_IMAGE, source: "policy" },
        }),
      ),
      { topic: { topic: RECORDER_EVENT_TOPIC, type: EVENT, source: "recorder" } } satisfies Planned,
      { topic: { topic: CLOCK_TOPIC, type: CLOCK_MAPPING, source: "recorder" } } satisfies Planned,
    ].map((planned: Planned) => {
      const definition = this.#definition(planned.topic.type);
      return {
        input: undefined,
        countsGaps: false,
        image: "none",
        ...planned,
        definition,
        isStamped: beginsWithStamp(definition),
      };
    });
  }

  codec(type: string): RosCodec {
    let codec = this.#codecs.get(type);
    if (codec === undefined) {
      codec = rosCodec(type, this.#definition(type));
      this.#codecs.set(type, codec);
    }
    return codec;
  }

  #definition(type: string): string {
    let definition = this.#definitions.get(type);
    if (definition === undefined) {
      definition = rosDefinition(type, this.#prefixes);
      this.#definitions.set(type, definition);
    }
    return definition;
  }
}

function plannedInput({ inputs, images }: RecorderSetup, input: number): Planned {
  const { latched: _latched, countsGaps, ...topic } = inputs[input]!;
  if (topic.type !== RAW_IMAGE) return { topic, input, countsGaps };
  return {
    topic: { ...topic, ...storedImage(topic.topic, images) },
    input,
    countsGaps,
    image: images === "raw" ? "raw" : "compressed",
  };
}

/** First field of the type itself: `std_msgs/Header header`, or a plain `builtin_interfaces/Time`. */
export function beginsWithStamp(definition: string): boolean {
  const first = definition
    .split("\n")
    .map((line) => line.replace(/#.*$/, "").trim())
    .find((line) => line !== "" && !/^\S+\s+\w+\s*=/.test(line));
  return (
    first !== undefined && /^((std_msgs\/(msg\/)?)?Header|builtin_interfaces\/(msg\/)?Time)\s/.test(first)
  );
}
