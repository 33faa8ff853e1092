/** The generated Digit: its counts, its loops, its motors, and that it stands as the vendor's own model does. */
import { afterEach, describe, expect, it } from "vitest";
import { SIDES } from "../../kinematics/digit/bodies.js";
import { closeLeg } from "../../kinematics/digit/loops.js";
import { DIGIT_MOTORS, DIGIT_PASSIVE_JOINTS, DIGIT_POSES } from "../../kinematics/digit/motors.js";
import { digitMjcf } from "./mjcf.js";
import { MujocoDigit, type MujocoDigitOptions } from "./mujocoBody.js";
import { DIGIT_SCENE_NAMES, DIGIT_SCENES } from "./scenes.js";

const bodies: MujocoDigit[] = [];
async function load(options: MujocoDigitOptions = {}): Promise<MujocoDigit> {
  const body = await MujocoDigit.load(options);
  bodies.push(body);
  return body;
}
afterEach(() => {
  for (const body of bodies.splice(0)) body.dispose();
});

/** Stiff control to the start pose, a millisecond at a time. */
function stand(body: MujocoDigit, durationMs: number, stiffness = 1000, damping = 30): void {
  body.drive.dampingNmSPerRad.fill(damping);
  for (let ms = 0; ms < durationMs; ms++) {
    for (let motor = 0; motor < DIGIT_MOTORS.length; motor++) {
      const errorRad = body.standRad[motor]! - body.truth.positionRad[motor]!;
      body.drive.torqueNm[motor] = stiffness * errorRad;
    }
    body.step(0.001);
  }
}
const motorOf = (name: string): number => DIGIT_MOTORS.findIndex((motor) => motor.name === name);
const heightM = (body: MujocoDigit): number => body.truth.positionWorldM[2]!;

describe("the generated Digit", () => {
  it("has the vendor's counts and mass", async () => {
    const { size } = await load();
    expect(size.positions).toBe(61);
    expect(size.velocities).toBe(54);
    expect(size.massKg).toBeCloseTo(47.925414, 6);
  });

  it("starts with its loops closed, as MuJoCo measures them, and touches nothing", async () => {
    const body = await load();
    expect(body.loopErrorM).toBeLessThan(1e-9);
    expect(body.contactCount).toBe(0);
  });

  it("is made of shapes that GPU engines know, whatever the scene", () => {
    for (const name of DIGIT_SCENE_NAMES) {
      const xml = digitMjcf(DIGIT_SCENES[name], 1);
      const shapes = new Set([...xml.matchAll(/<geom (?:[^>]* )?type="(\w+)"/g)].map((match) => match[1]));
      expect([...shapes].filter((shape) => !["box", "capsule", "sphere", "plane"].includes(shape!))).toEqual(
        [],
      );
    }
  });

  it("stands where the vendor's own model stands with the same gains", async () => {
    const body = await load({ standRad: DIGIT_POSES.upright });
    stand(body, 2000);
    // 0.968 m: the vendor's model with meshes, 0.5 ms steps, the same control.
    expect(Math.abs(heightM(body) - 0.968)).toBeLessThan(0.001);
    expect(body.loopErrorM).toBeLessThan(0.00003);
    expect(body.footForceN[0]! + body.footForceN[1]!).toBeCloseTo(47.925 * 9.806, -1);
    expect(body.truth.specificForceBaseMPerS2[2]).toBeCloseTo(9.806, 1);
    expect([...body.truth.footContact]).toEqual([1, 1]);
  });

  it("has its feet where the loops of a leg without springs put them, whatever bears on them", async () => {
    const body = await load();
    stand(body, 1000);
    SIDES.forEach((side, leg) => {
      const motor = (name: string) => body.truth.positionRad[motorOf(`${side}_${name}`)]!;
      const passive = (name: string) =>
        body.truth.passivePositionRad[DIGIT_PASSIVE_JOINTS.indexOf(`${side}_${name}`)]!;
      const rigid = closeLeg(side, motor("knee"), motor("toe_A"), motor("toe_B"));
      expect(body.truth.footContact[leg]).toBe(1);
      expect(Math.abs(passive("toe_pitch") - rigid.toePitchRad)).toBeLessThan(0.0005);
      expect(Math.abs(passive("toe_roll") - rigid.toeRollRad)).toBeLessThan(0.0005);
      // Leaf springs bend under the robot's weight.
      expect(Math.abs(passive("tarsus") - rigid.tarsusRad)).toBeLessThan(0.06);
    });
  });

  it("collapses with a walking policy's gains and nobody who walks", async () => {
    const body = await load();
    stand(body, 2500, 80, 8);
    expect(heightM(body)).toBeLessThan(0.6);
  });

  it("does the same, bit for bit, for the same drive", async () => {
    const [first, second] = [await load(), await load()];
    for (const body of [first, second]) {
      body.push([40, 10, 0], 0.1);
      stand(body, 400);
    }
    expect([...second.truth.positionRad]).toEqual([...first.truth.positionRad]);
    expect([...second.truth.quatWorldBaseXyzw]).toEqual([...first.truth.quatWorldBaseXyzw]);
    first.reset();
    first.push([40, 10, 0], 0.1);
    stand(first, 400);
    expect([...first.truth.positionRad]).toEqual([...second.truth.positionRad]);
  });
});

