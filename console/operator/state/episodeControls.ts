/** Starting and ending episodes, from buttons and keys alike: every change is seen and heard. */
import type { RecorderTelemetry } from "../../../core/gateway/server.js";
import { askFirst, question } from "./confirm.js";
import type { OperatorApp } from "./operatorApp.js";
import { playSound } from "./sound.js";
import { Value } from "./value.js";

export type Ending = "success" | "failure" | "unlabelled";

/** What is written into the next episode. */
export const draft = { task: new Value(""), note: new Value("") };

/** While a request is on its way a second press is none. */
export const isAsking = new Value(false);

const recorderOf = (app: OperatorApp): RecorderTelemetry | undefined => app.newest?.recorder ?? undefined;
export const isRecording = (recorder: RecorderTelemetry | null | undefined): boolean =>
  recorder?.state === "recording" || recorder?.state === "starting";

export const taskOf = (app: OperatorApp): string =>
  draft.task.current.trim() || (app.welcome.current?.defaultTask ?? "demonstrations");

export async function startEpisode(app: OperatorApp): Promise<void> {
  if (isRecording(recorderOf(app))) return;
  await asking(async () => {
    const isDone = await app.do({ do: "startRecording", task: taskOf(app), note: draft.note.current });
    playSound(isDone ? "start" : "refused");
  });
}

export async function endEpisode(app: OperatorApp, outcome: Ending): Promise<void> {
  if (!isRecording(recorderOf(app))) return;
  await asking(async () => {
    const isDone = await app.do({ do: "stopRecording", outcome, note: draft.note.current });
    playSound(isDone ? outcome : "refused");
    if (isDone) draft.note.set("");
  });
}

export function discardEpisode(app: OperatorApp): void {
  const recorder = recorderOf(app);
  if (!isRecording(recorder)) return;
  const name = recorder?.episode || "this episode";
  askFirst({
    text: `Discard ${name}?`,
    detail: "What was recorded of it is deleted and cannot be brought back.",
    yes: "Discard",
    onYes: () => {
      const now = recorderOf(app);
      if (!isRecording(now) || now?.episode !== recorder?.episode)
        app.toast("warn", `${name} is over: it was not discarded`, "Look for it on the page Episodes");
      else
        void asking(async () =>
          playSound((await app.do({ do: "discardRecording" })) ? "discard" : "refused"),
        );
    },
  });
}

const KEYS: Readonly<Record<string, (app: OperatorApp) => void>> = {
  KeyR: (app) => void startEpisode(app),
  KeyS: (app) => void endEpisode(app, "success"),
  KeyF: (app) => void endEpisode(app, "failure"),
  KeyD: discardEpisode,
};

export function pressEpisodeKey(app: OperatorApp, code: string): void {
  if (question.current !== undefined) return;
  if (app.isOperator && app.welcome.current?.hasRecorder === true) KEYS[code]?.(app);
}

async function asking(work: () => Promise<void>): Promise<void> {
  if (isAsking.current) return;
  isAsking.set(true);
  try {
    await work();
  } finally {
    isAsking.set(false);
  }
}
