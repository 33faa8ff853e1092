/** Features of a LeRobot v3 data set: what each column holds, as `meta/info.json` says it and as Parquet stores it. */

import type { ExportLayout } from "../exportEpisodes.js";
import { VIDEO_CODEC, VIDEO_KEY_EVERY, VIDEO_PIXELS, VIDEO_QUALITY_CRF } from "../ffmpeg.js";
import { type ColumnType, list, scalar } from "../parquet.js";

export interface Feature {
  readonly dtype: "float32" | "int64" | "video" | "image";
  readonly shape: readonly number[];
  readonly names: readonly string[] | null;
  readonly info?: Readonly<Record<string, unknown>>;
}
export type Features = Readonly<Record<string, Feature>>;

export const STATE = "observation.state";
export const ACTION = "action";
export const LABEL = "label";
/**
 * How old each part of a frame is. Names that begin with "observation" or "action" would be taken for inputs and outputs
 * of a policy, and names with "image" in them for pictures.
 */
export const CAMERA_AGE = "resampling.camera_age_ms";
export const STATE_DISTANCE = "resampling.state_distance_ms";
export const ACTION_AGE = "resampling.action_age_ms";
export const cameraFeature = (camera: string): string => `observation.images.${camera}`;

const INDEX: Feature = { dtype: "int64", shape: [1], names: null };

export function featuresOf(layout: ExportLayout, rateHz: number, asVideo: boolean): Features {
  const vector = (names: readonly string[]): Feature => ({ dtype: "float32", shape: [names.length], names });
  const namesOf = (columns: readonly { name: string }[]) => columns.map(({ name }) => name);
  return {
    [STATE]: vector(namesOf(layout.columns.state)),
    [ACTION]: vector(namesOf(layout.columns.action)),
    ...(layout.columns.label.length === 0 ? {} : { [LABEL]: vector(namesOf(layout.columns.label)) }),
    ...Object.fromEntries(
      layout.cameras.map((camera) => [cameraFeature(camera.camera), pictures(camera, rateHz, asVideo)]),
    ),
    ...(layout.cameras.length === 0
      ? {}
      : { [CAMERA_AGE]: vector(layout.cameras.map(({ camera }) => camera)) }),
    [STATE_DISTANCE]: vector(["before", "after"]),
    [ACTION_AGE]: vector(["age"]),
    timestamp: { dtype: "float32", shape: [1], names: null },
    frame_index: INDEX,
    episode_index: INDEX,
    index: INDEX,
    task_index: INDEX,
  };
}

function pictures(camera: ExportLayout["cameras"][number], rateHz: number, asVideo: boolean): Feature {
  const { widthPx, heightPx } = camera;
  const shape = { shape: [heightPx, widthPx, 3], names: ["height", "width", "channels"] };
  if (!asVideo) return { dtype: "image", ...shape };
  return {
    dtype: "video",
    ...shape,
    info: {
      "video.height": heightPx,
      "video.width": widthPx,
      "video.codec": VIDEO_CODEC,
      "video.pix_fmt": VIDEO_PIXELS,
      "video.fps": rateHz,
      "video.channels": 3,
      "video.g": VIDEO_KEY_EVERY,
      "video.crf": VIDEO_QUALITY_CRF,
      has_audio: false,
      is_depth_map: false,
    },
  };
}

/** Columns of the data files. Videos are not in them; a feature of one element is a plain column. */
export const dataColumns = (features: Features): Record<string, ColumnType> =>
  Object.fromEntries(
    Object.entries(features)
      .filter(([, { dtype }]) => dtype !== "video")
      .map(([name, { dtype, shape }]) => [name, columnOf(dtype, shape)]),
  );

function columnOf(dtype: Feature["dtype"], shape: readonly number[]): ColumnType {
  if (dtype === "image") return { kind: "image" };
  const of = dtype === "int64" ? "INT64" : "FLOAT";
  return shape[0] === 1 ? scalar(of) : list(of);
}
