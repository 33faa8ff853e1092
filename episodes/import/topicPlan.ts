/** Decides for each topic of a bag whether it can become part of an episode, under which name, and if not, why. */
import { createHash } from "node:crypto";
import { CerebellumError } from "../../core/errors.js";
import { rosDefinition } from "../definitions.js";
import type { BagTopic } from "./bag.js";
import { type StampPlace, stampPlace } from "./stamps.js";

const TYPE = /^[A-Za-z]\w*\/msg\/[A-Za-z]\w*$/;
const TOPIC = /^(\/[A-Za-z_]\w*)+$/;

export type TopicPlan =
  | {
      readonly import: true;
      /** Name in the episode. */
      readonly as: string;
      readonly definition: string;
      readonly stamp: StampPlace;
      /** What is unusual about it; empty when nothing is. */
      readonly remark: string;
    }
  | { readonly import: false; readonly why: string };

/** Same topic, type, encoding and definition: one line of the plan, whichever file or publisher it came from. */
export function topicKey({ topic, type, serialization, definition }: BagTopic): string {
  const text = definition === undefined ? "" : `${definition.encoding}\n${withoutComments(definition.text)}`;
  return JSON.stringify([topic, type, serialization, createHash("sha256").update(text).digest("base64")]);
}

const withoutComments = (definition: string): string =>
  definition
    .split("\n")
    .map((line) => line.replace(/#.*$/, "").trim())
    .filter((line) => line !== "")
    .join("\n");

export class TopicPlanner {
  readonly #taken = new Map<string, BagTopic>();
  readonly #unused: Map<string, string>;

  /**
   * @param renames new names by name in the bag
   * @param prefixes ament prefixes, for definitions that the bag lacks
   * @throws CerebellumError CONFIG_INVALID when a new name is none
   */
  constructor(
    private readonly renames: ReadonlyMap<string, string>,
    private readonly prefixes: readonly string[],
  ) {
    this.#unused = new Map(renames);
    for (const [from, to] of renames)
      if (!TOPIC.test(to)) throw badRename(`${from}=${to}`, `"${to}" is no topic name`);
  }

  plan(topic: BagTopic): TopicPlan {
    const as = this.renames.get(topic.topic) ?? topic.topic;
    this.#unused.delete(topic.topic);
    const why = refusal(topic, as);
    if (why !== undefined) return { import: false, why };
    const other = this.#taken.get(as);
    if (other !== undefined) return { import: false, why: clash(topic, other, as) };
    const found = this.#definition(topic);
    if ("why" in found) return { import: false, why: found.why };
    this.#taken.set(as, topic);
    const place = stampPlace(found.text);
    return "place" in place
      ? { import: true, as, definition: found.text, stamp: place.place, remark: found.remark }
      : {
          import: true,
          as,
          definition: found.text,
          stamp: "none",
          remark: `its definition cannot be understood (${place.trouble}): copied as it is`,
        };
  }

  /** @throws CerebellumError CONFIG_INVALID when a name to be changed was never met */
  checkRenames(met: readonly string[]): void {
    for (const [from, to] of this.#unused)
      throw badRename(`${from}=${to}`, `the bag has no topic "${from}"; it has ${met.join(", ") || "none"}`);
  }

  #definition({ type, definition }: BagTopic): { text: string; remark: string } | { why: string } {
    if (definition !== undefined && definition.text.trim() !== "")
      return definition.encoding === "ros2msg"
        ? { text: definition.text, remark: "" }
        : { why: `its definition is in "${definition.encoding}", and only ros2msg can be kept` };
    try {
      return {
        text: rosDefinition(type, this.prefixes),
        remark: "its definition is not in the bag: taken from the installed ROS packages",
      };
    } catch (thrown) {
      if (!(thrown instanceof CerebellumError)) throw thrown;
      return { why: `its definition is neither in the bag nor installed (${type})` };
    }
  }
}

function refusal({ topic, type, serialization }: BagTopic, as: string): string | undefined {
  if (serialization === "ros1") return "its messages are of ROS 1; convert the bag with `rosbags-convert`";
  if (serialization !== "cdr") return `its messages are encoded as "${serialization}", and episodes hold cdr`;
  if (type === "") return "it has no type";
  if (!TYPE.test(type)) return `"${type}" is no ROS 2 message type`;
  if (!TOPIC.test(as)) return `"${topic.slice(0, 80)}" is no ROS topic name; give it one with --map`;
  return undefined;
}

const clash = (topic: BagTopic, other: BagTopic, as: string): string =>
  other.topic === topic.topic
    ? other.type === topic.type
      ? "the bag has it with two definitions; the first one met was taken"
      : `the bag has it with two types; the first one met, ${other.type}, was taken`
    : `${other.topic} has taken the name ${as}`;

const badRename = (rename: string, why: string) =>
  new CerebellumError("CONFIG_INVALID", `--map ${rename}: ${why}`, "Write --map /in/the/bag=/in/the/episode");
