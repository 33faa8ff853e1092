/** Setpoints against closed-form answers: profiles, servo targets, limits, stops, pause, velocities, free drive. */
import { beforeEach, describe, expect, it } from "vitest";
import { MODE, SET_STATE } from "../../drivers/xarm7/protocol/index.js";
import { Controller } from "./controller.js";
import { IdealPlant } from "./idealPlant.js";
import { jointProfile } from "./moveQueue.js";
import { toolPose } from "./pose.js";
import { trapezoid } from "./profile.js";

const TICK_S = 0.004;
const HOME_RAD = [0, -0.247, 0, 0.909, 0, 1.15644, 0];

let plant: IdealPlant;
let controller: Controller;

let behindS = 0;

beforeEach(() => {
  behindS = 0;
  plant = new IdealPlant({ positionRad: HOME_RAD });
  controller = new Controller({
    plant,
    version: "7,7,XS1305,AC1304,v2.7.1",
    serial: "XS130520231201",
    boxSerial: "AC130420231201",
    limits: "narrow",
    toolBaudIndex: 11,
    speedFaultWindowMs: 50,
    toolSpeedWindowMs: 20,
    behindS: () => behindS,
  });
});

function run(durationS: number, each?: () => void): void {
  for (let tick = 0; tick < Math.round(durationS / TICK_S); tick++) {
    each?.();
    controller.step(TICK_S);
    plant.advance(TICK_S);
  }
}

function ready(mode: number): void {
  controller.state.setEnabled(8, true);
  controller.state.setMode(mode);
  controller.state.setState(SET_STATE.ready);
}

const shifted = (joint: number, byRad: number): Float64Array => {
  const target = Float64Array.from(controller.motion.setpointRad);
  target[joint] = target[joint]! + byRad;
  return target;
};

const queueTo = (target: Float64Array, speed: number, acceleration: number, blended = false): void => {
  const from =
    controller.motion.queue.count === 0
      ? Float64Array.from(controller.motion.setpointRad)
      : Float64Array.from(controller.motion.queue.endRad);
  const profile = jointProfile(from, target, speed, acceleration);
  controller.motion.addMove({ waypointsRad: [from, target], profile, blended });
};

describe("a trapezoid", () => {
  it("takes distance over speed plus one ramp", () => {
    const profile = trapezoid(2, 1, 4);
    expect(profile.durationS).toBeCloseTo(2 / 1 + 1 / 4, 12);
    expect(profile.shareAt(0.25)).toBeCloseTo((0.5 * 4 * 0.25 ** 2) / 2, 12);
    expect(profile.shareAt(profile.durationS / 2)).toBeCloseTo(0.5, 12);
    expect(profile.shareAt(profile.durationS)).toBe(1);
  });

  it("becomes a triangle when too short to cruise", () => {
    const profile = trapezoid(0.01, 1, 4);
    expect(profile.durationS).toBeCloseTo(2 * Math.sqrt(0.01 / 4), 12);
    expect(profile.brakingS).toBeCloseTo(Math.sqrt(0.01 / 4), 12);
  });
});

