/** The emulated controller over real loopback sockets with raw bytes; its time is the test's own. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SimClock } from "../../core/simClock.js";
import {
  bytesOfFrame,
  COMMAND_FRAME_BYTES_MAX,
  type CommandReply,
  commandFrameBytes,
  decodeFeedback,
  decodeReply,
  decodeReport,
  encodeRequest,
  FEEDBACK_UNIT,
  FrameBuffer,
  type MessageName,
  modeOf,
  REPORTS,
  type ReportKind,
  STATE_BYTE,
  stateOf,
  textOf,
} from "../../drivers/xarm7/protocol/index.js";
import { type EmulatorPorts, XArm7Emulator, type XArm7EmulatorOptions } from "./emulator.js";
import { IdealPlant } from "./idealPlant.js";

const HOME_RAD = [0, -0.247, 0, 0.909, 0, 1.15644, 0];

let clock: SimClock;
let plant: IdealPlant;
let emulator: XArm7Emulator;
let ports: EmulatorPorts;
let sockets: Socket[] = [];

async function begin(options: Partial<XArm7EmulatorOptions> = {}): Promise<void> {
  clock = new SimClock();
  plant = new IdealPlant({ positionRad: HOME_RAD });
  emulator = new XArm7Emulator({
    plant,
    clock,
    lockstep: true,
    onStep: (dtS) => plant.advance(dtS),
    ...options,
  });
  ports = await emulator.start();
}

beforeEach(() => begin());
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets = [];
  await emulator.close();
});

async function open(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  sockets.push(socket);
  await once(socket, "connect");
  return socket;
}

/** A client that sends raw frames and keeps what comes back. */
class Client {
  readonly frames: Uint8Array[] = [];
  readonly socket: Socket;
  readonly #buffer = new FrameBuffer(COMMAND_FRAME_BYTES_MAX, commandFrameBytes);
  #transactionId = 0;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk) =>
      this.#buffer.push(chunk, (view, offset, length) =>
        this.frames.push(bytesOfFrame(view, offset, length).slice()),
      ),
    );
  }

  async frame(index = this.frames.length): Promise<Uint8Array> {
    for (let waited = 0; this.frames.length <= index; waited++) {
      if (waited > 50_000 || this.socket.destroyed) throw new Error("no frame came");
      await turn();
    }
    return this.frames[index]!;
  }

  async ask(name: MessageName, values: readonly number[] = [], protocolId = 3): Promise<CommandReply> {
    this.#transactionId += 1;
    const index = this.frames.length;
    this.socket.write(encodeRequest(this.#transactionId, protocolId, name, values));
    const decoded = decodeReply(await this.frame(index));
    if (decoded.kind !== "frame") throw new Error(`reply to ${name}: ${JSON.stringify(decoded)}`);
    expect(decoded.value.transactionId).toBe(this.#transactionId);
    expect(decoded.value.protocolId).toBe(protocolId);
    expect(decoded.value.name).toBe(name);
    return decoded.value;
  }

  async makeReady(mode: number): Promise<void> {
    await this.ask("clearError");
    await this.ask("clearWarning");
    await this.ask("motionEnable", [8, 1]);
    await this.ask("setMode", [mode, 0]);
    await this.ask("setState", [0]);
  }

  state = async (): Promise<number> => (await this.ask("getState")).values[0]!;
}

const client = async (): Promise<Client> => new Client(await open(ports.command));

const servo = (positionRad: readonly number[]): number[] => [...positionRad, 0, 0, 0];
const moveTo = (positionRad: readonly number[], speed = 1): number[] => [...positionRad, speed, 10, 0];
const run = (durationS: number): void => {
  for (let tick = 0; tick < Math.round(durationS / 0.004); tick++) emulator.step(0.004);
};

describe("the command port", () => {
  it("introduces itself, with either protocol id", async () => {
    const arm = await client();
    for (const protocolId of [2, 3]) {
      const version = await arm.ask("getVersion", [], protocolId);
      expect(textOf(version.values)).toBe("7,7,XS1305,AC1304,v2.7.1");
      expect(version.values).toHaveLength(40);
    }
    expect(textOf((await arm.ask("getSerial")).values)).toBe("XS130520231201");
  });

  it("answers requests in pieces and several in one segment", async () => {
    const arm = await client();
    const request = encodeRequest(7, 3, "getState");
    for (const byte of request) {
      arm.socket.write(Uint8Array.of(byte));
      await turn();
    }
    expect((await arm.frame(0))[1]).toBe(7);
    arm.socket.write(Buffer.concat([request, request, request]));
    await arm.frame(3);
  });

  it("serves several clients, and all see one arm", async () => {
    const [one, two] = [await client(), await client()];
    await one.makeReady(1);
    expect(await two.state()).toBe(2);
    await two.ask("setState", [4]);
    expect((await one.ask("moveServoJoint", servo(HOME_RAD))).stateByte).toBe(STATE_BYTE.notReady);
    one.socket.destroy();
    expect(await two.state()).toBe(4);
  });

  it("closes a connection that sends no frame, counts it, and serves on", async () => {
    const broken = await open(ports.command);
    broken.write(Buffer.from("0001000900010d", "hex"));
    await once(broken, "close");
    expect(emulator.counters.malformedFrames).toBe(1);
    expect(await (await client()).state()).toBe(4);
  });

  it("answers a request of the wrong length with warning 12 and executes nothing", async () => {
    const arm = await client();
    arm.socket.write(Buffer.from("0001000300030c0003", "hex"));
    const reply = await arm.frame(0);
    expect(reply[7]! & (STATE_BYTE.invalid | STATE_BYTE.warning)).toBe(0x28);
    expect((await arm.ask("getErrorCodes")).values).toEqual([0, 12]);
    expect(emulator.counters.badParameters).toBe(1);
  });

  it("answers an unknown register with warning 13", async () => {
    const arm = await client();
    arm.socket.write(Buffer.from("000100030001f7", "hex"));
    expect([...(await arm.frame(0))]).toEqual([
      0,
      1,
      0,
      3,
      0,
      2,
      0xf7,
      STATE_BYTE.warning | STATE_BYTE.notReady,
    ]);
    expect((await arm.ask("getErrorCodes")).values).toEqual([0, 13]);
  });

  it("refuses standard Modbus with its own exception, and is silent to heartbeats", async () => {
    const arm = await client();
    arm.socket.write(Buffer.from("0000000100020000", "hex"));
    arm.socket.write(Buffer.from("002a00000006010300000001", "hex"));
    expect([...(await arm.frame(0))]).toEqual([0, 0x2a, 0, 0, 0, 3, 1, 0x83, 1]);
    expect(emulator.counters.heartbeats).toBe(1);
  });

  it("survives whatever bytes come", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            register: fc.integer({ min: 0, max: 255 }),
            protocolId: fc.constantFrom(0, 1, 2, 3),
            parameters: fc.uint8Array({ maxLength: 60 }),
          }),
          { maxLength: 20 },
        ),
        async (requests) => {
          const arm = await client();
          for (const { register, protocolId, parameters } of requests) {
            const head = Buffer.from([0, 1, 0, protocolId, 0, parameters.length + 1, register]);
            arm.socket.write(Buffer.concat([head, parameters]));
          }
          await turn();
          run(0.02);
          const fresh = await client();
          expect(textOf((await fresh.ask("getVersion")).values)).toContain("XS1305");
          arm.socket.destroy();
          fresh.socket.destroy();
        },
      ),
      { numRuns: 40, seed: 7 },
    );
    for (const kind of Object.keys(REPORTS) as ReportKind[]) {
      expect(decodeReport(kind, await firstReport(kind)).kind).toBe("frame");
    }
  });
});