describe("its motors", () => {
  it("give no more than they can, whoever asks", async () => {
    const body = await load();
    const knee = motorOf("left_knee");
    body.drive.torqueNm[knee] = 5000;
    body.step(0.001);
    expect(body.truth.torqueNm[knee]).toBeCloseTo(231.317, 3);
  });

  it("exert torque + damping (velocity asked for - velocity)", async () => {
    const body = await load();
    const elbow = motorOf("right_elbow");
    body.drive.torqueNm[elbow] = 3;
    body.drive.dampingNmSPerRad[elbow] = 10;
    body.drive.velocityRadPerS[elbow] = 0.5;
    body.step(0.001);
    expect(body.truth.torqueNm[elbow]).toBeCloseTo(8, 9);
    const before = body.truth.velocityRadPerS[elbow]!;
    body.step(0.001);
    expect(body.truth.torqueNm[elbow]).toBeCloseTo(3 + 10 * (0.5 - before), 6);
  });

  it("give half of what they are asked for where they are weak", async () => {
    const body = await load();
    const knee = motorOf("left_knee");
    body.motorStrength[knee] = 0.5;
    body.drive.torqueNm[knee] = 20;
    body.step(0.001);
    expect(body.truth.torqueNm[knee]).toBeCloseTo(10, 9);
  });

  it("damp a fall: a body without torque lies faster than one whose motors damp", async () => {
    const [limp, damped] = [await load(), await load()];
    damped.drive.dampingNmSPerRad.set(DIGIT_MOTORS.map((motor) => 0.2 * motor.announcedDampingMaxNmSPerRad));
    limp.step(0.25);
    damped.step(0.25);
    expect(heightM(limp)).toBeLessThan(heightM(damped) - 0.03);
  });
});

describe("what acts from outside", () => {
  it("a push moves the torso by its impulse", async () => {
    const [pushed, alone] = [await load(), await load()];
    pushed.push([48, 0, 0], 0.02);
    for (const body of [pushed, alone]) body.step(0.02);
    const difference = pushed.truth.linearVelocityWorldMPerS[0]! - alone.truth.linearVelocityWorldMPerS[0]!;
    // 0.96 N s on a robot of 48 kg, 15 of them the torso's; the base's origin is below the point that is pushed.
    expect(difference).toBeGreaterThan(0.96 / 60);
    expect(difference).toBeLessThan(0.96 / 15);
  });

  it("a cable is slack until it is as long, and gives way at its force", async () => {
    const body = await load();
    const anchorWorldM = [-3, 0, 1] as const;
    body.pull({ anchorWorldM, lengthM: 5, stiffnessNPerM: 1000, forceMaxN: 50 }, 1);
    body.step(0.02);
    expect(Math.abs(body.truth.linearVelocityWorldMPerS[0]!)).toBeLessThan(0.01);
    body.pull({ anchorWorldM, lengthM: 1, stiffnessNPerM: 1000, forceMaxN: 50 }, 1);
    body.step(0.02);
    expect(body.truth.linearVelocityWorldMPerS[0]).toBeLessThan(-0.02);
    expect(body.truth.linearVelocityWorldMPerS[0]).toBeGreaterThan(-0.1);
  });
});

describe("scenes", () => {
  it.each(DIGIT_SCENE_NAMES)("%s: it comes to stand on both feet, with its loops closed", async (name) => {
    const body = await load({ scene: DIGIT_SCENES[name] });
    expect(body.contactCount).toBe(0);
    stand(body, 150);
    expect([...body.truth.footContact]).toEqual([1, 1]);
    expect(body.loopErrorM).toBeLessThan(0.0001);
    expect(heightM(body)).toBeGreaterThan(0.9);
  });

  it("a load is as heavy as it says", async () => {
    const [backpack, bag] = [
      await load({ scene: DIGIT_SCENES["backpack-10kg"] }),
      await load({ scene: DIGIT_SCENES["bag-5kg"] }),
    ];
    expect(backpack.size.massKg).toBeCloseTo(57.925414, 6);
    expect(bag.size.massKg).toBeCloseTo(52.925414, 6);
  });
});
