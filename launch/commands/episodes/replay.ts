/**
 * `episodes replay`: sends a robot again what it was sent in an episode. Everything is planned before anything moves;
 * with `--prune` a person says after each one whether it is kept.
 */
import { z } from "zod";
import { sleepMs } from "../../../core/clock.js";
import { CerebellumError } from "../../../core/errors.js";
import { EpisodeReader } from "../../../episodes/episodeReader.js";
import type { FinishedEpisode } from "../../../episodes/episodeSet.js";
import { findEpisode } from "../../../episodes/recordings.js";
import { planReplay, type ReplayPlan } from "../../../runtime/replay/plan.js";
import { recordedMotion } from "../../../runtime/replay/recordedMotion.js";
import { type ReplayOutcome, runReplay } from "../../../runtime/replay/replayer.js";
import type { ServoClient } from "../../../runtime/servo/api.js";
import type { RobotConfig } from "../../cell/robotConfig.js";
import { robotBody } from "../../robotBody.js";
import { printer, writeJson } from "../output.js";
import { Person, settle, type Verdict } from "./prune.js";
import { type ReplayStage, withStage } from "./replayStage.js";

export interface ReplayOptions {
  readonly cell: string;
  /** Share of the recorded speed. */
  readonly speed: number;
  /** Its name in the episodes and in the cell; needed where either has more than one. */
  readonly robot?: string;
  /** Ask after each replay whether the episode is kept. */
  readonly prune: boolean;
  /** Record the replay, as an episode of its own. */
  readonly record: boolean;
  readonly json?: string;
}

/** Of the limits, on the way to the start pose, unless the cell's policy says otherwise. */
const APPROACH_SPEED_SCALE = 0.3;
/** The scene's objects have come to rest. */
const SCENE_SETTLE_MS = 400;

interface Planned {
  readonly episode: FinishedEpisode;
  readonly robot: string;
  readonly plan: ReplayPlan;
}

/** What became of one replay, as `--json` has it. */
interface Result {
  readonly episode: string;
  readonly isExact: boolean;
  readonly remarks: readonly string[];
  readonly outcome: ReplayOutcome;
  readonly verdict: Verdict | undefined;
}

/** @throws CerebellumError CHECK_FAILED when a replay did not come to its end, after the JSON was written */
export async function replayEpisodes(
  words: readonly string[],
  recordings: string,
  options: ReplayOptions,
): Promise<void> {
  const say = printer(options.json);
  const episodes = await Promise.all(words.map((word) => findEpisode(word, recordings)));
  const results: Result[] = [];
  const stageOptions = { cellFile: options.cell, recordings, logToStderr: options.json === "-" };
  await withStage(stageOptions, say, async (stage) => {
    const person = options.prune ? new Person(process.stdin, say) : undefined;
    try {
      const planned: Planned[] = [];
      for (const episode of episodes) planned.push(await planOne(stage, episode, options, say));
      for (const one of planned) {
        const verdict = await replayAndAsk(stage, one, options, say, person, results);
        if (verdict === "quit" || stage.signal.aborted) break;
        // What ended one replay is not answered by the next one, unless a person who watches wants it.
        if (person === undefined && results.at(-1)?.outcome.stoppedBecause !== undefined) break;
      }
    } finally {
      person?.close();
    }
  });
  writeJson(options.json, { speed: options.speed, replays: results });
  const broken = results.filter(({ outcome }) => outcome.stoppedBecause !== undefined);
  if (broken.length === 0) return;
  throw new CerebellumError(
    "CHECK_FAILED",
    `${broken.length} of ${results.length} replays did not come to their end`,
    "`./cerebellum why` explains what the servo saw",
  );
}

async function replayAndAsk(
  stage: ReplayStage,
  one: Planned,
  options: ReplayOptions,
  say: (line: string) => void,
  person: Person | undefined,
  results: Result[],
): Promise<Verdict | undefined> {
  const name = `${one.episode.start.task}/${one.episode.name}`;
  for (;;) {
    const outcome = await replayOne(stage, one, options, say);
    for (const line of outcomeLines(name, one.plan, outcome)) say(line);
    const verdict = stage.signal.aborted ? undefined : await person?.judges(name, stage.signal);
    const { isExact, remarks } = one.plan;
    results.push({ episode: one.episode.folder, isExact, remarks, outcome, verdict });
    if (verdict === "again") continue;
    if (verdict === "keep" || verdict === "drop") await settle(one.episode, verdict, say);
    return verdict;
  }
}

async function planOne(
  stage: ReplayStage,
  episode: FinishedEpisode,
  options: ReplayOptions,
  say: (line: string) => void,
): Promise<Planned> {
  const robot = options.robot ?? onlyRobot(stage, episode);
  const parts = stage.cell.robots[robot];
  if (parts === undefined)
    throw new CerebellumError(
      "DEVICE_MISMATCH",
      `The cell has no robot ${robot}, but ${Object.keys(stage.cell.robots).join(", ")}`,
      "Name the robot as the cell and the episode do, with --robot",
    );
  const servo = await stage.connectCommander(robot);
  const reader = await EpisodeReader.open(episode.folder);
  try {
    const motion = await recordedMotion(reader, robot, episode.trim, episode.flags);
    const plan = planReplay(motion, targetOf(servo, parts), options.speed);
    const seconds = (plan.ticks * plan.periodS).toFixed(1);
    const kind = plan.isExact ? "every setpoint as it was sent" : "not byte-identical";
    say(`${episode.start.task}/${episode.name}: ${plan.ticks} setpoints, ${seconds} s, ${kind}`);
    for (const remark of plan.remarks) say(`  ${remark}`);
    return { episode, robot, plan };
  } finally {
    await reader.close();
    await servo.close();
  }
}

