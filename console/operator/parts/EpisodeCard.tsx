/** Recording, with what is being recorded and what was lost of it. */
import { useState } from "preact/hooks";
import { bytes, duration } from "../../shared/format.js";
import { useApp } from "../state/context.js";
import {
  discardEpisode,
  draft,
  endEpisode,
  isAsking,
  isRecording,
  startEpisode,
} from "../state/episodeControls.js";
import { setSilent, soundIsSilent } from "../state/sound.js";
import { useValue } from "../state/value.js";

export function EpisodeCard() {
  const app = useApp();
  const welcome = useValue(app.welcome);
  const recorder = useValue(app.telemetry)?.recorder;
  const task = useValue(draft.task);
  const note = useValue(draft.note);
  const asking = useValue(isAsking);
  const [silent, showSilent] = useState(soundIsSilent());
  if (welcome?.hasRecorder !== true || recorder == null) return null;
  const records = isRecording(recorder);
  const cannot = asking || !app.isOperator;
  const lost = recorder.dropped + recorder.lostBefore;
  return (
    <section class={records ? "card episode recording" : "card episode"} aria-labelledby="episode">
      <div class="spread">
        <h2 id="episode">Episode</h2>
        <span class={records ? "chip on" : "chip"} data-recorder={recorder.state}>
          {records ? "● recording" : recorder.state}
        </span>
      </div>
      <div class="counters" aria-live="off">
        <Counter
          words={records ? "time" : "disk free"}
          value={records ? duration(recorder.seconds) : bytes(recorder.diskFreeBytes)}
        />
        <Counter
          words={records ? "written" : "last"}
          value={records ? bytes(recorder.bytes) : recorder.lastOutcome || "–"}
        />
        <Counter words="lost" value={String(lost)} isBad={lost > 0} />
      </div>
      {records ? (
        <>
          <p class="quiet">
            {recorder.task} / {recorder.episode}
          </p>
          <div class="row even">
            <button
              type="button"
              class="button"
              disabled={cannot}
              onClick={() => void endEpisode(app, "success")}
            >
              Success <kbd>S</kbd>
            </button>
            <button
              type="button"
              class="button"
              disabled={cannot}
              onClick={() => void endEpisode(app, "failure")}
            >
              Failure <kbd>F</kbd>
            </button>
            <button type="button" class="button danger" disabled={cannot} onClick={() => discardEpisode(app)}>
              Discard <kbd>D</kbd>
            </button>
          </div>
        </>
      ) : (
        <button
          type="button"
          class="button wide"
          disabled={cannot || recorder.state !== "idle"}
          onClick={() => void startEpisode(app)}
        >
          Record <kbd>R</kbd>
        </button>
      )}
      {recorder.message !== "" && <p class="why care">{recorder.message}</p>}
      {recorder.lastFlags.map((flag) => (
        <p key={flag} class="why care">
          {flag}
        </p>
      ))}
      <div class="row even">
        <label class="field">
          Task
          <input
            value={task}
            disabled={records}
            placeholder={welcome.defaultTask}
            maxLength={64}
            onInput={(event) => draft.task.set(event.currentTarget.value)}
          />
        </label>
        <label class="field">
          Note
          <input
            value={note}
            maxLength={1000}
            onInput={(event) => draft.note.set(event.currentTarget.value)}
          />
        </label>
      </div>
      <label class="check">
        <input
          type="checkbox"
          checked={!silent}
          onChange={(event) => {
            setSilent(!event.currentTarget.checked);
            showSilent(!event.currentTarget.checked);
          }}
        />
        sounds
      </label>
    </section>
  );
}

const Counter = ({ words, value, isBad = false }: { words: string; value: string; isBad?: boolean }) => (
  <div>
    <b class={isBad ? "warn" : ""}>{value}</b>
    <small class="quiet">{words}</small>
  </div>
);