describe("motion over the wire", () => {
  it("follows servo_j only in mode 1 and ready", async () => {
    const arm = await client();
    const target = [0.01, ...HOME_RAD.slice(1)];
    expect((await arm.ask("moveServoJoint", servo(target))).stateByte).toBe(STATE_BYTE.notReady);
    await arm.makeReady(0);
    expect((await arm.ask("moveServoJoint", servo(target))).stateByte).toBe(STATE_BYTE.notReady);
    run(0.1);
    expect(plant.positionRad[0]).toBe(0);
    await arm.makeReady(1);
    const reply = await arm.ask("moveServoJoint", servo(target));
    expect(reply.stateByte).toBe(0);
    expect(reply.values).toEqual([]);
    run(0.1);
    expect(plant.positionRad[0]).toBeCloseTo(0.01, 6);
  });

  it("does not follow servo_j while paused, and drops what is not a number", async () => {
    const arm = await client();
    await arm.makeReady(1);
    await arm.ask("setState", [3]);
    expect((await arm.ask("moveServoJoint", servo([0.01, ...HOME_RAD.slice(1)]))).stateByte).toBe(0x10);
    await arm.ask("setState", [0]);
    const reply = await arm.ask("moveServoJoint", servo([Number.NaN, ...HOME_RAD.slice(1)]));
    expect(reply.stateByte & STATE_BYTE.notReady).toBe(STATE_BYTE.notReady);
    run(0.1);
    expect([...plant.positionRad]).toEqual(HOME_RAD);
    expect((await arm.ask("getErrorCodes")).values).toEqual([0, 12]);
  });

  it("queues planned moves, counts them, and reads moving, then ready", async () => {
    const arm = await client();
    await arm.makeReady(0);
    expect((await arm.ask("moveJoint", moveTo([0.5, ...HOME_RAD.slice(1)]))).values).toEqual([1]);
    expect((await arm.ask("moveJoint", moveTo(HOME_RAD))).values).toEqual([2]);
    run(0.3);
    expect(await arm.state()).toBe(1);
    expect((await arm.ask("getQueueCount")).values).toEqual([2]);
    run(2);
    expect(await arm.state()).toBe(2);
    expect((await arm.ask("getQueueCount")).values).toEqual([0]);
    expect(plant.positionRad[0]).toBeCloseTo(0, 6);
  });

  it("keeps joints whose target is infinite", async () => {
    const arm = await client();
    await arm.makeReady(0);
    const keep = Number.POSITIVE_INFINITY;
    await arm.ask("moveJoint", moveTo([keep, keep, keep, keep, keep, keep, 0.4]));
    run(2);
    expect([...plant.positionRad]).toEqual([...HOME_RAD.slice(0, 6), 0.4].map((v) => expect.closeTo(v, 6)));
  });

  it("refuses a queued target outside of the limits with C23", async () => {
    const arm = await client();
    await arm.makeReady(0);
    await arm.ask("moveJoint", moveTo([0, 0, 0, -0.2, 0, 0, 0]));
    expect((await arm.ask("getErrorCodes")).values[0]).toBe(23);
  });

  it("sends feedback after the reply, once at the start and once at the end", async () => {
    const arm = await client();
    await arm.makeReady(0);
    await arm.ask("setFeedbackType", [3]);
    await arm.ask("moveJoint", moveTo([0.2, ...HOME_RAD.slice(1)]));
    await arm.ask("setFeedbackType", [0]);
    run(1);
    await arm.frame(arm.frames.length);
    await turn();
    const feedback = arm.frames
      .filter((frame) => frame[6] === FEEDBACK_UNIT)
      .map((frame) => decodeFeedback(frame));
    expect(feedback).toMatchObject([
      { value: { type: 1, register: 23, code: 0 } },
      { value: { type: 2, register: 23, code: 0 } },
    ]);
  });

  it("an error stops the arm, and only the whole order brings servo mode back", async () => {
    const arm = await client();
    await arm.makeReady(1);
    emulator.injectError(31);
    const refused = await arm.ask("moveServoJoint", servo(HOME_RAD));
    expect(refused.stateByte).toBe(STATE_BYTE.error | STATE_BYTE.notReady);
    await arm.ask("setState", [0]);
    expect(await arm.state()).toBe(4);
    await arm.ask("clearError");
    await arm.ask("setState", [0]);
    expect((await arm.ask("moveServoJoint", servo(HOME_RAD))).stateByte).toBe(STATE_BYTE.notReady);
    await arm.makeReady(1);
    expect((await arm.ask("moveServoJoint", servo(HOME_RAD))).stateByte).toBe(0);
  });

  it("settings reset the system, so mode and state are lost", async () => {
    const arm = await client();
    const settings: [MessageName, number[]][] = [
      ["setToolLoad", [0.82, 0, 0, 48]],
      ["setToolOffset", [0, 0, 172, 0, 0, 0]],
      ["setCollisionSensitivity", [2]],
      ["setTeachSensitivity", [2]],
    ];
    for (const [name, values] of settings) {
      await arm.makeReady(1);
      await arm.ask(name, values);
      expect([await arm.state(), emulator.controller.state.mode], name).toEqual([5, 0]);
    }
    const report = decodeReport("normal", await firstReport("normal"));
    expect(report).toMatchObject({ value: { collisionSensitivity: 2, teachSensitivity: 2 } });
    expect((await arm.ask("setCollisionSensitivity", [6])).stateByte & STATE_BYTE.invalid).toBe(8);
  });

  it("notes the moments of motion and stop frames", async () => {
    const arm = await client();
    await arm.makeReady(1);
    emulator.wireLog.clear();
    await clock.advance(5);
    await arm.ask("moveServoJoint", servo(HOME_RAD));
    await clock.advance(5);
    await arm.ask("setState", [4]);
    await arm.ask("setState", [0]);
    const [first, second, ...others] = emulator.wireLog.records;
    expect(first).toMatchObject({ kind: "motion", register: 29, stateByte: 0 });
    expect(Array.from(first!.positionRad!)).toEqual(HOME_RAD.map((value) => expect.closeTo(value, 6)));
    expect(second!.positionRad).toBeUndefined();
    expect(emulator.wireLog.since(second!.index)).toEqual([second]);
    expect(second).toMatchObject({ kind: "stop", register: 12, stateByte: STATE_BYTE.notReady });
    expect(second!.atNs - first!.atNs).toBe(5_000_000n);
    expect(others).toEqual([]);
  });
});

