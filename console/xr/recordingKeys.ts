/**
 * Recording from the headset: buttons, of which each counts only when it is held until its ring is full, and again only
 * after it was released. Pure: it asks for nothing itself, it says what is to be asked for.
 *
 * | | A held | B held | stick held | size held |
 * |---|---|---|---|---|
 * | nothing is recorded | start | recentre (clutch open) | | measure the hand (clutch open) |
 * | recording | stop, then the outcome is asked | recentre (clutch open) | discard | |
 * | the outcome is asked | success | failure | leave it unlabelled | |
 *
 * `size` is trigger or middle finger of the hand that holds the clutch of a robot's fingers, and nothing else's.
 *
 * An episode is on the disk when its outcome is asked for: leaving, or a lost connection, costs the label only.
 */

export const KEYS = ["a", "b", "stick", "size"] as const;
export type Key = (typeof KEYS)[number];
export type KeysDown = Readonly<Record<Key, boolean>>;

export type RecordingPhase = "idle" | "recording" | "asking";
export type KeyAction =
  | "start"
  | "stop"
  | "discard"
  | "recentre"
  | "measure"
  | "labelSuccess"
  | "labelFailure"
  | "leaveUnlabelled";

interface Meaning {
  readonly action: KeyAction;
  readonly holdMs: number;
  readonly words: string;
  readonly needsOpenClutch?: boolean;
}

const HOLD_MS = 450;
/** What cannot be undone takes longer. */
const DISCARD_MS = 1200;

const RECENTRE: Meaning = {
  action: "recentre",
  holdMs: HOLD_MS,
  words: "face along the robot: recentre",
  needsOpenClutch: true,
};

export const MEANINGS: Readonly<Record<RecordingPhase, Readonly<Partial<Record<Key, Meaning>>>>> = {
  idle: {
    a: { action: "start", holdMs: HOLD_MS, words: "record" },
    b: RECENTRE,
    size: { action: "measure", holdMs: HOLD_MS, words: "measure your hand", needsOpenClutch: true },
  },
  recording: {
    a: { action: "stop", holdMs: HOLD_MS, words: "stop recording" },
    b: RECENTRE,
    stick: { action: "discard", holdMs: DISCARD_MS, words: "discard" },
  },
  asking: {
    a: { action: "labelSuccess", holdMs: HOLD_MS, words: "success" },
    b: { action: "labelFailure", holdMs: HOLD_MS, words: "failure" },
    stick: { action: "leaveUnlabelled", holdMs: HOLD_MS, words: "no label" },
  },
};

/** The key that is being held, and how full its ring is, 0 to 1. */
export interface Holding {
  readonly key: Key;
  readonly share: number;
  readonly words: string;
}

export class RecordingKeys {
  readonly #sinceMs: Partial<Record<Key, number>> = {};
  /** Keys that have done something, or were down when their meaning changed: they must come up first. */
  readonly #spent = new Set<Key>();
  #phase: RecordingPhase = "idle";
  #holding: Holding | undefined;

  get holding(): Holding | undefined {
    return this.#holding;
  }

  /** At most one action; two keys held together do nothing. */
  update(down: KeysDown, phase: RecordingPhase, isClutchOpen: boolean, nowMs: number): KeyAction | undefined {
    if (phase !== this.#phase) {
      this.#phase = phase;
      for (const key of KEYS) if (down[key]) this.#spent.add(key);
    }
    const held = KEYS.filter((key) => down[key]);
    for (const key of KEYS) {
      if (!down[key]) this.#spent.delete(key);
      if (!down[key] || held.length > 1) delete this.#sinceMs[key];
      if (held.length > 1 && down[key]) this.#spent.add(key);
    }
    this.#holding = undefined;
    const [key] = held;
    if (key === undefined || this.#spent.has(key)) return undefined;
    const meaning = MEANINGS[phase][key];
    if (meaning === undefined || (meaning.needsOpenClutch === true && !isClutchOpen)) {
      delete this.#sinceMs[key];
      return undefined;
    }
    const sinceMs = (this.#sinceMs[key] ??= nowMs);
    const share = Math.min(1, (nowMs - sinceMs) / meaning.holdMs);
    this.#holding = { key, share, words: meaning.words };
    if (share < 1) return undefined;
    this.#spent.add(key);
    delete this.#sinceMs[key];
    return meaning.action;
  }

  /** No frames come: whatever is held must be pressed anew. */
  forget(): void {
    for (const key of KEYS) {
      delete this.#sinceMs[key];
      this.#spent.add(key);
    }
    this.#holding = undefined;
  }
}
