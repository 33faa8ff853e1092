/**
 * What an imported episode may say about robots and cameras: joint names, picture sizes, measured rates and the field of
 * view, as far as the bag has them. Everything else stays unknown: empty texts, empty lists, a field of view of 0.
 */
import sharp from "sharp";
import { z } from "zod";
import { errorText } from "../../core/errors.js";
import type { EpisodeStart, ImageStorage, RecordedCamera, RecordedRobot } from "../format.js";
import { type RosMessage, rosCodec } from "../rosCodec.js";
import type { ScannedTopic } from "./scanBag.js";

const JOINT_STATE = "sensor_msgs/msg/JointState";
const IMAGE = "sensor_msgs/msg/Image";
const COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage";
const CAMERA_INFO = "sensor_msgs/msg/CameraInfo";
const UNKNOWN = "unknown";
/** Parts of a topic that say nothing about which camera it is. */
const COMMON_PARTS =
  /^(camera|cameras|color|rgb|image|image_raw|image_color|image_rect|image_rect_color|image_rect_raw|compressed)$/;
/** Pictures for people and policies; depth and the like are kept, but are no camera of an export. */
const COLOURS = /^(rgba?8|bgra?8|mono8|8UC[134]|yuv422|yuv422_yuy2|uyvy|yuyv|bayer_\w+8)$/;

const JointState = z.object({ name: z.array(z.string()) });
const Image = z.object({ width: z.int(), height: z.int(), encoding: z.string() });
const CompressedImage = z.object({ format: z.string(), data: z.instanceof(Uint8Array) });
const CameraInfo = z.object({ width: z.int(), height: z.int(), k: z.instanceof(Float64Array) });

export interface Identity {
  readonly robots: EpisodeStart["robots"];
  readonly cameras: EpisodeStart["cameras"];
  readonly remarks: readonly string[];
}

/** @param robot name of a robot whose joint states come on a topic without one, e.g. "arm" */
export async function identify(topics: readonly ScannedTopic[], robot: string): Promise<Identity> {
  const remarks: string[] = [];
  const robots: Record<string, RecordedRobotFields> = {};
  const cameras: Record<string, RecordedCameraFields> = {};
  const infos = new Map<string, z.infer<typeof CameraInfo>>();
  const usable = topics.filter(({ plan, count }) => plan.import && count > 0);
  for (const topic of usable.filter(({ source }) => source.type === CAMERA_INFO)) {
    const info = read(topic, CameraInfo, remarks);
    if (info !== undefined) infos.set(parent(nameOf(topic)), info);
  }
  for (const topic of usable.filter(({ source }) => source.type === JOINT_STATE)) {
    const state = read(topic, JointState, remarks);
    if (state === undefined) continue;
    robots[free(robots, words(parent(nameOf(topic))) || robot)] = {
      model: UNKNOWN,
      serial: "",
      firmware: "",
      jointNames: state.name,
      rateHz: topic.rateHz ?? 1,
      positionMinRad: [],
      positionMaxRad: [],
      velocityMaxRadPerS: [],
    };
  }
  for (const topic of usable.filter(
    ({ source }) => source.type === IMAGE || source.type === COMPRESSED_IMAGE,
  )) {
    const picture = await lookAt(topic, remarks);
    if (picture === undefined) continue;
    const name = nameOf(topic);
    const info = infos.get(parent(name.replace(/\/compressed$/, "")));
    const fitting = info?.width === picture.widthPx && info.height === picture.heightPx ? info : undefined;
    cameras[free(cameras, words(name, COMMON_PARTS) || "camera")] = {
      imageTopic: name,
      ...picture,
      rateHz: topic.rateHz ?? 0,
      fovYDeg: fitting === undefined ? 0 : fieldOfViewDeg(fitting),
      mount: { robot: "", positionM: [], quatXyzw: [] },
    };
  }
  return { robots, cameras, remarks };
}
type RecordedRobotFields = z.infer<typeof RecordedRobot>;
type RecordedCameraFields = z.infer<typeof RecordedCamera>;

/** Vertical, of a camera without distortion: K has the focal length in pixels. */
function fieldOfViewDeg({ height, k }: z.infer<typeof CameraInfo>): number {
  const focalPx = k[4] ?? 0;
  return focalPx > 0 ? (2 * Math.atan(height / (2 * focalPx)) * 180) / Math.PI : 0;
}

async function lookAt(
  topic: ScannedTopic,
  remarks: string[],
): Promise<{ storage: ImageStorage; widthPx: number; heightPx: number } | undefined> {
  if (topic.source.type === IMAGE) {
    const image = read(topic, Image, remarks);
    if (image === undefined) return undefined;
    if (COLOURS.test(image.encoding)) return { storage: "raw", widthPx: image.width, heightPx: image.height };
    remarks.push(
      `${nameOf(topic)} has pictures of encoding "${image.encoding}": kept, and no camera of exports`,
    );
    return undefined;
  }
  const image = read(topic, CompressedImage, remarks);
  if (image === undefined) return undefined;
  try {
    const { width, height, format } = await sharp(image.data).metadata();
    const storage = format === "jpeg" || format === "png" ? format : undefined;
    if (storage !== undefined) return { storage, widthPx: width, heightPx: height };
  } catch (thrown) {
    remarks.push(
      `${nameOf(topic)} has pictures of format "${image.format}" (${errorText(thrown, 100)}): kept, and no camera of exports`,
    );
    return undefined;
  }
  remarks.push(`${nameOf(topic)} has pictures of format "${image.format}": kept, and no camera of exports`);
  return undefined;
}

function read<T>(
  { source, plan, first }: ScannedTopic,
  schema: z.ZodType<T>,
  remarks: string[],
): T | undefined {
  if (!plan.import || first === undefined) return undefined;
  try {
    const message: RosMessage = rosCodec(source.type, plan.definition).decode(first);
    return schema.parse(message);
  } catch (thrown) {
    remarks.push(
      `The first message of ${source.topic} does not fit its definition: ${errorText(thrown, 150)}`,
    );
    return undefined;
  }
}

const nameOf = ({ source, plan }: ScannedTopic): string => (plan.import ? plan.as : source.topic);
const parent = (topic: string): string => topic.slice(0, topic.lastIndexOf("/"));

/** The telling parts of a topic as one name; empty when there are none. */
const words = (topic: string, common = /^$/): string =>
  topic
    .split("/")
    .filter((part) => part !== "" && !common.test(part))
    .join("_")
    .toLowerCase()
    .replace(/[^a-z0-9_]/g, "_");

/** `name`, or the first of name_2, name_3, … that is not taken. */
function free(taken: Readonly<Record<string, unknown>>, name: string): string {
  if (!(name in taken)) return name;
  for (let number = 2; ; number++) if (!(`${name}_${number}` in taken)) return `${name}_${number}`;
}
