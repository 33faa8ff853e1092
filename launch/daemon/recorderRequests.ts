/** Requests about recording from the control socket, answered by the recorder's host; and its state for people. */
import { CerebellumError } from "../../core/errors.js";
import type { RecorderHost, RecorderStatus } from "../../runtime/recorder/host.js";
import type { Ended } from "../../runtime/recorder/messages.js";
import type { DiagnosticItem } from "../../runtime/supervisor.js";
import type { ControlRequest } from "../control/protocol.js";

type RecorderRequest = Extract<
  ControlRequest,
  { do: "startRecording" | "stopRecording" | "discardRecording" | "labelEpisode" | "recorderStatus" }
>;

/** @param by who asks: a label carries it */
export async function answerRecorder(
  recorder: RecorderHost | undefined,
  request: RecorderRequest,
  by: string,
) {
  if (recorder === undefined) throw recorderOff();
  const answer = (message: string) => ({
    ok: true as const,
    message,
    status: JSON.parse(JSON.stringify(recorder.status())) as Record<string, unknown>,
  });
  switch (request.do) {
    case "startRecording": {
      const { task, episode } = await recorder.start(request.request);
      return answer(`recording ${task}/${episode}`);
    }
    case "stopRecording":
      return answer(describeEnded(await recorder.stop(request.request)));
    case "discardRecording":
      return answer(describeEnded(await recorder.discard()));
    case "labelEpisode":
      return answer(`${await recorder.label(request.request, by)} is labelled ${request.request.outcome}`);
    case "recorderStatus":
      return answer(describeRecorder(recorder.status()));
  }
}

export const recorderOff = () =>
  new CerebellumError(
    "NOT_RUNNING",
    "This cell does not record",
    "Take `recorder: off` out of the cell file and start it again",
  );

export function describeEnded({
  task,
  episode,
  discarded,
  because,
  seconds,
  flags,
  ...ended
}: Ended): string {
  if (discarded) return `${task}/${episode} is discarded after ${seconds.toFixed(1)} s`;
  const parts = [
    `${task}/${episode}: ${seconds.toFixed(1)} s, ${megabytes(ended.bytes)} MB, ${ended.messages} messages, ${ended.outcome}`,
  ];
  if (because !== "stopped") parts.push(`ended because of "${because}" ${ended.detail}`.trimEnd());
  if (ended.dropped + ended.lostBefore > 0)
    parts.push(`${ended.dropped} messages dropped, ${ended.lostBefore} lost before they came`);
  for (const { code, text } of flags) parts.push(`flagged (${code}): ${text}`);
  return parts.join("; ");
}

export function describeRecorder(status: RecorderStatus): string {
  const { state, task, episode, seconds, bytes, dropped, lostBefore, message } = status;
  const of = episode === "" ? "" : ` ${task}/${episode}, ${seconds.toFixed(1)} s, ${megabytes(bytes)} MB`;
  const lost = dropped + lostBefore === 0 ? "" : `, ${dropped} dropped, ${lostBefore} lost before`;
  const repaired = describeRepairs(status.repairs);
  const text = state === "recording" ? `${of}${lost}` : of === "" ? "" : `; newest:${of}${lost}`;
  return [`${state}${text}`, message, repaired].filter((part) => part !== "").join("; ");
}

function describeRepairs(repairs: RecorderStatus["repairs"]): string {
  if (repairs.length === 0) return "";
  const failed = repairs.filter(({ ok }) => !ok);
  if (failed.length === 0) return `repaired ${repairs.length} episodes that a crash had left`;
  return `${failed.length} of ${repairs.length} episodes that a crash had left need a person: ${failed[0]!.text}`;
}

/** One line of the operator's picture. */
export function recorderItem(recorder: RecorderHost | undefined): DiagnosticItem[] {
  if (recorder === undefined) return [];
  const status = recorder.status();
  const isWeak = status.message !== "" || status.dropped > 0 || status.repairs.some(({ ok }) => !ok);
  return [
    {
      name: "recorder",
      hardwareId: "",
      level: status.state === "down" ? "error" : isWeak ? "warn" : "ok",
      message: describeRecorder(status),
      values: {
        state: status.state,
        episode: status.episode === "" ? "" : `${status.task}/${status.episode}`,
        seconds: Math.round(10 * status.seconds) / 10,
        megabytes: megabytes(status.bytes),
        messages: status.messages,
        dropped: status.dropped,
        lostBefore: status.lostBefore,
        queueMegabytes: megabytes(status.queueBytes),
        diskFreeGigabytes: Math.round(status.diskFreeBytes / 1e8) / 10,
        restarts: status.restarts,
        repairs: status.repairs.length,
      },
    },
  ];
}

const megabytes = (bytes: number): number => Math.round(bytes / 1e5) / 10;