describe("planned moves", () => {
  it("arrive when the profile ends and read moving until then", () => {
    ready(MODE.position);
    queueTo(shifted(0, 1), 1, 10);
    run(1.0);
    expect(controller.motion.moving()).toBe(true);
    run(0.12);
    expect(controller.motion.moving()).toBe(false);
    expect(plant.positionRad[0]).toBeCloseTo(1, 9);
  });

  it("never exceed their speed", () => {
    ready(MODE.position);
    queueTo(shifted(0, 1), 0.7, 5);
    let fastest = 0;
    run(2, () => (fastest = Math.max(fastest, Math.abs(controller.motion.velocityRadPerS[0]!))));
    expect(fastest).toBeGreaterThan(0.69);
    expect(fastest).toBeLessThan(0.7001);
  });

  it("run one after another and are counted", () => {
    ready(MODE.position);
    queueTo(shifted(0, 0.5), 1, 10);
    queueTo(shifted(1, 0.2), 1, 10);
    expect(controller.motion.queue.count).toBe(2);
    run(3);
    expect(controller.motion.queue.count).toBe(0);
    // The second target was read off the standing arm, so joint 1 returns.
    expect(plant.positionRad[0]).toBeCloseTo(0, 9);
    expect(plant.positionRad[1]).toBeCloseTo(-0.047, 9);
  });

  it("blend: the second starts while the first brakes, and the end is the same", () => {
    ready(MODE.position);
    const corner = shifted(0, 0.5);
    const end = Float64Array.from(corner);
    end[1] = 0.2;
    queueTo(corner, 1, 2, true);
    queueTo(end, 1, 2);
    let bothMove = 0;
    run(3, () => {
      const [first, second] = controller.motion.velocityRadPerS as unknown as [number, number];
      if (Math.abs(first) > 0.05 && Math.abs(second) > 0.05) bothMove += 1;
    });
    expect(bothMove).toBeGreaterThan(10);
    expect([...plant.positionRad]).toEqual([...end].map((value) => expect.closeTo(value, 9)));
  });

  it("pause on the way and go on from there", () => {
    ready(MODE.position);
    queueTo(shifted(0, 1), 1, 10);
    run(0.5);
    controller.state.setState(SET_STATE.pause);
    run(0.5);
    const heldRad = plant.positionRad[0]!;
    expect(heldRad).toBeGreaterThan(0.4);
    run(1);
    expect(plant.positionRad[0]).toBe(heldRad);
    controller.state.setState(SET_STATE.ready);
    run(2);
    expect(plant.positionRad[0]).toBeCloseTo(1, 9);
  });

  it("end on stop within the braking time, and are forgotten", () => {
    ready(MODE.position);
    queueTo(shifted(0, 1), 1, 10);
    run(0.5);
    const atStopRad = plant.positionRad[0]!;
    controller.state.setState(SET_STATE.stop);
    run(0.2);
    // v² / 2a = 1 / 40 rad at 20 rad/s².
    expect(plant.positionRad[0]! - atStopRad).toBeLessThan(1 / 40 + 0.005);
    expect(controller.motion.moving()).toBe(false);
    const restRad = plant.positionRad[0]!;
    controller.state.setState(SET_STATE.ready);
    run(1);
    expect(plant.positionRad[0]).toBe(restRad);
  });
});

describe("servo targets", () => {
  it("are reached in one tick when slow enough", () => {
    ready(MODE.servo);
    controller.motion.servoTo(shifted(0, 0.01));
    run(TICK_S);
    expect(plant.positionRad[0]).toBeCloseTo(0.01, 12);
  });

  it("are followed at 180 degrees a second at most", () => {
    ready(MODE.servo);
    controller.motion.servoTo(shifted(6, 0.1));
    run(TICK_S);
    expect(plant.positionRad[6]).toBeCloseTo(Math.PI * TICK_S, 12);
    run(0.04);
    expect(plant.positionRad[6]).toBeCloseTo(0.1, 12);
  });

  it("too far ahead raise C24, outside of the limits C23", () => {
    ready(MODE.servo);
    controller.motion.servoTo(shifted(6, 0.2));
    expect(controller.state.errorCode).toBe(24);
    controller.state.cleanError();
    ready(MODE.servo);
    controller.motion.servoTo(shifted(3, -1.1));
    expect(controller.state.errorCode).toBe(23);
    run(0.1);
    expect([...plant.positionRad]).toEqual(HOME_RAD);
  });

  it("that carry the tool point at more than 1.2 m/s raise C60, slower ones do not", () => {
    ready(MODE.servo);
    const radiusM = Math.hypot(...toolPose(HOME_RAD, controller.motion.toolOffset).positionM.slice(0, 2));
    const drive = (toolMPerS: number): void => {
      let target = controller.motion.setpointRad[0]!;
      run(0.4, () => {
        if (controller.state.errorCode !== 0) return;
        target += (toolMPerS / radiusM) * TICK_S;
        controller.motion.servoTo([target, ...HOME_RAD.slice(1)]);
      });
    };
    drive(1.1);
    expect(controller.state.errorCode).toBe(0);
    drive(1.25);
    expect(controller.state.errorCode).toBe(60);
  });

  it("that ran ahead only because this process was late raise nothing", () => {
    ready(MODE.servo);
    controller.motion.servoTo(shifted(6, 0.001));
    run(TICK_S);
    behindS = 0.1;
    controller.motion.servoTo(shifted(6, 0.2));
    controller.step(0.1);
    expect(controller.state.errorCode).toBe(0);
    expect(controller.motion.setpointRad[6]).toBeCloseTo(0.201, 12);
  });

  it("hold the arm where it is when the stream ends", () => {
    ready(MODE.servo);
    controller.motion.servoTo(shifted(0, 0.01));
    run(2);
    expect(plant.positionRad[0]).toBeCloseTo(0.01, 12);
    expect(controller.motion.moving()).toBe(false);
  });
});