function targetOf(servo: ServoClient, parts: RobotConfig) {
  const { limits, identity, rateHz, robot } = servo.info;
  if (parts.device === "digit")
    throw new CerebellumError(
      "DEVICE_MISMATCH",
      `${robot} stands on legs: it is told targets and gains, not setpoints, and what it once was told does not balance it`,
      "Run its policy, or replay an episode of an arm or a hand",
    );
  const { servo: config } = parts;
  if (identity === undefined)
    throw new CerebellumError(
      "DEVICE_UNREACHABLE",
      `${robot} has not said which model it is`,
      "Check its power and cable; `./cerebellum status` shows its state",
    );
  return {
    model: identity.model,
    rateHz,
    limits: { ...limits, workspace: config.workspace, selfCollisionMarginM: config.selfCollision.marginM },
    body: robotBody(parts),
  };
}

function onlyRobot(stage: ReplayStage, { start }: FinishedEpisode): string {
  const shared = Object.keys(start.robots).filter((robot) => robot in stage.cell.robots);
  const [only] = shared;
  if (only !== undefined && shared.length === 1) return only;
  const names = (robots: object) => Object.keys(robots).join(", ") || "none";
  throw new CerebellumError(
    "DEVICE_MISMATCH",
    `The episode has robots ${names(start.robots)}, the cell ${names(stage.cell.robots)}: ${shared.length} of one name, expected 1`,
    "Name the one to replay with --robot",
  );
}

async function replayOne(
  stage: ReplayStage,
  { episode, robot, plan }: Planned,
  options: ReplayOptions,
  say: (line: string) => void,
): Promise<ReplayOutcome> {
  await restoreScene(stage, episode, say);
  const servo = await stage.connectCommander(robot);
  let isRecorded = false;
  try {
    const lease = await servo.acquireLease("replay");
    return await runReplay(stage.clock, servo, lease, plan, {
      approachSpeedScale: stage.cell.policy?.approachSpeedScale ?? APPROACH_SPEED_SCALE,
      expiryMsMax: stage.cell.robots[robot]!.servo.commandExpiryMsMax,
      ended: stage.signal,
      onStart: async () => {
        if (!options.record) return;
        const { message } = await stage.ask({ do: "startRecording", request: recordingOf(episode, options) });
        isRecorded = true;
        say(message);
      },
    });
  } finally {
    await servo.close();
    if (isRecorded)
      say((await stage.ask({ do: "stopRecording", request: { outcome: "unlabelled", note: "" } })).message);
  }
}

const recordingOf = ({ start, name }: FinishedEpisode, { speed }: ReplayOptions) => ({
  // A set of its own: what is trained on must not get a copy of what it has.
  task: `${start.task.slice(0, 57)}-replay`,
  kind: "replay" as const,
  note: `${start.task}/${name} at ${speed} of its speed`,
  context: { ...start.context, replayOf: start.uuid, speed },
});

/** As `demonstrate` and evaluations leave it in an episode's context. */
const BlockM = z.tuple([z.number(), z.number()]).rest(z.number());
const Scene = z.object({
  seed: z.int().min(0),
  blockM: BlockM.optional(),
  light: z.enum(["training", "changed"]).default("training"),
});

async function restoreScene(
  { lab, clock, signal }: ReplayStage,
  { start }: FinishedEpisode,
  say: (line: string) => void,
): Promise<void> {
  if (lab === undefined) return;
  const { context } = start;
  const found = Scene.safeParse(context.scene ?? context);
  if (!found.success) return;
  const { seed, light } = found.data;
  const [x, y] = found.data.blockM ?? BlockM.safeParse(context.blockM).data ?? [];
  await lab({ do: "scene", seed, light, ...(x === undefined || y === undefined ? {} : { blockM: [x, y] }) });
  await sleepMs(clock, SCENE_SETTLE_MS, signal);
  say(`the lab shows scene ${seed} again`);
}

function outcomeLines(name: string, plan: ReplayPlan, outcome: ReplayOutcome): string[] {
  const { passed, ticks, verified, differing, stoppedBecause } = outcome;
  const seen =
    differing === 0
      ? `${verified} of them seen, all with every bit as planned`
      : `${verified} seen as planned, ${differing} seen otherwise`;
  const lines = [`${name}: ${passed} of ${ticks} setpoints passed unchanged (${seen})`];
  if (stoppedBecause !== undefined) lines.push(`${name}: it ended early: ${stoppedBecause}`);
  else if (plan.isExact) lines.push(`${name}: the robot was sent what it was sent then, byte for byte`);
  return lines;
}
