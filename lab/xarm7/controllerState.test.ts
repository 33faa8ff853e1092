/** The state machine alone: every trigger in every state, errors and the way back from them. */
import { beforeEach, describe, expect, it } from "vitest";
import { MODE, SET_STATE, STATE, STATE_BYTE } from "../../drivers/xarm7/protocol/index.js";
import { ControllerState, type MotionControl } from "./controllerState.js";

class FakeMotion implements MotionControl {
  isMoving = false;
  calls: string[] = [];
  moving = (): boolean => this.isMoving;
  abort = (): void => void this.calls.push("abort");
  pause = (): void => void this.calls.push("pause");
  resume = (): void => void this.calls.push("resume");
  modeChanged = (mode: number): void => void this.calls.push(`mode ${mode}`);
  motorsChanged = (on: boolean): void => void this.calls.push(`motors ${on ? "on" : "off"}`);
}

let motion: FakeMotion;
let machine: ControllerState;

beforeEach(() => {
  motion = new FakeMotion();
  machine = new ControllerState(motion);
});

function makeReady(mode: number = MODE.servo): void {
  machine.setEnabled(8, true);
  machine.setMode(mode);
  machine.setState(SET_STATE.ready);
  motion.calls = [];
}

/** Puts a fresh machine into each state that can be reached. */
const reach: Readonly<Record<string, () => void>> = {
  "just switched on": () => {},
  ready: () => makeReady(),
  moving: () => {
    makeReady();
    motion.isMoving = true;
  },
  paused: () => {
    makeReady();
    machine.setState(SET_STATE.pause);
  },
  stopped: () => {
    makeReady();
    machine.setState(SET_STATE.stop);
  },
  reset: () => {
    makeReady();
    machine.setMode(MODE.servo);
  },
  "in error": () => {
    makeReady();
    machine.fault(31);
  },
};

describe("the vendor's order", () => {
  it("starts stopped and unpowered", () => {
    expect(machine.state).toBe(STATE.stopped);
    expect(machine.mode).toBe(MODE.position);
    expect(machine.motorsOn).toBe(false);
    expect(machine.replyBits).toBe(STATE_BYTE.notReady);
  });

  it("enable, mode, state makes it ready in that mode", () => {
    machine.setEnabled(8, true);
    expect(machine.state).toBe(STATE.reset);
    expect(machine.enableBits).toBe(0x7f);
    expect(machine.releasedBits).toBe(0x7f);
    machine.setMode(MODE.servo);
    expect([machine.mode, machine.state]).toEqual([MODE.servo, STATE.reset]);
    expect(machine.replyBits).toBe(STATE_BYTE.notReady);
    machine.setState(SET_STATE.ready);
    expect(machine.state).toBe(STATE.ready);
    expect(machine.replyBits).toBe(0);
  });

  it("stays not ready while a motor is off", () => {
    for (let axis = 1; axis <= 6; axis++) machine.setEnabled(axis, true);
    machine.setState(SET_STATE.ready);
    expect(machine.state).toBe(STATE.reset);
    machine.setEnabled(7, true);
    machine.setState(SET_STATE.ready);
    expect(machine.state).toBe(STATE.ready);
  });

  it("loses the mode when something resets the system afterwards", () => {
    makeReady(MODE.servo);
    machine.systemReset();
    expect([machine.mode, machine.state]).toEqual([MODE.position, STATE.reset]);
    machine.setState(SET_STATE.ready);
    expect([machine.mode, machine.state]).toEqual([MODE.position, STATE.ready]);
  });
});