it("monitors accepted setpoints: where each stream begins, and each step", async () => {
  const arm = await client();
  await arm.makeReady(1);
  const shifted = (rad: number) => servo(HOME_RAD.map((value) => value + rad));
  await arm.ask("moveServoJoint", shifted(0.01));
  await arm.ask("moveServoJoint", shifted(0.03));
  await arm.ask("moveServoJoint", servo([Number.NaN, ...HOME_RAD.slice(1)]));
  await arm.ask("setState", [4]);
  await arm.ask("moveServoJoint", shifted(0.5));
  await arm.ask("setState", [0]);
  await arm.ask("moveServoJoint", shifted(0.02));
  const { figures } = emulator.setpoints;
  expect(figures).toMatchObject({ accepted: 3, refused: 2 });
  expect(figures.starts.map(({ distanceRad }) => distanceRad)).toEqual([
    expect.closeTo(0.01, 6),
    expect.closeTo(0.02, 6),
  ]);
  expect(figures.stepRad[3]).toBeCloseTo(0.02, 6);
});

describe("kinematics over the wire", () => {
  it("forward of zero is the vendor's pose, inverse leads back", async () => {
    const arm = await client();
    const zero = (await arm.ask("forwardKinematics", [0, 0, 0, 0, 0, 0, 0])).values;
    expect(zero.slice(0, 3)).toEqual([206, 0, 120.5].map((value) => expect.closeTo(value, 3)));
    expect(Math.abs(zero[3]!)).toBeCloseTo(Math.PI, 5);
    const pose = [380, 60, 300, Math.PI, 0.1, -0.2];
    const joints = (await arm.ask("inverseKinematics", pose)).values;
    const back = (await arm.ask("forwardKinematics", joints)).values;
    expect(back.slice(0, 3)).toEqual(pose.slice(0, 3).map((value) => expect.closeTo(value, 1)));
    const far = await arm.ask("isToolLimit", [2000, 0, 0, 0, 0, 0]);
    expect(far.values).toEqual([1]);
  });
});

