/** `record start|stop|discard|label|status`: asks the running daemon's recorder, each once. */
import type { Outcome } from "../../episodes/format.js";
import { loadCell } from "../cell/load.js";
import { askDaemon } from "../control/client.js";
import type { ControlRequest } from "../control/protocol.js";
import { runFolder } from "../runFolder.js";
import { systemClock } from "../systemClock.js";
import { printer, writeJson } from "./output.js";

export interface RecordOptions {
  readonly cell: string;
  readonly json?: string;
}

/** Finishing waits until the episode is whole on the disk. */
const FINISH_MS = 70_000;

export type AskRecorder = (request: ControlRequest) => ReturnType<typeof askDaemon>;

/** @throws CerebellumError what the daemon's recorder says */
export const recorderOf = (cellFile: string): AskRecorder => {
  const { controlSocket } = runFolder(loadCell(cellFile).name);
  return (request) => askDaemon(controlSocket, request, systemClock, FINISH_MS);
};

async function ask({ cell, json }: RecordOptions, request: ControlRequest): Promise<void> {
  const answer = await recorderOf(cell)(request);
  printer(json)(answer.message);
  writeJson(json, answer.status);
}

export interface StartOptions extends RecordOptions {
  readonly task: string;
  readonly note: string;
  readonly kind: "demonstration" | "rollout" | "other";
  readonly strict?: boolean;
}

export const startRecording = ({ task, note, kind, strict, ...options }: StartOptions): Promise<void> =>
  ask(options, {
    do: "startRecording",
    request: { task, note, kind, context: {}, ...(strict === undefined ? {} : { strict }) },
  });

export interface LabelOptions extends RecordOptions {
  readonly outcome: Outcome;
  readonly note: string;
}

export const stopRecording = ({ outcome, note, ...options }: LabelOptions): Promise<void> =>
  ask(options, { do: "stopRecording", request: { outcome, note } });

export const discardRecording = (options: RecordOptions): Promise<void> =>
  ask(options, { do: "discardRecording" });

export const labelEpisode = ({
  outcome,
  note,
  episode,
  task,
  ...options
}: LabelOptions & { readonly episode?: string; readonly task?: string }): Promise<void> =>
  ask(options, {
    do: "labelEpisode",
    request: {
      outcome,
      note,
      ...(episode === undefined ? {} : { episode }),
      ...(task === undefined ? {} : { task }),
    },
  });

export const recorderStatus = (options: RecordOptions): Promise<void> =>
  ask(options, { do: "recorderStatus" });
