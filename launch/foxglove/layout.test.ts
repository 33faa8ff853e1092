/** Every topic and message path of the shipped layout is in the episodes that the lab's cell records. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "@foxglove/rosmsg";
import { describe, expect, it } from "vitest";
import { parse as parseYaml } from "yaml";
import { repositoryRootUrl } from "../../core/entry.js";
import type { RecorderSetup } from "../../runtime/recorder/messages.js";
import { TopicPlan } from "../../runtime/recorder/plan.js";
import { CellConfig } from "../cell/schema.js";
import { recorderInputs } from "../daemon/recorderSide.js";

const hasRos = Boolean(process.env.AMENT_PREFIX_PATH);
const atRoot = (path: string) => readFileSync(fileURLToPath(new URL(path, repositoryRootUrl())), "utf8");

type Panel = Record<string, unknown>;
interface Layout {
  readonly configById: Record<string, Panel>;
  readonly layout: unknown;
}
const layout = JSON.parse(atRoot("launch/foxglove/cerebellum.json")) as Layout;

interface Topic {
  readonly type: string;
  readonly definition: string;
  readonly jointCount: number;
}

/** Topics of the lab cell's episodes, as the recorder declares them. */
function labTopics(): Map<string, Topic> {
  const cell = CellConfig.parse(parseYaml(atRoot("launch/cells/xarm7-lab.yaml")));
  const { recorder } = cell;
  if (recorder === "off") throw new Error("the lab's cell records");
  const setup: Pick<RecorderSetup, "inputs" | "images" | "prefixes" | "policyCameras"> = {
    inputs: recorderInputs(cell, recorder),
    images: recorder.images,
    prefixes: (process.env.AMENT_PREFIX_PATH ?? "").split(":"),
    policyCameras: ["wrist"],
  };
  const { topics } = new TopicPlan(setup as RecorderSetup, new Map([["arm", 250]]));
  return new Map(
    topics.map(({ topic, definition }) => [topic.topic, { type: topic.type, definition, jointCount: 7 }]),
  );
}

/** All panels that a tree of splits shows; tabs have trees of their own. */
function shownPanels(tree: unknown): string[] {
  if (typeof tree === "string") {
    const tabs = (layout.configById[tree]?.tabs ?? []) as { layout: unknown }[];
    return [tree, ...tabs.flatMap((tab) => shownPanels(tab.layout))];
  }
  const { first, second } = tree as { first: unknown; second: unknown };
  return [...shownPanels(first), ...shownPanels(second)];
}

/** Topics and message paths of one panel. */
function pathsOf(panel: Panel): string[] {
  const { paths, topicPath, imageMode, topics, layers } = panel as {
    paths?: { value: string }[];
    topicPath?: string;
    imageMode?: { imageTopic?: string; calibrationTopic?: string };
    topics?: Record<string, unknown>;
    layers?: Record<string, { topic?: string }>;
  };
  return [
    ...(paths ?? []).map(({ value }) => value),
    topicPath,
    imageMode?.imageTopic,
    imageMode?.calibrationTopic,
    ...Object.keys(topics ?? {}),
    ...Object.values(layers ?? {}).map(({ topic }) => topic),
  ].filter((path) => path !== undefined);
}

/** What is wrong with a path such as /arm/servo_tick.sent_rad[3]; undefined when nothing is. */
function faultOf(path: string, topics: ReadonlyMap<string, Topic>): string | undefined {
  const [, name, rest] = /^(\/[\w/]+)((?:\.\w+(?:\[\d+\])?)*)$/.exec(path) ?? [];
  const topic = topics.get(name ?? "");
  if (topic === undefined) return `${path}: no such topic`;
  const definitions = parse(topic.definition, { ros2: true });
  let fields = definitions[0]!.definitions;
  for (const [, field, index] of (rest ?? "").matchAll(/\.(\w+)(?:\[(\d+)\])?/g)) {
    const found = fields.find((one) => one.name === field && !one.isConstant);
    if (found === undefined) return `${path}: no field ${field} in ${topic.type}`;
    if (found.isArray === true && index === undefined) return `${path}: ${field} is an array`;
    if (found.isArray !== true && index !== undefined) return `${path}: ${field} is no array`;
    if (index !== undefined && Number(index) >= topic.jointCount) return `${path}: no element ${index}`;
    fields = definitions.find((one) => one.name === found.type)?.definitions ?? [];
  }
  return undefined;
}

describe.skipIf(!hasRos && !process.env.CI)("the layout for Foxglove", () => {
  it("names only topics and fields that an episode has", () => {
    const topics = labTopics();
    const paths = Object.values(layout.configById).flatMap(pathsOf);
    expect(paths.length).toBeGreaterThan(50);
    expect(paths.map((path) => faultOf(path, topics)).filter((fault) => fault !== undefined)).toEqual([]);
  });

  it("would notice a path that an episode does not have", () => {
    const topics = labTopics();
    for (const path of [
      "/arm/servo_tock.tick",
      "/arm/servo_tick.sent",
      "/arm/servo_tick.sent_rad",
      "/arm/servo_tick.sent_rad[7]",
      "/arm/servo_tick.tick[0]",
      "/arm/servo_tick.stamp.hour",
    ])
      expect(faultOf(path, topics)).toBeDefined();
  });

  it("shows every panel once, and no other", () => {
    expect(shownPanels(layout.layout).sort()).toEqual(Object.keys(layout.configById).sort());
  });

  it("plots what was requested, limited, sent and measured of each joint", () => {
    for (let joint = 0; joint < 7; joint++)
      expect(pathsOf(layout.configById[`Plot!joint${joint + 1}`]!)).toEqual(
        ["requested", "limited", "sent", "position"].map((kind) => `/arm/servo_tick.${kind}_rad[${joint}]`),
      );
  });
});
