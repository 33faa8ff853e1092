/**
 * Recording on ROS: services of `/cerebellum` and what the recorder is doing, once a second while it records and at
 * every change. It decides nothing: every request goes to the recorder's host.
 */
import { z } from "zod";
import { type Clock, type MonotonicNs, NS_PER_S, toRosTime } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import type { RecorderHost, RecorderStatus } from "../recorder/host.js";
import type { RosNode } from "./rosRuntime.js";

export type RecorderDoor = Pick<RecorderHost, "start" | "stop" | "discard" | "label" | "status" | "onStatus">;

export interface RecorderNodeOptions {
  readonly clock: Clock;
  readonly recorder: RecorderDoor;
  /** The daemon node's lifecycle is active: only then may an episode be started. */
  readonly isActive: () => boolean;
}

/** An empty text is what a client sends that leaves a field out. */
const OutcomeText = z
  .enum(["", "success", "failure", "unlabelled"])
  .transform((text) => (text === "" ? ("unlabelled" as const) : text));
const StartRecording = z.object({ task: z.string(), note: z.string() });
const StopRecording = z.object({ outcome: OutcomeText, note: z.string() });
const LabelEpisode = z.object({ episode: z.string(), outcome: OutcomeText, note: z.string() });

interface Answer {
  readonly message: string;
  readonly episode: string;
}

/** Returns its own undo. */
export function offerRecorder(node: RosNode, options: RecorderNodeOptions): () => void {
  const { recorder, isActive } = options;
  const offer = <T>(
    type: string,
    name: string,
    schema: z.ZodType<T>,
    act: (request: T) => Promise<Answer>,
    hasEpisode = true,
  ) =>
    node.service(type, `/cerebellum/${name}`, async (raw) => {
      const { episode, ...rest } = await answered(schema, raw, act);
      return hasEpisode ? { ...rest, episode } : rest;
    });
  offer("cerebellum_msgs/srv/StartRecording", "start_recording", StartRecording, async ({ task, note }) => {
    if (!isActive()) throw inactive();
    const started = await recorder.start({ task, note, kind: "demonstration", context: {} });
    return { message: `recording ${started.task}/${started.episode}`, episode: started.episode };
  });
  offer("cerebellum_msgs/srv/StopRecording", "stop_recording", StopRecording, async (request) => {
    const { task, episode, because, seconds, dropped, lostBefore, flags } = await recorder.stop(request);
    const lost = dropped + lostBefore === 0 ? "" : `, ${dropped} dropped, ${lostBefore} lost before`;
    const flagged = flags.length === 0 ? "" : `, flagged: ${flags.map(({ text }) => text).join("; ")}`;
    const why = because === "stopped" ? "" : `, ended because of ${because}`;
    return { message: `${task}/${episode}: ${seconds.toFixed(1)} s${why}${lost}${flagged}`, episode };
  });
  offer(
    "std_srvs/srv/Trigger",
    "discard_recording",
    z.unknown(),
    async () => {
      const { task, episode } = await recorder.discard();
      return { message: `${task}/${episode} is discarded`, episode };
    },
    false,
  );
  offer("cerebellum_msgs/srv/LabelEpisode", "label_episode", LabelEpisode, async (request) => {
    const { outcome, note } = request;
    const named = request.episode === "" ? {} : { episode: request.episode };
    const episode = await recorder.label({ outcome, note, ...named }, "ROS service");
    return { message: `${episode} is labelled ${outcome}`, episode };
  });
  return publishStatus(node, options);
}

/** A refusal is an answer; anything else thrown is a defect. */
async function answered<T>(
  schema: z.ZodType<T>,
  raw: unknown,
  act: (request: T) => Promise<Answer>,
): Promise<Answer & { success: boolean }> {
  const request = schema.safeParse(raw);
  if (!request.success) {
    const { path, message } = request.error.issues[0]!;
    return { success: false, message: `${path.map(String).join(".")}: ${message}`, episode: "" };
  }
  try {
    return { success: true, ...(await act(request.data)) };
  } catch (thrown) {
    if (thrown instanceof CerebellumError) return { success: false, message: thrown.message, episode: "" };
    throw thrown;
  }
}

const inactive = () =>
  new CerebellumError(
    "NOT_RUNNING",
    "/cerebellum is not active",
    "Activate it (ros2 lifecycle set /cerebellum activate)",
  );

function publishStatus(node: RosNode, { recorder, clock }: RecorderNodeOptions): () => void {
  const publisher = node.publisher(
    "cerebellum_msgs/msg/RecorderStatus",
    "/cerebellum/recorder_status",
    "latched",
  );
  let told = "";
  let toldNs = clock.nowNs() - NS_PER_S;
  const tell = (status: RecorderStatus) => {
    const nowNs: MonotonicNs = clock.nowNs();
    const state = `${status.state} ${status.task} ${status.episode} ${status.message}`;
    if (state === told && nowNs - toldNs < NS_PER_S) return;
    told = state;
    toldNs = nowNs;
    publisher.publish(recorderStatusMessage(status, clock));
  };
  tell(recorder.status());
  return recorder.onStatus(tell);
}

export const recorderStatusMessage = (status: RecorderStatus, clock: Clock): object => ({
  stamp: toRosTime(clock.epochNs()),
  state: status.state,
  task: status.task,
  episode: status.episode,
  seconds: status.seconds,
  megabytes: status.bytes / 1e6,
  messages: BigInt(status.messages),
  dropped: BigInt(status.dropped),
  lost_before: BigInt(status.lostBefore),
  disk_free_gigabytes: status.diskFreeBytes / 1e9,
  message: status.message,
});
