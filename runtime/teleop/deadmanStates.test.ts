import { describe, expect, it } from "vitest";
import { TELEOP_STATES } from "../../core/gateway/server.js";
import {
  DEADMAN_EVENTS,
  type DeadmanEvent,
  deadmanTransitions,
  followsHand,
  wantsRobot,
} from "./deadmanStates.js";

const every = TELEOP_STATES.flatMap((state) =>
  DEADMAN_EVENTS.map((event) => ({ state, event, ...deadmanTransitions[state][event] })),
);

describe("the deadman's states", () => {
  it("answer every event in every state", () => {
    expect(Object.keys(deadmanTransitions).sort()).toEqual([...TELEOP_STATES].sort());
    for (const state of TELEOP_STATES)
      expect(Object.keys(deadmanTransitions[state]).sort()).toEqual([...DEADMAN_EVENTS].sort());
  });

  it("come to engaged only by a grant, and only out of engaging", () => {
    for (const { state, event, to } of every)
      if (followsHand(to) && !followsHand(state)) expect([state, event]).toEqual(["engaging", "granted"]);
  });

  it("come to engaging only by a pressed clutch, and only out of ready", () => {
    for (const { state, event, to, does } of every) {
      if (to === "engaging" && state !== "engaging") expect([state, event]).toEqual(["ready", "pressed"]);
      expect(does === "acquire").toBe(to === "engaging" && state !== "engaging");
    }
  });

  it("let the robot go whenever they no longer want it", () => {
    for (const { state, to, does } of every)
      if (wantsRobot(state) && !wantsRobot(to)) expect(does).toBe("letGo");
  });

  it("give back a lease that comes when nobody wants it", () => {
    for (const state of TELEOP_STATES)
      if (!wantsRobot(state)) expect(deadmanTransitions[state].granted).toEqual({ to: state, does: "letGo" });
  });

  it("latch at every failure of whoever has it", () => {
    for (const state of TELEOP_STATES)
      expect(deadmanTransitions[state].failed.to).toBe(state === "off" ? "off" : "latched");
  });

  it("leave the latch only by an open clutch or by giving back", () => {
    const leaving = DEADMAN_EVENTS.filter((event) => deadmanTransitions.latched[event].to !== "latched");
    expect(leaving).toEqual(["given", "released"]);
  });

  it("are all left by giving back, and need an open clutch and a press to come back", () => {
    for (const state of TELEOP_STATES) expect(deadmanTransitions[state].given.to).toBe("off");
    const way: DeadmanEvent[] = ["taken", "pressed", "granted"];
    let state: (typeof TELEOP_STATES)[number] = "off";
    for (const event of way) state = deadmanTransitions[state][event].to;
    expect(state).toBe("engaged");
    // One step less, in any place, does not lead there.
    for (const without of way) {
      state = "off";
      for (const event of way) if (event !== without) state = deadmanTransitions[state][event].to;
      expect(state).not.toBe("engaged");
    }
  });
});
