/**
 * Writes a plain folder for people who want no framework: pictures as files, numbers as one table a set, and a
 * README.json that says what everything is.
 *
 *   README.json
 *   reach-block.parquet                                one row a frame, all episodes of the set
 *   frames/reach-block/episode-000012/wrist/000123.png one picture a frame
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { EpisodeReader } from "../../episodeReader.js";
import { decodePicture, readStored } from "../../pixels.js";
import type { EpisodeContext, ExportForm, ExportLayout, ExportResult } from "../exportEpisodes.js";
import { type Cell, type ColumnType, ParquetFile, scalar } from "../parquet.js";
import { encodePng } from "../png.js";
import { provenance } from "../provenance.js";
import type { Column, Frame, FrameImage } from "../resample.js";

interface PreparedFile {
  readonly bytes: Uint8Array;
  readonly ending: "png" | "jpg";
}
type Prepared = Readonly<Record<string, PreparedFile>>;

interface FlatColumn {
  readonly name: string;
  readonly type: ColumnType;
  readonly unit: string;
  readonly means: string;
  of(frame: Frame, episode: EpisodeContext, paths: Readonly<Record<string, string>>): Cell;
}

export class FlatForm implements ExportForm<Prepared> {
  readonly name = "flat";
  readonly takesDepth = true;
  readonly #tables = new Map<string, ParquetFile>();
  readonly #folders = new Map<string, string>();
  #folder = "";
  #columns: readonly FlatColumn[] = [];
  #episode: EpisodeContext | undefined;

  async open(folder: string, layout: ExportLayout): Promise<void> {
    this.#folder = folder;
    this.#columns = flatColumns(layout);
  }

  async begin(episode: EpisodeContext): Promise<void> {
    this.#episode = episode;
    const { task } = episode.set;
    this.#folders.clear();
    for (const { camera } of episode.resampled.streams.cameras) {
      const folder = join("frames", task, episode.entry.name, camera);
      await mkdir(join(this.#folder, folder), { recursive: true });
      this.#folders.set(camera, folder);
    }
    if (this.#tables.has(task)) return;
    const types = Object.fromEntries(this.#columns.map(({ name, type }) => [name, type]));
    this.#tables.set(task, await ParquetFile.create(join(this.#folder, `${task}.parquet`), types));
  }

  async prepare(frame: Frame, reader: EpisodeReader): Promise<Prepared> {
    const files = Object.entries(frame.images).map(
      async ([camera, image]) => [camera, await prepareFile(image, reader)] as const,
    );
    return Object.fromEntries(await Promise.all(files));
  }

  async add(frame: Frame, prepared: Prepared): Promise<void> {
    const episode = this.#episode!;
    const paths: Record<string, string> = {};
    for (const [camera, { bytes, ending }] of Object.entries(prepared)) {
      const name = `${String(frame.index).padStart(6, "0")}.${ending}`;
      paths[camera] = join(this.#folders.get(camera)!, name);
      await writeFile(join(this.#folder, paths[camera]), bytes);
    }
    const row = this.#columns.map(({ name, of }) => [name, of(frame, episode, paths)]);
    await this.#tables.get(episode.set.task)!.append(Object.fromEntries(row));
  }

  async end(): Promise<void> {
    this.#episode = undefined;
  }

  async finish(result: ExportResult): Promise<void> {
    await this.#closeTables();
    const columns = this.#columns.map(({ name, unit, means }) => [
      name,
      unit === "" ? means : `[${unit}] ${means}`,
    ]);
    const readme = provenance(result, {
      files: {
        "<task>.parquet": "one row a frame, all episodes of the task; columns below",
        "frames/<task>/<episode>/<camera>/<frame>.png|jpg":
          "pictures as recorded: JPEG and PNG unchanged, raw images as PNG; depth as PNG of 16 bits in the camera's unit, mostly millimetres, 0 = unknown",
      },
      tableColumns: Object.fromEntries(columns),
      frames:
        "Joint positions are of the robot's joints, base to tool. `episodes[].cameras` says where a camera stood: its optical frame (x right, y down, z ahead) in a frame of the robot that carries it (`parentFrame`: an arm's flange, which it is when none is named, or its base, or a hand's palm), position in metres, quaternion xyzw; and its vertical field of view in degrees. The base of a robot on legs (x forward, y left, z up, in its torso): translation and quaternion are in the world of its odometry, which drifts; velocities and specific force in the base.",
    });
    await writeFile(join(this.#folder, "README.json"), `${JSON.stringify(readme, null, 2)}\n`);
  }

  async abort(): Promise<void> {
    await this.#closeTables();
  }

  async #closeTables(): Promise<void> {
    const tables = [...this.#tables.values()];
    this.#tables.clear();
    for (const table of tables) await table.close();
  }
}

async function prepareFile(image: FrameImage, reader: EpisodeReader): Promise<PreparedFile> {
  const stored = readStored(reader, image.message);
  if (stored.kind !== "raw") return { bytes: stored.file, ending: stored.kind === "jpeg" ? "jpg" : "png" };
  return { bytes: await encodePng(await decodePicture(reader, image.message)), ending: "png" };
}

function flatColumns(layout: ExportLayout): FlatColumn[] {
  const { columns, cameras } = layout;
  return [
    text("episode", "name of its folder", (_frame, { entry }) => entry.name),
    text("task", "the set that it is of", (_frame, { set }) => set.task),
    integer("frame_index", "", "from 0 in each episode", ({ index }) => BigInt(index)),
    real("timestamp_s", "s", "frame_index / rate", ({ atS }) => atS),
    integer("time_ns", "ns", "the frame's time since 1970-01-01 UTC", ({ timeNs }) => timeNs),
    ...columns.state.map((column, place) =>
      real(`state_${inUnit(column)}`, column.unit, "measured", ({ state }) => state[place]!),
    ),
    ...columns.action.map((column, place) =>
      real(
        `action_${inUnit(column)}`,
        column.unit,
        "for the next frame's time",
        ({ action }) => action[place]!,
      ),
    ),
    ...columns.label.map((column, place) =>
      real(
        `label_${inUnit(column)}`,
        column.unit,
        "of the policy step; NaN = none",
        ({ label }) => label![place]!,
      ),
    ),
    real("state_before_ms", "ms", "to the measurement before", ({ stateBeforeMs }) => stateBeforeMs),
    real("state_after_ms", "ms", "to the measurement after", ({ stateAfterMs }) => stateAfterMs),
    real("action_age_ms", "ms", "age of the tick that the action is of", ({ actionAgeMs }) => actionAgeMs),
    ...(columns.label.length === 0
      ? []
      : [real("label_age_ms", "ms", "since the step began", ({ labelAgeMs }) => labelAgeMs!)]),
    ...cameras.flatMap(({ camera }) => cameraColumns(camera)),
  ];
}

const cameraColumns = (camera: string): FlatColumn[] => [
  text(`image_${camera}`, "path of the picture in this folder", (_frame, _episode, paths) => paths[camera]!),
  real(`image_${camera}_age_ms`, "ms", "frame time less capture time", ({ images }) => images[camera]!.ageMs),
  integer(`image_${camera}_captured_ns`, "ns", "capture time", ({ images }) => images[camera]!.capturedNs),
];

const ENDINGS: Readonly<Record<Column["unit"], string>> = {
  rad: "_rad",
  m: "_m",
  "m/s": "_m_per_s",
  "rad/s": "_rad_per_s",
  "m/s2": "_m_per_s2",
  "": "",
};
const inUnit = ({ name, unit }: Column): string => name + ENDINGS[unit];
const real = (name: string, unit: string, means: string, of: FlatColumn["of"]): FlatColumn => ({
  name,
  type: scalar("DOUBLE"),
  unit,
  means,
  of,
});
const integer = (name: string, unit: string, means: string, of: FlatColumn["of"]): FlatColumn => ({
  name,
  type: scalar("INT64"),
  unit,
  means,
  of,
});
const text = (name: string, means: string, of: FlatColumn["of"]): FlatColumn => ({
  name,
  type: scalar("UTF8"),
  unit: "",
  means,
  of,
});
