/** What was recorded, as contact sheets: find, judge, note. */
import "./episodes.css";
import { useState } from "preact/hooks";
import { EpisodeList, type EpisodeSummary } from "../../../core/gateway/library.js";
import { bytes, dayAndTime, duration } from "../../shared/format.js";
import { Choices } from "../parts/Choices.js";
import { Sheet } from "../parts/Sheet.js";
import { useAsked } from "../state/asked.js";
import { useApp } from "../state/context.js";
import type { Ending } from "../state/episodeControls.js";

const OUTCOMES: readonly (readonly [Ending, string])[] = [
  ["success", "Success"],
  ["failure", "Failure"],
  ["unlabelled", "Unlabelled"],
];
type Show = Ending | "all" | "flagged";
const SHOWS: readonly (readonly [Show, string])[] = [["all", "All"], ...OUTCOMES, ["flagged", "Flagged"]];
/** Shown at once; more on request, so that thousands of episodes open as quickly as ten. */
const STEP = 40;

function filterEpisodes(episodes: readonly EpisodeSummary[], show: Show, text: string): EpisodeSummary[] {
  const wanted = text.trim().toLowerCase();
  return episodes.filter(
    (one) =>
      (show === "all" ||
        (show === "flagged" ? one.flags.length > 0 || one.state === "damaged" : one.outcome === show)) &&
      (wanted === "" || `${one.task} ${one.episode} ${one.note} ${one.kind}`.toLowerCase().includes(wanted)),
  );
}

export function EpisodesPage() {
  const [task, setTask] = useState("");
  const [show, setShow] = useState<Show>("all");
  const [text, setText] = useState("");
  const [count, setCount] = useState(STEP);
  const { data, isAsking, again } = useAsked(
    task === "" ? { do: "listEpisodes" } : { do: "listEpisodes", task },
    EpisodeList,
  );
  const found = filterEpisodes(data?.episodes ?? [], show, text);
  const seconds = found.reduce((sum, one) => sum + (one.seconds ?? 0), 0);
  return (
    <div class="page">
      <div class="row">
        <h1>Episodes</h1>
        <label class="field inline">
          <span class="unseen">Task</span>
          <select aria-label="Task" value={task} onChange={(event) => setTask(event.currentTarget.value)}>
            <option value="">every task</option>
            {data?.tasks.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </label>
        <Choices label="Outcome" options={SHOWS} chosen={show} onChoose={setShow} />
        <label class="field inline grow">
          <input
            type="search"
            aria-label="Find in names and notes"
            placeholder="find in names and notes"
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </label>
        <button type="button" class="button" disabled={isAsking} onClick={again}>
          {isAsking ? "Loading …" : "Reload"}
        </button>
      </div>
      <p class="quiet" role="status">
        {data === undefined
          ? ""
          : `${found.length} of ${data.episodes.length} · ${duration(seconds)} · in ${data.folder}`}
      </p>
      <ul class="episodes">
        {found.slice(0, count).map((episode) => (
          <Episode key={`${episode.task}/${episode.episode}`} episode={episode} onChanged={again} />
        ))}
      </ul>
      {found.length > count && (
        <button type="button" class="button" onClick={() => setCount(count + STEP)}>
          Show {Math.min(STEP, found.length - count)} more
        </button>
      )}
      {data !== undefined && found.length === 0 && (
        <p class="quiet">Nothing fits. Record one on the Drive page.</p>
      )}
    </div>
  );
}

const chipOf = (outcome: string): string =>
  outcome === "success" ? "chip on" : outcome === "failure" ? "chip care" : "chip";

function Episode({ episode: one, onChanged }: { episode: EpisodeSummary; onChanged: () => void }) {
  const app = useApp();
  const [note, setNote] = useState(one.note);
  const [isOpen, setOpen] = useState(false);
  const label = async (outcome: Ending) => {
    const { task, episode } = one;
    if (await app.do({ do: "labelEpisode", task, episode, outcome, note })) onChanged();
  };
  const outcome = OUTCOMES.find(([name]) => name === one.outcome)?.[0] ?? "unlabelled";
  return (
    <li class={one.dropped ? "card one dropped" : "card one"} data-episode={one.episode}>
      <Sheet path={one.sheet} words={one.episode} />
      <div class="spread">
        <strong>{one.episode}</strong>
        <span class={one.state === "damaged" ? "chip bad" : chipOf(one.outcome)} data-outcome={one.outcome}>
          {one.state === "finished" ? one.outcome : one.state}
        </span>
      </div>
      <div class="spread quiet small">
        <span>{one.task}</span>
        <span>{dayAndTime(one.startedEpochMs)}</span>
        <span>
          {duration(one.seconds)} · {bytes(one.bytes)}
        </span>
      </div>
      {one.dropped && <p class="quiet small">taken out of the set</p>}
      {one.flags.map((flag) => (
        <p key={flag} class="why care small">
          {flag}
        </p>
      ))}
      {!isOpen && (
        <button
          type="button"
          class="button"
          aria-label={`Label ${one.episode}`}
          title={one.note}
          disabled={!app.isOperator}
          onClick={() => {
            setNote(one.note);
            setOpen(true);
          }}
        >
          {one.note === "" ? "Label, note" : `“${one.note}”`}
        </button>
      )}
      {isOpen && (
        <>
          <input
            class="note"
            aria-label={`Note of ${one.episode}`}
            placeholder="note"
            maxLength={1000}
            value={note}
            onInput={(event) => setNote(event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key === "Enter") void label(outcome);
            }}
          />
          <Choices
            label={`Outcome of ${one.episode}`}
            isTight
            options={OUTCOMES}
            chosen={outcome}
            onChoose={(next) => void label(next)}
          />
        </>
      )}
    </li>
  );
}