async function firstReport(kind: ReportKind): Promise<Uint8Array> {
  const [frame] = await reportsOf(kind, async () => {}, 1);
  return frame!;
}

/** Frames that a client of one report port gets while `during` runs, and at least `least`. */
async function reportsOf(
  kind: ReportKind,
  during: () => Promise<void>,
  least: number,
): Promise<Uint8Array[]> {
  const socket = await open(ports[kind]);
  const received: Buffer[] = [];
  socket.on("data", (chunk) => received.push(chunk));
  while (emulator.traffic()[kind].clients === 0) await turn();
  await during();
  const all = (): Buffer => Buffer.concat(received);
  let settled = 0;
  for (let waited = 0, seen = -1; settled < 200 && waited < 100_000; waited++) {
    await turn();
    settled = all().length === seen && seen > 0 ? settled + 1 : 0;
    seen = all().length;
  }
  const bytes = all();
  const length = bytes.readUInt32BE(0);
  expect(bytes.length % length).toBe(0);
  const frames = Array.from({ length: bytes.length / length }, (_, i) =>
    Uint8Array.from(bytes.subarray(i * length, (i + 1) * length)),
  );
  expect(frames.length).toBeGreaterThanOrEqual(least);
  expect(new Set(frames.map((frame) => Buffer.from(frame).readUInt32BE(0)))).toEqual(new Set([length]));
  socket.destroy();
  while (emulator.traffic()[kind].clients > 0) await turn();
  return frames;
}

