/** Tables and files of meta/ in a LeRobot v3 data set. */
import { join } from "node:path";
import { type ColumnType, list, ParquetFile, scalar } from "../parquet.js";
import type { Features } from "./features.js";
import { statsColumns } from "./stats.js";

export const LEROBOT_VERSION = "v3.0";

export interface LerobotLimits {
  readonly filesPerChunk: number;
  readonly dataFileMb: number;
  readonly videoFileMb: number;
}
/** LeRobot's own. */
export const LEROBOT_LIMITS: LerobotLimits = { filesPerChunk: 1000, dataFileMb: 100, videoFileMb: 200 };

export interface DatasetFacts {
  readonly robotModel: string;
  readonly rateHz: number;
  readonly episodeCount: number;
  readonly frameCount: number;
  readonly taskCount: number;
  readonly hasVideos: boolean;
  readonly features: Features;
  readonly limits: LerobotLimits;
}

export function datasetInfo(facts: DatasetFacts): object {
  const path = (folder: string, ending: string) =>
    `${folder}/chunk-{chunk_index:03d}/file-{file_index:03d}.${ending}`;
  return {
    codebase_version: LEROBOT_VERSION,
    robot_type: facts.robotModel.toLowerCase(),
    total_episodes: facts.episodeCount,
    total_frames: facts.frameCount,
    total_tasks: facts.taskCount,
    chunks_size: facts.limits.filesPerChunk,
    data_files_size_in_mb: facts.limits.dataFileMb,
    video_files_size_in_mb: facts.limits.videoFileMb,
    fps: facts.rateHz,
    splits: { train: `0:${facts.episodeCount}` },
    data_path: path("data", "parquet"),
    video_path: facts.hasVideos ? path("videos/{video_key}", "mp4") : null,
    features: facts.features,
  };
}

/** LeRobot reads this table with pandas and looks tasks up by its index, which only this metadata makes the text. */
export async function writeTasks(folder: string, tasks: readonly string[]): Promise<void> {
  const column = (name: string, pandas: string, numpy: string) => ({
    name,
    field_name: name,
    pandas_type: pandas,
    numpy_type: numpy,
    metadata: null,
  });
  const pandas = {
    index_columns: ["task"],
    column_indexes: [
      {
        name: null,
        field_name: null,
        pandas_type: "unicode",
        numpy_type: "object",
        metadata: { encoding: "UTF-8" },
      },
    ],
    columns: [column("task_index", "int64", "int64"), column("task", "unicode", "object")],
    creator: { library: "cerebellum", version: "1" },
    pandas_version: "2.3.3",
  };
  const table = await ParquetFile.create(
    join(folder, "meta", "tasks.parquet"),
    { task_index: scalar("INT64"), task: scalar("UTF8") },
    { metadata: { pandas: JSON.stringify(pandas) } },
  );
  for (const [index, task] of tasks.entries()) await table.append({ task_index: BigInt(index), task });
  await table.close();
}

/** Columns of meta/episodes. */
export function episodeColumns(features: Features, videoKeys: readonly string[]): Record<string, ColumnType> {
  const index = scalar("INT64");
  return {
    episode_index: index,
    tasks: list("UTF8"),
    length: index,
    "data/chunk_index": index,
    "data/file_index": index,
    dataset_from_index: index,
    dataset_to_index: index,
    ...Object.assign(
      {},
      ...videoKeys.map((key) => ({
        [`videos/${key}/chunk_index`]: index,
        [`videos/${key}/file_index`]: index,
        [`videos/${key}/from_timestamp`]: scalar("DOUBLE"),
        [`videos/${key}/to_timestamp`]: scalar("DOUBLE"),
      })),
    ),
    ...Object.assign(
      {},
      ...Object.entries(features).map(([name, { dtype }]) =>
        statsColumns(name, dtype === "video" || dtype === "image" ? 3 : 1),
      ),
    ),
    "meta/episodes/chunk_index": index,
    "meta/episodes/file_index": index,
  };
}
