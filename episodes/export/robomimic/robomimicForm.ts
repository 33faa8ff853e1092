/**
 * Writes one HDF5 file as robomimic reads it, and provenance.json beside it:
 *
 *   data/            attributes: total, env_args (JSON: whose data it is, rate, columns with units)
 *     demo_0/        one episode; attributes: num_samples, task, instruction, episode, uuid
 *       actions      (T, n) actions_abs scaled to -1 … 1, as robomimic's policies put out: see env_args
 *       actions_abs  (T, n) positions for the next frame's time [rad, m], as named by --action
 *       rewards      (T,) 1 in the last frame of a success, else 0
 *       dones        (T,) 1 in the last frame
 *       labels       (T, m) with --labels
 *       obs/joint_positions (T, 7) rad, obs/gripper_opening (T, 1) m, obs/<camera>_image (T, H, W, 3) RGB
 *   mask/            train and valid, and one of each task: names of demos
 *
 * There are no simulator states, and no next_obs: robomimic wants neither for cloning.
 */
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { invariant } from "../../../core/errors.js";
import type { EpisodeReader } from "../../episodeReader.js";
import { decodePicture } from "../../pixels.js";
import type { EpisodeContext, ExportForm, ExportLayout, ExportResult } from "../exportEpisodes.js";
import { provenance } from "../provenance.js";
import type { Column, Frame } from "../resample.js";
import { Hdf5File, type PictureSet } from "./hdf5.js";

export const DATASET_FILE = "dataset.hdf5";
/** One of robomimic's own kinds of environment is wanted; only roll-outs in simulation look at it. Gym: 2. */
const ENV_TYPE = 2;
const VALID_SHARE = 0.1;

type Prepared = Readonly<Record<string, Uint8Array>>;

interface Demo {
  readonly name: string;
  readonly context: EpisodeContext;
  readonly pictures: ReadonlyMap<string, PictureSet>;
  readonly actions: Rows;
  readonly labels: Rows;
  readonly joints: Rows;
  readonly gripper: Rows;
  readonly base: Rows;
}

export class RobomimicForm implements ExportForm<Prepared> {
  readonly name = "robomimic";
  readonly takesDepth = false;
  #folder = "";
  #file: Hdf5File | undefined;
  #layout: ExportLayout | undefined;
  #demo: Demo | undefined;
  readonly #demos: { name: string; uuid: string; task: string; actions: Rows }[] = [];
  #total = 0;

  async open(folder: string, layout: ExportLayout): Promise<void> {
    this.#folder = folder;
    this.#layout = layout;
    this.#file = await Hdf5File.create(join(folder, DATASET_FILE));
    this.#file.group("data");
    this.#file.group("mask");
  }

