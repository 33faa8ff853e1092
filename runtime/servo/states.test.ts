import { describe, expect, it } from "vitest";
import { SERVO_STATES, type ServoStateName } from "./api.js";
import {
  advance,
  canAdvance,
  passesCommands,
  SERVO_EVENTS,
  type ServoEventName,
  streams,
  transitions,
} from "./states.js";

/** Every pair, written out by hand a second time: `-` is refused. Columns follow SERVO_EVENTS. */
const EXPECTED: Record<ServoStateName, string> = {
  //             linkUp    linkDown     enabled   leaseGranted leaseEnded stopRequested stopFinished reset     fault   teach: Requested Started Ended
  disconnected:
    "            connected disconnected -         -            -          stopped       -            -         faulted - - -",
  connected:
    "            connected disconnected holding   -            -          stopped       -            connected faulted connected teaching -",
  holding:
    "            -         disconnected holding   following    holding    stopping      -            -         faulted connected - -",
  following:
    "            -         disconnected following -            holding    stopping      -            -         faulted - - -",
  stopping:
    "            -         stopped      -         -            stopping   stopping      stopped      -         faulted - - -",
  stopped:
    "            stopped   stopped      -         -            stopped    stopped       stopped      connected stopped - - -",
  faulted:
    "            faulted   faulted      -         -            faulted    faulted       faulted      connected faulted - - -",
  teaching:
    "            -         disconnected -         -            -          stopped       -            -         faulted - - connected",
};
const PAIRS = SERVO_STATES.flatMap((state) =>
  SERVO_EVENTS.map((event, column) => {
    const expected = EXPECTED[state].trim().split(/\s+/)[column]!;
    return { state, event, expected };
  }),
);

describe("servo states", () => {
  it.each(PAIRS)("$state + $event -> $expected", ({ state, event, expected }) => {
    expect(canAdvance(state, event)).toBe(expected !== "-");
    if (expected === "-")
      expect(() => advance(state, event)).toThrow(new RegExp(`${state} refuses ${event}`));
    else expect(advance(state, event)).toBe(expected);
  });

  it("passes commands in following only, which only a lease leads to", () => {
    expect(SERVO_STATES.filter(passesCommands)).toEqual(["following"]);
    const ways = PAIRS.filter(({ state, expected }) => expected === "following" && state !== "following");
    expect(ways).toEqual([{ state: "holding", event: "leaseGranted", expected: "following" }]);
  });

  it("stops from everywhere in one step", () => {
    for (const state of SERVO_STATES)
      expect(["stopping", "stopped", "faulted"]).toContain(advance(state, "stopRequested"));
  });

  it("streams only when enabled, and comes to enabled only from connected", () => {
    expect(SERVO_STATES.filter(streams)).toEqual(["holding", "following", "stopping"]);
    const intoEnabled = PAIRS.filter(
      ({ state, expected }) => expected !== "-" && streams(expected as ServoStateName) && !streams(state),
    );
    expect(intoEnabled).toEqual([{ state: "connected", event: "enabled", expected: "holding" }]);
  });

  it("leaves the latched states by reset only, whatever the link does", () => {
    for (const state of ["stopped", "faulted"] as const) {
      const exits = SERVO_EVENTS.filter(
        (event) => canAdvance(state, event) && advance(state, event) !== state,
      );
      expect(exits).toEqual(["reset"]);
    }
  });

  it("sets the arm free from connected only, and streams again only after connected", () => {
    const into = PAIRS.filter(({ state, expected }) => expected === "teaching" && state !== "teaching");
    expect(into).toEqual([{ state: "connected", event: "teachStarted", expected: "teaching" }]);
    expect(streams("teaching")).toBe(false);
    const onward = PAIRS.filter(({ state, expected }) => state === "teaching" && expected !== "-");
    expect(onward.map(({ expected }) => expected).sort()).toEqual([
      "connected",
      "disconnected",
      "faulted",
      "stopped",
    ]);
  });

  it("latches a stop that was asked for while the link breaks", () => {
    expect(advance("stopping", "linkDown")).toBe("stopped");
    expect(advance("disconnected", "stopRequested")).toBe("stopped");
  });

  it("answers every event in every state", () => {
    for (const state of SERVO_STATES)
      expect(Object.keys(transitions[state]).sort()).toEqual([...SERVO_EVENTS].sort());
  });

  it("has no trap: every state leads to holding", () => {
    for (const start of SERVO_STATES) {
      const reached = new Set<ServoStateName>([start]);
      for (const state of reached)
        for (const event of SERVO_EVENTS as readonly ServoEventName[])
          if (canAdvance(state, event)) reached.add(advance(state, event));
      expect(reached).toContain("holding");
    }
  });
});
