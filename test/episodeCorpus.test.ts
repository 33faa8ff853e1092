/**
 * The promise that any episode that was ever recorded opens in any later version: those of test/corpus/episodes are
 * never recorded again, only joined by newer ones, and hold what was noted about them when they were new.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { EpisodeReader } from "../episodes/episodeReader.js";
import type { FinishedEpisode } from "../episodes/episodeSet.js";
import {
  CLOCK_MAPPING,
  EVENT,
  POLICY_STEP,
  type PolicyStep,
  readClockMapping,
  readEvent,
  readPolicyStep,
  readServoTick,
  SERVO_TICK,
  type ServoTick,
} from "../episodes/messages.js";
import { findSets } from "../episodes/recordings.js";
import { verifyEpisode } from "../episodes/verify.js";

const CORPUS = fileURLToPath(new URL("./corpus/episodes", import.meta.url));
const Facts = z.record(
  z.string(),
  z.strictObject({
    sha256: z.string(),
    kind: z.string(),
    outcome: z.string(),
    note: z.string(),
    trimS: z.array(z.number()).nullable(),
    flags: z.array(z.string()),
    context: z.record(z.string(), z.unknown()),
    messages: z.record(z.string(), z.int()),
    labelledSteps: z.int(),
    lastLabelRad: z.array(z.number()),
    lastTick: z.strictObject({ tick: z.int(), state: z.string(), sentRad: z.array(z.number()) }),
  }),
);
type EpisodeFacts = z.infer<typeof Facts>[string];

const READERS = {
  [SERVO_TICK]: readServoTick,
  [POLICY_STEP]: readPolicyStep,
  [EVENT]: readEvent,
  [CLOCK_MAPPING]: readClockMapping,
} as const;

/** Reads every message, our own ones into their fields. */
async function factsOf(episode: FinishedEpisode): Promise<EpisodeFacts> {
  const reader = await EpisodeReader.open(episode.folder);
  const messages: Record<string, number> = {};
  const steps: PolicyStep[] = [];
  let tick: ServoTick | undefined;
  for await (const message of reader.messages()) {
    messages[message.topic] = (messages[message.topic] ?? 0) + 1;
    const decoded = reader.decode(message);
    const read = READERS[message.type as keyof typeof READERS]?.(decoded);
    if (message.type === POLICY_STEP) steps.push(read as PolicyStep);
    if (message.type === SERVO_TICK) tick = read as ServoTick;
  }
  await reader.close();
  const { trim, start, end } = episode;
  const inS = (ns: bigint | null, otherwise: string) =>
    Number((ns ?? BigInt(otherwise)) - BigInt(start.startedNs)) / 1e9;
  const labelled = steps.filter(({ labelRad }) => labelRad.length > 0);
  return {
    sha256: createHash("sha256")
      .update(await readFile(reader.file))
      .digest("hex"),
    kind: start.kind,
    outcome: episode.outcome,
    note: episode.note,
    trimS: trim === undefined ? null : [inS(trim.fromNs, start.startedNs), inS(trim.toNs, end.endedNs)],
    flags: episode.flags.map(({ code, topic }) => `${code} ${topic}`),
    context: start.context,
    messages,
    labelledSteps: labelled.length,
    lastLabelRad: [...(labelled.at(-1)?.labelRad ?? [])],
    lastTick: { tick: tick?.tick ?? 0, state: tick?.state ?? "", sentRad: [...(tick?.sentRad ?? [])] },
  };
}

describe("episodes of former versions", async () => {
  const { sets } = await findSets(CORPUS);
  const listed = (await Promise.all(sets.map((set) => set.episodes()))).flat();
  const facts = Facts.parse(JSON.parse(await readFile(join(CORPUS, "facts.json"), "utf8")));

  it("are all there and noted", () => {
    expect(listed.map(({ name, folder }) => `${folder.split("/").at(-2)}/${name}`)).toEqual(
      Object.keys(facts),
    );
  });

  it.each(Object.keys(facts))("%s opens, is whole, and holds what it held", async (key) => {
    const episode = listed.find(({ folder }) => folder === join(CORPUS, key));
    if (episode?.state !== "finished") throw new Error(`${key} is ${episode?.state}: ${episode?.trouble}`);
    expect(await factsOf(episode)).toEqual(facts[key]);
    expect(await verifyEpisode(episode.folder)).toMatchObject({ whole: true, troubles: [] });
  });
});