describe.each(Object.keys(reach))("from %s", (name) => {
  beforeEach(() => reach[name]!());

  it.each([1, 2, 10, 14, 19, 22, 23, 24, 31, 60])("error %i stops the arm in mode 0, state 4", (code) => {
    machine.fault(code);
    expect([machine.mode, machine.state, machine.errorCode]).toEqual([MODE.position, STATE.stopped, code]);
    expect(machine.replyBits & (STATE_BYTE.error | STATE_BYTE.notReady)).toBe(0x50);
    expect(motion.calls).toContain("abort");
  });

  it("stop ends motion in state 4 and keeps the mode", () => {
    const { mode } = machine;
    machine.setState(SET_STATE.stop);
    expect([machine.mode, machine.state]).toEqual([mode, STATE.stopped]);
    expect(motion.calls).toContain("abort");
  });

  it("a system reset ends motion and is never ready", () => {
    machine.systemReset();
    expect(machine.state).toBe(machine.errorCode > 0 ? STATE.stopped : STATE.reset);
    expect(machine.ready).toBe(false);
    expect(motion.calls).toContain("abort");
  });

  it("refuses states and modes that cannot be set", () => {
    for (const state of [1, 2, 5, 7, 9, 255]) expect(machine.setState(state)).toBe(false);
    for (const mode of [3, 8, 11, 255]) expect(machine.setMode(mode)).toBe(false);
    for (const axis of [0, 9, 255]) expect(machine.setEnabled(axis, true)).toBe(false);
  });

  it("the whole order of recovery always ends ready in servo mode", () => {
    machine.cleanError();
    machine.cleanWarning();
    machine.setEnabled(8, true);
    machine.setMode(MODE.servo);
    machine.setState(SET_STATE.ready);
    motion.isMoving = false;
    expect([machine.mode, machine.state, machine.replyBits]).toEqual([MODE.servo, STATE.ready, 0]);
  });
});

describe("errors", () => {
  it("are not undone by state 0 alone", () => {
    makeReady();
    machine.fault(31);
    machine.setState(SET_STATE.ready);
    expect([machine.state, machine.errorCode]).toEqual([STATE.stopped, 31]);
  });

  it("leave mode 0 behind when only cleared and set ready", () => {
    makeReady();
    machine.fault(31);
    machine.cleanError();
    machine.setState(SET_STATE.ready);
    expect([machine.mode, machine.state]).toEqual([MODE.position, STATE.ready]);
  });

  it("of the emergency stop cut the power and stay while the button is pressed", () => {
    makeReady();
    machine.fault(1, true);
    expect(machine.enableBits).toBe(0);
    expect(motion.calls).toContain("motors off");
    machine.cleanError();
    expect(machine.errorCode).toBe(1);
    machine.setEnabled(8, true);
    expect(machine.motorsOn).toBe(false);
    machine.releaseCause();
    machine.cleanError();
    machine.setEnabled(8, true);
    expect([machine.errorCode, machine.motorsOn]).toEqual([0, true]);
  });

  it("of a joint cut that joint's motor only", () => {
    makeReady();
    machine.fault(13);
    expect(machine.enableBits).toBe(0x7b);
    machine.cleanError();
    machine.setMode(MODE.servo);
    machine.setState(SET_STATE.ready);
    expect(machine.ready).toBe(false);
  });

  it("show in the state byte together with warnings", () => {
    makeReady();
    machine.warn(11);
    expect(machine.replyBits).toBe(STATE_BYTE.warning);
    machine.fault(24);
    expect(machine.replyBits).toBe(STATE_BYTE.error | STATE_BYTE.warning | STATE_BYTE.notReady);
    machine.cleanWarning();
    expect(machine.warningCode).toBe(0);
  });
});

describe("pausing", () => {
  it("holds and goes on", () => {
    makeReady();
    machine.setState(SET_STATE.pause);
    expect(machine.state).toBe(STATE.paused);
    machine.setState(SET_STATE.ready);
    expect(motion.calls).toEqual(["pause", "resume"]);
    expect(machine.state).toBe(STATE.ready);
  });

  it("does nothing to an arm that is not ready", () => {
    machine.setState(SET_STATE.pause);
    expect(machine.state).toBe(STATE.stopped);
    expect(motion.calls).toEqual([]);
  });
});

it("a decelerated stop reads 6 until the arm rests, then 4", () => {
  makeReady();
  motion.isMoving = true;
  machine.setState(SET_STATE.decelerate);
  expect(machine.state).toBe(STATE.decelerating);
  motion.isMoving = false;
  expect(machine.state).toBe(STATE.stopped);
});
