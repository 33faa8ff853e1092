/**
 * The life of episodes as one table. Whoever controls recording (command line, ROS services, console, headset) goes
 * through it, so that the same request has the same answer everywhere. Pure: the host does what a transition says.
 */
import { CerebellumError, type ErrorCode } from "../../core/errors.js";

/** `preparing`: the recorder's thread starts and repairs what a crash has left. `down`: it failed and stays so. */
export const LIFE_STATES = ["preparing", "idle", "starting", "recording", "finishing", "down"] as const;
export type LifeState = (typeof LIFE_STATES)[number];

/** Requests come from people, the rest from the recorder's thread. */
export const REQUESTS = ["start", "stop", "discard", "label"] as const;
export const HAPPENINGS = [
  "ready",
  "started",
  "startFailed",
  "ending",
  "ended",
  "crashed",
  "gaveUp",
] as const;
export type LifeEvent = (typeof REQUESTS)[number] | (typeof HAPPENINGS)[number];

/** What the host does on a transition. */
export type LifeAction = "begin" | "finish" | "discard" | "labelRunning" | "labelEnded";

export interface Refusal {
  readonly code: ErrorCode;
  readonly happened: string;
  readonly remedy: string;
}

export type Transition =
  | { readonly to: LifeState; readonly do?: LifeAction }
  | { readonly refuse: Refusal }
  /** Cannot come in this state from a thread that works; it changes nothing. */
  | { readonly ignore: true };

const to = (state: LifeState, action?: LifeAction): Transition =>
  action === undefined ? { to: state } : { to: state, do: action };
const refuse = (code: ErrorCode, happened: string, remedy: string): Transition => ({
  refuse: { code, happened, remedy },
});
const IGNORE: Transition = { ignore: true };

const NOTHING_RUNS = refuse(
  "NOT_RUNNING",
  "No episode is being recorded",
  "Start one with `./cerebellum record start --task TASK`",
);
const IS_STARTING = refuse(
  "ALREADY_RUNNING",
  "An episode is being started",
  "Ask again in a moment; `./cerebellum record status` shows it",
);
const IS_FINISHING = refuse(
  "ALREADY_RUNNING",
  "An episode is being finished",
  "Ask again in a moment; `./cerebellum record status` shows it",
);
const IS_RUNNING = refuse(
  "ALREADY_RUNNING",
  "An episode is being recorded already",
  "Stop or discard it first: `./cerebellum record stop`, `./cerebellum record discard`",
);
const IS_PREPARING = refuse(
  "NOT_RUNNING",
  "The recorder is starting and repairs what a crash has left",
  "Ask again in a moment; `./cerebellum record status` shows it",
);
const IS_DOWN = refuse(
  "NOT_RUNNING",
  "The recorder has failed and stays down",
  "Read the daemon's log for the cause, then start the cell again",
);

export const LIFE: Readonly<Record<LifeState, Readonly<Record<LifeEvent, Transition>>>> = {
  preparing: {
    start: IS_PREPARING,
    stop: NOTHING_RUNS,
    discard: NOTHING_RUNS,
    label: IS_PREPARING,
    ready: to("idle"),
    started: IGNORE,
    startFailed: IGNORE,
    ending: IGNORE,
    ended: IGNORE,
    crashed: to("preparing"),
    gaveUp: to("down"),
  },
  idle: {
    start: to("starting", "begin"),
    stop: NOTHING_RUNS,
    discard: NOTHING_RUNS,
    label: to("idle", "labelEnded"),
    ready: IGNORE,
    started: IGNORE,
    startFailed: IGNORE,
    ending: IGNORE,
    ended: IGNORE,
    crashed: to("preparing"),
    gaveUp: to("down"),
  },
  starting: {
    start: IS_STARTING,
    stop: IS_STARTING,
    discard: IS_STARTING,
    label: IS_STARTING,
    ready: IGNORE,
    started: to("recording"),
    startFailed: to("idle"),
    ending: IGNORE,
    ended: IGNORE,
    crashed: to("preparing"),
    gaveUp: to("down"),
  },
  recording: {
    start: IS_RUNNING,
    stop: to("finishing", "finish"),
    discard: to("finishing", "discard"),
    label: to("recording", "labelRunning"),
    ready: IGNORE,
    started: IGNORE,
    startFailed: IGNORE,
    // The disk is full, something was lost in a strict episode, ...: the thread ends it by itself.
    ending: to("finishing"),
    ended: to("idle"),
    crashed: to("preparing"),
    gaveUp: to("down"),
  },
  finishing: {
    start: IS_FINISHING,
    stop: IS_FINISHING,
    discard: IS_FINISHING,
    label: IS_FINISHING,
    ready: IGNORE,
    started: IGNORE,
    startFailed: IGNORE,
    // A stop and the thread's own end have crossed: the first one counts.
    ending: IGNORE,
    ended: to("idle"),
    crashed: to("preparing"),
    gaveUp: to("down"),
  },
  down: {
    start: IS_DOWN,
    stop: IS_DOWN,
    discard: IS_DOWN,
    label: IS_DOWN,
    ready: IGNORE,
    started: IGNORE,
    startFailed: IGNORE,
    ending: IGNORE,
    ended: IGNORE,
    crashed: IGNORE,
    gaveUp: IGNORE,
  },
};

export class EpisodeLife {
  #state: LifeState = "preparing";
  readonly #onChange: (state: LifeState) => void;

  constructor(onChange: (state: LifeState) => void) {
    this.#onChange = onChange;
  }

  get state(): LifeState {
    return this.#state;
  }

  /** @returns what is to be done now. @throws CerebellumError with the table's refusal */
  handle(event: LifeEvent): LifeAction | undefined {
    const transition = LIFE[this.#state][event];
    if ("ignore" in transition) return undefined;
    if ("refuse" in transition) {
      const { code, happened, remedy } = transition.refuse;
      throw new CerebellumError(code, happened, remedy);
    }
    const changed = transition.to !== this.#state;
    this.#state = transition.to;
    if (changed) this.#onChange(this.#state);
    return transition.do;
  }
}