describe("other modes", () => {
  it("joint velocity moves for its duration and brakes", () => {
    ready(MODE.jointVelocity);
    controller.motion.velocityFor([0.5], 1);
    run(1.5);
    expect(plant.positionRad[0]).toBeCloseTo(0.5, 2);
    expect(controller.motion.moving()).toBe(false);
  });

  it("joint velocity into a limit raises C23 and stays inside", () => {
    ready(MODE.jointVelocity);
    controller.motion.velocityFor([0, 0, 0, -1], 0);
    run(3);
    expect(controller.state.errorCode).toBe(23);
    expect(plant.positionRad[3]).toBeGreaterThan(-0.1065);
  });

  it("Cartesian velocity moves the tool point along its axis", () => {
    ready(MODE.cartesianVelocity);
    const before = controller.actualPose();
    controller.motion.velocityFor([0, 0, 50], 1);
    run(1.5);
    const after = controller.actualPose();
    expect(after[2]! - before[2]!).toBeCloseTo(50, 0);
    expect(Math.hypot(after[0]! - before[0]!, after[1]! - before[1]!)).toBeLessThan(0.5);
  });

  it("online planning turns to a newer target without stopping dead", () => {
    ready(MODE.jointOnline);
    controller.motion.onlineTo(shifted(0, 1), 1, 10);
    run(0.3);
    controller.motion.onlineTo(Float64Array.from([-0.2, ...HOME_RAD.slice(1)]), 1, 10);
    let steepest = 0;
    run(3, () => (steepest = Math.max(steepest, Math.abs(controller.motion.accelerationRadPerS2[0]!))));
    expect(plant.positionRad[0]).toBeCloseTo(-0.2, 6);
    expect(steepest).toBeLessThan(10.001);
  });

  it("free drive lets the arm be pushed and holds it where it was left", () => {
    ready(MODE.teach);
    expect(plant.freeDrive).toBe(true);
    plant.push(0, 0.3);
    run(0.1);
    expect(controller.motion.setpointRad[0]).toBeCloseTo(0.3, 12);
    controller.state.setMode(MODE.position);
    expect(plant.freeDrive).toBe(false);
    controller.state.setState(SET_STATE.ready);
    run(0.5);
    expect(plant.positionRad[0]).toBeCloseTo(0.3, 12);
  });

  it("without power nothing moves, and the setpoint stays with the arm", () => {
    ready(MODE.servo);
    controller.motion.servoTo(shifted(0, 0.05));
    run(0.02);
    controller.state.fault(1);
    run(0.5);
    expect(plant.enabled).toBe(false);
    expect([...controller.motion.setpointRad]).toEqual([...plant.positionRad]);
  });
});
