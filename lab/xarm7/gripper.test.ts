/** The gripper's registers through the RTU frames that client software sends. */
import { beforeEach, describe, expect, it } from "vitest";
import {
  decodeGripperReply,
  encodeGripperRequest,
  GRIPPER_REGISTER,
  type GripperRequest,
  openingOfPulse,
  pulseToWords,
  wordsToPulse,
} from "../../drivers/xarm7/protocol/index.js";
import { Gripper } from "./gripper.js";
import { IdealPlant } from "./idealPlant.js";
import { ToolPort } from "./toolPort.js";

let plant: IdealPlant;
let gripper: Gripper;
let port: ToolPort;

beforeEach(() => {
  plant = new IdealPlant();
  gripper = new Gripper(plant);
  port = new ToolPort(gripper);
});

function exchange(request: GripperRequest): readonly number[] {
  const reply = decodeGripperReply(request, port.rtu(encodeGripperRequest(request)) ?? []);
  if (reply.kind !== "frame") throw new Error(`no reply: ${JSON.stringify(reply)}`);
  return reply.value;
}
const read = (address: number, count = 1): readonly number[] => exchange({ do: "read", address, count });
const write = (address: number, ...words: number[]): readonly number[] =>
  exchange({ do: "write", address, words });

function run(durationS: number): void {
  for (let tick = 0; tick < Math.round(durationS / 0.004); tick++) {
    plant.advance(0.004);
    gripper.advance(0.004);
  }
}

function moveTo(pulse: number): void {
  write(GRIPPER_REGISTER.mode, 0);
  write(GRIPPER_REGISTER.enable, 1);
  write(GRIPPER_REGISTER.speed, 5000);
  write(GRIPPER_REGISTER.targetPulse, ...pulseToWords(pulse));
}

const status = (): number => read(GRIPPER_REGISTER.status)[0]! & 3;
const pulse = (): number => wordsToPulse(read(GRIPPER_REGISTER.currentPulse, 2));

describe("the gripper", () => {
  it("opens, reading moving on the way and stopped at its end", () => {
    moveTo(850);
    run(0.2);
    expect(status()).toBe(1);
    run(2);
    expect(status()).toBe(0);
    expect(pulse()).toBeGreaterThan(845);
    expect(plant.gripperOpeningM()).toBeCloseTo(openingOfPulse(850), 4);
  });

  it("reads grasped when it stops at an object", () => {
    moveTo(850);
    run(2);
    plant.placeObject(0.03);
    moveTo(0);
    run(2);
    expect(status()).toBe(2);
    expect(plant.gripperOpeningM()).toBeCloseTo(0.03, 6);
  });

  it("does not move unless enabled, and not with an error", () => {
    write(GRIPPER_REGISTER.targetPulse, ...pulseToWords(800));
    run(1);
    expect(pulse()).toBe(0);
    gripper.errorCode = 11;
    moveTo(800);
    run(1);
    expect(read(GRIPPER_REGISTER.error)).toEqual([11]);
    expect(pulse()).toBe(0);
    write(GRIPPER_REGISTER.clearError, 1);
    moveTo(800);
    run(2);
    expect(pulse()).toBeGreaterThan(795);
  });

  it("refuses targets beyond its range with error 14", () => {
    moveTo(900);
    expect(read(GRIPPER_REGISTER.error)).toEqual([14]);
  });

  it("takes -10, which the vendor's client allows", () => {
    moveTo(-10);
    expect(read(GRIPPER_REGISTER.error)).toEqual([0]);
    expect(wordsToPulse(read(GRIPPER_REGISTER.targetPulse, 2))).toBe(-10);
  });

  it("says version 3.4.3", () => {
    expect(read(GRIPPER_REGISTER.versionMajor, 3)).toEqual([3, 4, 3]);
  });

  it("answers unknown addresses and functions with RTU exceptions", () => {
    expect(port.rtu([9, 8, 0x03, 0x7f, 0xff, 0, 1])).toEqual([9, 8, 0x83, 2]);
    expect(port.rtu([9, 8, 0x10, 0x7f, 0xff, 0, 1, 2, 0, 0])).toEqual([9, 8, 0x90, 2]);
    expect(port.rtu([9, 8, 0x06, 0, 0, 0, 1])).toEqual([9, 8, 0x86, 1]);
  });
});

describe("the tool's bus", () => {
  it("is silent for other hosts and units, and when unplugged", () => {
    const request = encodeGripperRequest({ do: "read", address: GRIPPER_REGISTER.error, count: 1 });
    expect(port.rtu([11, ...request.slice(1)])).toBeUndefined();
    expect(port.rtu([9, 7, ...request.slice(2)])).toBeUndefined();
    gripper.plugged = false;
    expect(port.rtu(request)).toBeUndefined();
  });

  it("reaches the gripper only at its own rate, which a reboot puts in force", () => {
    const slow = new ToolPort(gripper, 5);
    const request = encodeGripperRequest({ do: "read", address: GRIPPER_REGISTER.error, count: 1 });
    expect(slow.read(9, 0x0a0b, 16)).toBe(5);
    expect(slow.rtu(request)).toBeUndefined();
    slow.write(9, 0x1a0b, 11, 16);
    expect(slow.rtu(request)).toBeUndefined();
    slow.write(9, 0x0607, 1, 16);
    expect(slow.read(9, 0x0a0b, 16)).toBe(11);
    expect(slow.rtu(request)).toBeDefined();
  });

  it("serves the old single-address access to the gripper", () => {
    port.write(8, GRIPPER_REGISTER.enable, 1, 16);
    port.write(8, GRIPPER_REGISTER.targetPulse, 400, 32);
    run(3);
    expect(Math.abs(port.read(8, GRIPPER_REGISTER.currentPulse, 32)! - 400)).toBeLessThan(6);
  });
});
