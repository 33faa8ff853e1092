/**
 * An episode as frames at a fixed rate. Everything in an episode has its own measured time and rate; a training set
 * wants rows. What a row is made of, how old that was, and what the rows miss of the record is stated with them.
 */
import type { EpochNs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import type { EpisodeMessage, EpisodeReader } from "../episodeReader.js";
import { baseColumns } from "./baseColumns.js";
import { FrameBuilder } from "./frameBuilder.js";
import { ResampleErrors, type ResampleReport } from "./resampleErrors.js";
import { type ActionColumn, chooseStreams, type StreamOptions, type Streams } from "./streams.js";
import { type EpisodeSurvey, type KeptPart, readRange, surveyEpisode } from "./survey.js";

export interface ResampleOptions extends StreamOptions {
  readonly rateHz: number;
  /** Default: all of it. */
  readonly trim?: KeptPart | undefined;
  /** Default "sent". */
  readonly action?: ActionColumn | undefined;
}

export interface FrameImage {
  readonly capturedNs: EpochNs;
  /** Frame time less capture time: at least 0. */
  readonly ageMs: number;
  /** The frame before had the same image. */
  readonly isRepeat: boolean;
  /** To be decoded by `decodePicture`. */
  readonly message: EpisodeMessage;
}

export interface Frame {
  /** From 0, without gaps. */
  readonly index: number;
  readonly timeNs: EpochNs;
  /** index / rate: seconds since the first frame. */
  readonly atS: number;
  /** By `columns.state`. */
  readonly state: Float64Array;
  /** Distance to the measurements between which the state was interpolated, both at least 0. */
  readonly stateBeforeMs: number;
  readonly stateAfterMs: number;
  /** By `columns.action`. */
  readonly action: Float64Array;
  /** Time of the action (that of the next frame) less the time of the tick it is from; for `measured`, of the state. */
  readonly actionAgeMs: number;
  /** By camera. */
  readonly images: Readonly<Record<string, FrameImage>>;
  /** By `columns.label`; all NaN before the first step. Undefined unless asked for. */
  readonly label: Float64Array | undefined;
  readonly labelAgeMs: number | undefined;
}

export interface Column {
  readonly name: string;
  /** "" for what has none. */
  readonly unit: "rad" | "m" | "m/s" | "rad/s" | "m/s2" | "";
  /** Of the robot. */
  readonly part: "joint" | "gripper" | "base";
}

export interface FrameColumns {
  readonly state: readonly Column[];
  readonly action: readonly Column[];
  readonly label: readonly Column[];
}

export interface ResampledEpisode {
  readonly streams: Streams;
  readonly survey: EpisodeSurvey;
  readonly columns: FrameColumns;
  readonly frameCount: number;
  /** Reads the episode anew; holds no more than the images received between two frames' times. */
  frames(): AsyncGenerator<Frame, void, void>;
  /** What the frames miss; whole once `frames` has run to its end. */
  report(): ResampleReport;
}

/**
 * Frame k lies at start + k / rate; the start is where all streams have begun, a quarter of the first camera's period
 * after one of its images. Times are capture times: stamps less the recorded latency of their topic; where a camera's
 * stamps are not of this computer's clock, they are read off its fastest messages (`captures.ts`), with the error stated.
 *
 * - image: the newest that was captured at or before the frame's time; never one from the future.
 * - state: measured joints [rad, as `robots.<robot>.jointNames`] and, with a gripper, its opening [m], interpolated
 *   linearly at the frame's time between the measurements before and after it; of a robot on legs its base, too.
 * - action: positions [rad, m] for the time of the next frame, start + (k + 1) / rate:
 *   `sent` the setpoint that had left for the device, `limited` what the limiter let through, `requested` the target of
 *   the commander, each as of the newest servo tick at or before that time (held, not interpolated), with the gripper's
 *   newest commanded opening (its measured one while nothing was commanded; counted); `measured` the state at that time.
 * - label: the `label_rad` of the newest policy step that began at or before the frame's time.
 *
 * Frames end with the last one whose next frame time all streams cover and the kept part holds.
 * @throws CerebellumError CONFIG_INVALID, EPISODE_INVALID when the episode lacks what is asked for or has no frame
 */
export async function resampleEpisode(
  reader: EpisodeReader,
  options: ResampleOptions,
): Promise<ResampledEpisode> {
  const { rateHz, trim, action = "sent" } = options;
  if (!(rateHz > 0 && rateHz <= RATE_HZ_MAX)) {
    throw new CerebellumError(
      "CONFIG_INVALID",
      `The frame rate is ${rateHz} Hz, expected above 0 and at most ${RATE_HZ_MAX}`,
      "Choose another with --rate",
    );
  }
  const streams = chooseStreams(reader, options);
  const survey = await surveyEpisode(reader, streams, rateHz, trim);
  if (survey.frameCount === 0) {
    const why = survey.flags.map(({ topic, text }) => `${topic}: ${text}`).join("; ");
    throw new CerebellumError(
      "EPISODE_INVALID",
      `${reader.file} has no moment that all of its streams cover${why === "" ? "" : ` (${why})`}`,
      "Leave it out, widen its trim, or choose fewer cameras",
    );
  }
  const columns = columnsOf(streams, survey);
  let errors = new ResampleErrors(columns, streams);
  return {
    streams,
    survey,
    columns,
    frameCount: survey.frameCount,
    async *frames() {
      errors = new ResampleErrors(columns, streams);
      const builder = new FrameBuilder(reader, streams, survey, action, errors);
      for await (const message of reader.messages(readRange(streams, trim))) {
        builder.take(message);
        for (let frame = builder.next(); frame !== undefined; frame = builder.next()) yield frame;
        if (builder.isDone) return;
      }
      builder.end();
      for (let frame = builder.next(); frame !== undefined; frame = builder.next()) yield frame;
    },
    report: () => errors.report(),
  };
}

/** A servo tick comes at 250 Hz; more frames than this would only repeat what is there. */
const RATE_HZ_MAX = 500;

function columnsOf({ arm, stepTopic }: Streams, { hasGripper, passiveCount }: EpisodeSurvey): FrameColumns {
  const joints = arm.jointNames.map((name): Column => ({ name, unit: "rad", part: "joint" }));
  const all: Column[] = hasGripper ? [...joints, { name: "gripper", unit: "m", part: "gripper" }] : joints;
  const base = passiveCount === undefined ? [] : baseColumns(passiveCount);
  return { state: [...all, ...base], action: all, label: stepTopic === undefined ? [] : joints };
}
