import { describe, expect, it } from "vitest";
import type { CerebellumError } from "../../core/errors.js";
import {
  EpisodeLife,
  HAPPENINGS,
  LIFE,
  LIFE_STATES,
  type LifeEvent,
  type LifeState,
  REQUESTS,
} from "./life.js";

const EVENTS: readonly LifeEvent[] = [...REQUESTS, ...HAPPENINGS];

/** A life brought to a state by the shortest way of events that the thread and people can really give. */
const WAYS: Readonly<Record<LifeState, readonly LifeEvent[]>> = {
  preparing: [],
  idle: ["ready"],
  starting: ["ready", "start"],
  recording: ["ready", "start", "started"],
  finishing: ["ready", "start", "started", "stop"],
  down: ["gaveUp"],
};

function lifeIn(state: LifeState) {
  const changes: LifeState[] = [];
  const life = new EpisodeLife((next) => changes.push(next));
  for (const event of WAYS[state]) life.handle(event);
  expect(life.state).toBe(state);
  changes.splice(0);
  return { life, changes };
}

/** What must hold, written apart from the table: state, event, state after, action; every other request is refused. */
const EXPECTED: readonly (readonly [LifeState, LifeEvent, LifeState, string | undefined])[] = [
  ["preparing", "ready", "idle", undefined],
  ["idle", "start", "starting", "begin"],
  ["idle", "label", "idle", "labelEnded"],
  ["starting", "started", "recording", undefined],
  ["starting", "startFailed", "idle", undefined],
  ["recording", "stop", "finishing", "finish"],
  ["recording", "discard", "finishing", "discard"],
  ["recording", "label", "recording", "labelRunning"],
  ["recording", "ending", "finishing", undefined],
  ["recording", "ended", "idle", undefined],
  ["finishing", "ended", "idle", undefined],
  ...LIFE_STATES.filter((state) => state !== "down").flatMap((state) => [
    [state, "crashed", "preparing", undefined] as const,
    [state, "gaveUp", "down", undefined] as const,
  ]),
];

describe("life of an episode", () => {
  const all = LIFE_STATES.flatMap((state) => EVENTS.map((event) => ({ state, event })));

  it.each(all)("$state: $event does what it must, and nothing else", ({ state, event }) => {
    const { life, changes } = lifeIn(state);
    const expected = EXPECTED.find(([from, on]) => from === state && on === event);
    if (expected !== undefined) {
      const [, , to, action] = expected;
      expect(life.handle(event)).toBe(action);
      expect(life.state).toBe(to);
      expect(changes).toEqual(to === state ? [] : [to]);
    } else if ((REQUESTS as readonly string[]).includes(event)) {
      let refusal: CerebellumError | undefined;
      try {
        life.handle(event);
      } catch (thrown) {
        refusal = thrown as CerebellumError;
      }
      expect(refusal?.code).toMatch(/^(NOT_RUNNING|ALREADY_RUNNING)$/);
      for (const text of [refusal?.happened, refusal?.remedy]) expect(text).toMatch(/^[A-Z].{15,}[^.]$/);
      expect([life.state, changes]).toEqual([state, []]);
    } else {
      expect(life.handle(event)).toBeUndefined();
      expect([life.state, changes]).toEqual([state, []]);
    }
  });

  it("leads back to idle from every state but `down`, by what the thread itself can say", () => {
    for (const state of LIFE_STATES) {
      const reached = new Set<LifeState>([state]);
      for (let size = 0; size !== reached.size; ) {
        size = reached.size;
        for (const from of [...reached]) {
          for (const event of HAPPENINGS) {
            const transition = LIFE[from][event];
            if ("to" in transition) reached.add(transition.to);
          }
        }
      }
      expect([state, reached.has("idle")]).toEqual([state, state !== "down"]);
    }
  });

  it("never begins an episode while one is open", () => {
    for (const state of LIFE_STATES) {
      const begins = EVENTS.filter((event) => {
        const transition = LIFE[state][event];
        return "do" in transition && transition.do === "begin";
      });
      expect(begins).toEqual(state === "idle" ? ["start"] : []);
    }
  });
});