  async begin(context: EpisodeContext): Promise<void> {
    const { index, set, entry, reader, resampled } = context;
    const { file, layout } = this.#opened;
    const name = `demo_${index}`;
    const frames = resampled.frameCount;
    file.group(`data/${name}`, {
      num_samples: frames,
      task: set.task,
      instruction: set.instruction,
      episode: entry.name,
      uuid: reader.start.uuid,
      outcome: entry.outcome,
    });
    file.group(`data/${name}/obs`);
    const { state, action, label } = layout.columns;
    const count = (part: Column["part"]) => state.filter((column) => column.part === part).length;
    this.#demo = {
      name,
      context,
      pictures: new Map(
        layout.cameras.map(({ camera, heightPx, widthPx }) => [
          camera,
          file.pictures(`data/${name}/obs/${camera}_image`, frames, heightPx, widthPx),
        ]),
      ),
      actions: new Rows(frames, action.length),
      labels: new Rows(frames, label.length),
      joints: new Rows(frames, count("joint")),
      gripper: new Rows(frames, count("gripper")),
      base: new Rows(frames, count("base")),
    };
  }

  async prepare(frame: Frame, reader: EpisodeReader): Promise<Prepared> {
    const pictures = await Promise.all(
      Object.entries(frame.images).map(async ([camera, { message }]): Promise<[string, Uint8Array]> => {
        const picture = await decodePicture(reader, message);
        invariant(picture.kind === "colour", "depth cameras are left out");
        return [camera, picture.pixels];
      }),
    );
    return Object.fromEntries(pictures);
  }

  async add({ index, state, action, label }: Frame, prepared: Prepared): Promise<void> {
    const demo = this.#running;
    for (const [camera, pictures] of demo.pictures) pictures.write(index, prepared[camera]!);
    demo.actions.set(index, action);
    if (label !== undefined) demo.labels.set(index, label);
    demo.joints.set(index, state);
    demo.gripper.set(index, state.subarray(demo.joints.width));
    demo.base.set(index, state.subarray(demo.joints.width + demo.gripper.width));
  }

  async end(): Promise<void> {
    const { name, context, actions, labels, joints, gripper, base } = this.#running;
    const { file } = this.#opened;
    const frames = context.resampled.frameCount;
    const atEnd = (value: number) =>
      Float64Array.from({ length: frames }, (_, k) => (k === frames - 1 ? value : 0));
    const isSuccess = context.entry.outcome === "success";
    file.numbers(`data/${name}/actions_abs`, actions.values, [frames, actions.width]);
    file.numbers(`data/${name}/rewards`, atEnd(isSuccess ? 1 : 0), [frames]);
    file.numbers(`data/${name}/dones`, Int32Array.from(atEnd(1)), [frames]);
    if (labels.width > 0) file.numbers(`data/${name}/labels`, labels.values, [frames, labels.width]);
    file.numbers(`data/${name}/obs/joint_positions`, joints.values, [frames, joints.width]);
    if (gripper.width > 0)
      file.numbers(`data/${name}/obs/gripper_opening`, gripper.values, [frames, gripper.width]);
    if (base.width > 0) file.numbers(`data/${name}/obs/base`, base.values, [frames, base.width]);
    this.#demos.push({ name, uuid: context.reader.start.uuid, task: context.set.task, actions });
    this.#total += frames;
    this.#demo = undefined;
  }

  async finish(result: ExportResult): Promise<void> {
    const { file, layout } = this.#opened;
    // Only now is known how far the actions reach.
    const scale = actionScale(this.#demos.map(({ actions }) => actions));
    for (const { name, actions } of this.#demos)
      file.numbers(`data/${name}/actions`, scaled(actions, scale), [actions.count, actions.width]);
    file.attribute("data", "total", this.#total);
    file.attribute("data", "env_args", JSON.stringify(environment(result, layout, scale)));
    for (const [name, demos] of masks(this.#demos)) file.texts(`mask/${name}`, demos);
    file.close();
    file.check();
    await writeFile(
      join(this.#folder, "provenance.json"),
      `${JSON.stringify(provenance(result), null, 2)}\n`,
    );
  }

  async abort(): Promise<void> {
    try {
      this.#file?.close();
    } catch {
      // It is removed anyway; what went wrong is told already.
    }
  }

  get #opened() {
    invariant(this.#file !== undefined && this.#layout !== undefined, "the export is open");
    return { file: this.#file, layout: this.#layout };
  }
  get #running(): Demo {
    invariant(this.#demo !== undefined, "an episode has begun");
    return this.#demo;
  }
}

/** Rows of numbers that are known one after the other. */
class Rows {
  readonly values: Float64Array;
  constructor(
    readonly count: number,
    readonly width: number,
  ) {
    this.values = new Float64Array(count * width);
  }
  /** @param row may be longer; its first values are taken */
  set(index: number, row: Float64Array): void {
    this.values.set(row.subarray(0, this.width), index * this.width);
  }
}

/** By column, over all demos, in the column's unit. */
interface ActionScale {
  readonly min: readonly number[];
  readonly max: readonly number[];
}

function actionScale(demos: readonly Rows[]): ActionScale {
  const width = demos[0]?.width ?? 0;
  const [min, max] = [Array<number>(width).fill(Infinity), Array<number>(width).fill(-Infinity)];
  for (const { values } of demos)
    for (const [at, value] of values.entries()) {
      const column = at % width;
      min[column] = Math.min(min[column]!, value);
      max[column] = Math.max(max[column]!, value);
    }
  return { min, max };
}

const scaled = ({ values, width }: Rows, { min, max }: ActionScale): Float64Array =>
  values.map((value, at) => {
    const [low, high] = [min[at % width]!, max[at % width]!];
    return high > low ? (2 * (value - low)) / (high - low) - 1 : 0;
  });

const named = (columns: readonly Column[], of?: Column["part"]) =>
  columns.filter(({ part }) => of === undefined || part === of).map(({ name, unit }) => ({ name, unit }));

/** What robomimic calls an environment; an attribute holds 64 KiB at most, so episodes are in provenance.json. */
function environment(
  result: ExportResult,
  { robotModel, columns, cameras }: ExportLayout,
  scale: ActionScale,
): object {
  return {
    env_name: `cerebellum-${robotModel}`,
    type: ENV_TYPE,
    env_kwargs: {},
    cerebellum: {
      program: result.program,
      rateHz: result.rateHz,
      action: result.action,
      /** actions_abs = min + (actions + 1) / 2 * (max - min), by column; a column that never changes has 0. */
      actionScale: scale,
      columns: {
        actions: named(columns.action),
        joint_positions: named(columns.state, "joint"),
        gripper_opening: named(columns.state, "gripper"),
        base: named(columns.state, "base"),
        labels: named(columns.label),
      },
      cameras,
      provenance: "provenance.json",
    },
  };
}

/**
 * Filter keys. Which demos are for validation follows from their identity, so it stays as it is when a set grows: about a
 * tenth, and at least one of two or more.
 */
export function masks(
  demos: readonly { readonly name: string; readonly uuid: string; readonly task: string }[],
): Map<string, string[]> {
  const ranked = demos
    .map((demo) => ({
      ...demo,
      rank: createHash("sha256").update(demo.uuid).digest().readUInt32BE() / 2 ** 32,
    }))
    .sort((a, b) => a.rank - b.rank);
  const valid = new Set(ranked.filter(({ rank }) => rank < VALID_SHARE).map(({ name }) => name));
  if (demos.length >= 2 && valid.size === 0) valid.add(ranked[0]!.name);
  if (demos.length >= 2 && valid.size === demos.length) valid.delete(ranked.at(-1)!.name);
  if (demos.length < 2) valid.clear();
  const found = new Map<string, string[]>([
    ["train", demos.filter(({ name }) => !valid.has(name)).map(({ name }) => name)],
  ]);
  if (valid.size > 0)
    found.set(
      "valid",
      demos.filter(({ name }) => valid.has(name)).map(({ name }) => name),
    );
  for (const { name, task } of demos) {
    const key = `task_${task}`;
    found.set(key, [...(found.get(key) ?? []), name]);
  }
  return found;
}