describe("reports", () => {
  it.each([
    ["highRate", 804, 250],
    ["normal", 145, 5],
    ["rich", 574, 5],
    ["realTime", 135, 100],
  ] as const)("%s frames have %i bytes and come %i times a second", async (kind, bytes, rateHz) => {
    const frames = await reportsOf(kind, async () => run(1), rateHz);
    expect(frames[0]).toHaveLength(bytes);
    // The first frame comes at once, before the grid's.
    expect(Math.abs(frames.length - 1 - rateHz)).toBeLessThanOrEqual(1);
  });

  it("come at the same rates from its own loop on the injected clock", async () => {
    await emulator.close();
    await begin({ lockstep: false });
    const frames = await reportsOf("realTime", () => clock.advance(1000), 100);
    expect(Math.abs(frames.length - 1 - 100)).toBeLessThanOrEqual(1);
    expect(emulator.counters.setpointTicks).toBe(250);
    expect(emulator.counters.missedTicks).toBe(0);
  });

  it("reach several clients of one port, each whole", async () => {
    const received: number[] = [0, 0, 0];
    for (const index of received.keys()) {
      const socket = await open(ports.realTime);
      socket.on("data", (chunk) => (received[index] = received[index]! + chunk.length));
    }
    while (emulator.traffic().realTime.clients < 3) await turn();
    run(0.1);
    const complete = (): boolean => received.every((bytes) => bytes >= 11 * 135);
    for (let waited = 0; waited < 50_000 && !complete(); waited++) await turn();
    expect(new Set(received).size).toBe(1);
    expect(received[0]! % 135).toBe(0);
  });

  it("tell mode, state, motors, errors, positions and the tool's pose", async () => {
    const arm = await client();
    await arm.ask("setToolOffset", [0, 0, 172, 0, 0, 0]);
    await arm.makeReady(1);
    await arm.ask("moveServoJoint", servo([0.01, ...HOME_RAD.slice(1)]));
    run(0.2);
    const normal = decodeReport("normal", await firstReport("normal"));
    if (normal.kind !== "frame") throw new Error("no report");
    expect([modeOf(normal.value.modeState), stateOf(normal.value.modeState)]).toEqual([1, 2]);
    expect([normal.value.brakeBits, normal.value.enableBits]).toEqual([0x7f, 0x7f]);
    expect(normal.value.positionRad[0]).toBeCloseTo(0.01, 6);
    // Home is 400, 0, 400 mm at the flange with the tool pointing down.
    expect(normal.value.toolPoseMmRad[2]).toBeCloseTo(400 - 172, 0);
    emulator.injectError(24);
    emulator.injectWarning(11);
    const rich = decodeReport("rich", await firstReport("rich"));
    expect(rich).toMatchObject({
      value: { modeState: 4, errorCode: 24, warningCode: 11, version: "v2.7.1" },
    });
  });

  it("carry the controller's own time and the planned setpoint at the high rate", async () => {
    const arm = await client();
    await arm.makeReady(4);
    await arm.ask("moveJointVelocity", [0.5, 0, 0, 0, 0, 0, 0, 1]);
    run(0.5);
    const frames = await reportsOf("highRate", async () => run(0.1), 25);
    const reports = frames.map((frame) => decodeReport("highRate", frame));
    const last = reports.at(-1);
    if (last?.kind !== "frame") throw new Error("no report");
    expect(last.value.timeUs).toBe(600_000);
    expect(last.value.targetVelocityRadPerS[0]).toBeCloseTo(0.5, 5);
    expect(last.value.velocityRadPerS[0]).toBeCloseTo(0.5, 5);
    expect(Math.hypot(...last.value.toolSpeedMmPerS.slice(0, 2))).toBeCloseTo(0.5 * 400, -1);
  });

  it("stop when frozen, while commands are answered", async () => {
    emulator.freezeReports(true);
    const socket = await open(ports.realTime);
    let bytes = 0;
    socket.on("data", (chunk) => (bytes += chunk.length));
    run(1);
    expect(await (await client()).state()).toBe(4);
    expect(bytes).toBe(0);
  });
});

it("says which port is taken", async () => {
  const second = new XArm7Emulator({ plant, clock, ports: { command: ports.command } });
  await expect(second.start()).rejects.toMatchObject({ code: "PORT_IN_USE" });
});
