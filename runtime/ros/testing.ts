/** Stand-ins for tests of this folder: a ROS node that only remembers, and a servo that does what it is told. */
import { type Clock, fromRosTime, type MonotonicNs, msToNs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import type { Pose } from "../../kinematics/pose.js";
import { XARM7_JOINT_NAMES, XARM7_JOINTS } from "../../kinematics/xarm7.js";
import type { Lease, ServoClient, ServoInfo, ServoSnapshot, TargetCommand } from "../servo/api.js";
import type {
  LifecycleCallbacks,
  LifecycleState,
  RosLifecycleNode,
  RosNode,
  RosParameterValue,
  RosRuntime,
} from "./rosRuntime.js";

export class FakeNode implements RosNode {
  readonly published: { topic: string; type: string; message: object }[] = [];
  readonly listeners = new Map<string, (message: unknown) => void>();
  readonly handlers = new Map<string, (request: unknown) => Promise<object>>();
  readonly parameters = new Map<string, RosParameterValue>();

  publisher(type: string, topic: string) {
    // Publishers reuse their buffers, as real ones may.
    return {
      publish: (message: object) =>
        this.published.push({
          topic,
          type,
          message: message instanceof Uint8Array ? Buffer.from(message) : message,
        }),
    };
  }
  subscribe(_type: string, topic: string, _qos: unknown, listener: (message: unknown) => void) {
    this.listeners.set(topic, listener);
    return () => void this.listeners.delete(topic);
  }
  subscribeRaw(type: string, topic: string, qos: unknown, listener: (bytes: Uint8Array) => void) {
    return this.subscribe(type, topic, qos, listener as (message: unknown) => void);
  }
  service(_type: string, name: string, handler: (request: unknown) => Promise<object>) {
    this.handlers.set(name, handler);
  }
  readOnlyParameter(name: string, value: RosParameterValue) {
    this.parameters.set(name, value);
  }
  on(topic: string) {
    return this.published.filter((one) => one.topic === topic);
  }
}

export class FakeRos implements RosRuntime {
  readonly node = new FakeNode();
  state: LifecycleState = "unconfigured";
  callbacks: LifecycleCallbacks | undefined;

  createNode(): RosNode {
    return this.node;
  }
  createLifecycleNode(_name: string, callbacks: LifecycleCallbacks): RosLifecycleNode {
    this.callbacks = callbacks;
    return Object.assign(this.node, {
      configure: () => {
        this.state = "inactive";
      },
      activate: () => {
        this.state = "active";
      },
      state: () => this.state,
    });
  }
  shutdown(): void {}
}

/** Reaches every target at once, unless `stuck`. */
export class FakeServo implements ServoClient {
  readonly closed = new AbortController().signal;
  readonly info: ServoInfo;
  readonly commands: { atNs: MonotonicNs; target: TargetCommand }[] = [];
  positionRad: Float64Array;
  stuck = false;
  commander = "";
  gripperOpeningM = Number.NaN;
  #lost = new AbortController();
  #tick = 0;
  readonly #listeners = new Set<(snapshot: ServoSnapshot) => void>();

  constructor(
    readonly clock: Clock,
    positionRad: readonly number[],
    info: Partial<ServoInfo> = {},
  ) {
    this.positionRad = Float64Array.from(positionRad);
    this.info = {
      robot: "arm",
      device: "xarm7",
      rateHz: 250,
      identity: undefined,
      realtimePriority: 0,
      processId: 1,
      supervisorSilenceMsMax: 1000,
      limits: {
        jointNames: XARM7_JOINT_NAMES,
        positionMinRad: XARM7_JOINTS.map((joint) => joint.positionMinRad),
        positionMaxRad: XARM7_JOINTS.map((joint) => joint.positionMaxRad),
        velocityMaxRadPerS: Array(7).fill(1),
        accelerationMaxRadPerS2: Array(7).fill(5),
        jerkMaxRadPerS3: Array(7).fill(60),
        toolSpeedMaxMPerS: 0.5,
      },
      ...info,
    };
  }

  latest(): ServoSnapshot {
    const nowNs = this.clock.nowNs();
    return {
      tick: this.#tick,
      tickNs: nowNs,
      state: this.commander === "" ? "holding" : "following",
      epoch: 1,
      commander: this.commander,
      stateNs: (nowNs - msToNs(2)) as MonotonicNs,
      stateSequence: this.#tick,
      positionRad: this.positionRad,
      velocityRadPerS: this.positionRad.map(() => 0.25),
      effortNm: this.positionRad.map(() => 3),
      requestedRad: this.positionRad,
      limitedRad: this.positionRad.map((value) => value + 0.001),
      sentRad: this.positionRad.map((value) => value + 0.001),
      reasons: 0,
      commandSeq: 0,
      commandWireNs: 0n as MonotonicNs,
      gripperCommandM: Number.NaN,
      gripperOpeningM: this.gripperOpeningM,
      deviceTimeUs: 0,
      deviceErrorCode: 0,
    };
  }
  /** A tick with a new device state, or with the old one. */
  tick(newState = true): void {
    if (newState) this.#tick++;
    for (const listener of this.#listeners) listener(this.latest());
  }
  onSnapshot(listener: (snapshot: ServoSnapshot) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
  async acquireLease(name: string): Promise<Lease> {
    if (this.commander !== "") {
      throw new CerebellumError("LEASE_REFUSED", `${this.commander} commands the arm`, "Stop it first");
    }
    this.commander = name;
    this.#lost = new AbortController();
    return {
      epoch: 1,
      command: (target) => {
        const copy = { ...target, positionRad: Float64Array.from(target.positionRad) };
        this.commands.push({ atNs: this.clock.nowNs(), target: copy });
        if (!this.stuck) this.positionRad = copy.positionRad;
        return this.commands.length;
      },
      setpoints: () => this.commands.length + 1,
      gripper: () => {},
      release: () => {
        this.commander = "";
      },
      lost: this.#lost.signal,
    };
  }
  loseLease(): void {
    this.#lost.abort();
  }
  positionAt = () => undefined;
  onEvent = () => () => {};
  enable = () => Promise.resolve();
  stop = () => Promise.resolve();
  reset = () => Promise.resolve();
  teach = () => Promise.resolve();
  revokeLease = () => Promise.resolve();
  close = () => Promise.resolve();
  statistics = () => Promise.reject(new Error("not in this test"));
}

/** Reads CDR by its own rules; layouts as in `stateMessages.ts`. */
class Reader {
  #offset = 4;

  constructor(readonly bytes: Buffer) {}

  #take(size: number, align: number): number {
    const at = 4 + Math.ceil((this.#offset - 4) / align) * align;
    this.#offset = at + size;
    return at;
  }
  u32 = () => this.bytes.readUInt32LE(this.#take(4, 4));
  stampNs = () => fromRosTime(this.bytes.readInt32LE(this.#take(4, 4)), this.u32());
  text(): string {
    const length = this.u32();
    const at = this.#take(length, 1);
    return this.bytes.toString("utf8", at, at + length - 1);
  }
  pose(): Pose {
    const numbers = Array.from({ length: 7 }, () => this.bytes.readDoubleLE(this.#take(8, 8)));
    return { positionM: numbers.slice(0, 3), quatXyzw: numbers.slice(3) } as unknown as Pose;
  }
}

/** A TFMessage's transforms. */
export function readTransforms(bytes: Buffer) {
  const reader = new Reader(bytes);
  return Array.from({ length: reader.u32() }, () => ({
    stampNs: reader.stampNs(),
    parent: reader.text(),
    child: reader.text(),
    pose: reader.pose(),
  }));
}

/** A PoseArray. */
export function readPoses(bytes: Buffer) {
  const reader = new Reader(bytes);
  const header = { stampNs: reader.stampNs(), frame: reader.text() };
  return { ...header, poses: Array.from({ length: reader.u32() }, () => reader.pose()) };
}
