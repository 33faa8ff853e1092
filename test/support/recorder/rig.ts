/**
 * The recorder's thread without a thread: its session on a simulated clock, a message port on either side, a real ring,
 * real files in a temporary folder, and servos that tick when told.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MessageChannel } from "node:worker_threads";
import { asEpochNs } from "../../../core/clock.js";
import { CdrWriter, ImageMessage } from "../../../core/rosWire.js";
import { SimClock } from "../../../core/simClock.js";
import type { EpisodeStart } from "../../../episodes/format.js";
import { POLICY_STEP, POLICY_STEP_TOPIC } from "../../../episodes/messages.js";
import type { BeginParts } from "../../../runtime/recorder/begin.js";
import type {
  FromRecorder,
  RecorderInput,
  RecorderSetup,
  StartRequest,
  ToRecorder,
} from "../../../runtime/recorder/messages.js";
import { createRing, RingWriter } from "../../../runtime/recorder/ring.js";
import { type RecorderParts, runRecorderWorker } from "../../../runtime/recorder/worker.js";
import { TapServo } from "./tapServo.js";

export const IMAGE = "/camera/wrist/color/image_raw";
export const JOINTS = "/arm/joint_states";
export const NOTE = "/note";

const ros = { source: "ros", latched: false, countsGaps: false } as const;
export const INPUTS: readonly RecorderInput[] = [
  { ...ros, topic: IMAGE, type: "sensor_msgs/msg/Image", rateHz: 30, countsGaps: true },
  { ...ros, topic: JOINTS, type: "sensor_msgs/msg/JointState", rateHz: 100 },
  { ...ros, topic: NOTE, type: "std_msgs/msg/String", latched: true },
  { topic: POLICY_STEP_TOPIC, type: POLICY_STEP, source: "policy", latched: false, countsGaps: false },
];

export interface RigOptions {
  readonly setup?: Partial<RecorderSetup>;
  readonly ringBytes?: number;
  readonly createFile?: BeginParts["createFile"];
  readonly repair?: RecorderParts["repair"];
}

export class RecorderRig {
  readonly clock = new SimClock();
  readonly folder = mkdtempSync(join(tmpdir(), "recorder-"));
  readonly ring: RingWriter;
  readonly servos: TapServo[] = [];
  readonly heard: FromRecorder[] = [];
  freeBytes = 100e9;
  refuseServo: Error | undefined;
  readonly #channel = new MessageChannel();
  readonly #ended: Promise<void>;
  readonly #inputs: readonly RecorderInput[];

  constructor({ setup = {}, ringBytes = 8e6, createFile, repair = async () => [] }: RigOptions = {}) {
    this.#inputs = setup.inputs ?? INPUTS;
    const ring = createRing(ringBytes, this.#inputs.length);
    this.ring = new RingWriter(ring);
    const { port1, port2 } = this.#channel;
    port2.on("message", (message: FromRecorder) => this.heard.push(message));
    const whole: RecorderSetup = {
      ring,
      inputs: [...INPUTS],
      folder: join(this.folder, "recordings"),
      images: "raw",
      jpegQuality: 92,
      diskFreeBytesMin: 1e9,
      episodeMsMax: 60_000,
      sockets: { arm: "arm.sock" },
      cameras: {
        wrist: {
          widthPx: 64,
          heightPx: 48,
          rateHz: 30,
          fovYDeg: 42,
          mount: { robot: "arm", positionM: [0, 0, 0], quatXyzw: [0, 0, 0, 1] },
        },
      },
      imageTopics: { wrist: IMAGE },
      policyCameras: ["wrist"],
      prefixes: (process.env.AMENT_PREFIX_PATH ?? "").split(":").filter((prefix) => prefix !== ""),
      cell: { name: "test" },
      software: { cerebellum: "test" },
      ...setup,
    };
    let uuids = 0;
    this.#ended = runRecorderWorker(whole, {
      port: port1,
      clock: this.clock,
      connect: async () => {
        if (this.refuseServo !== undefined) throw this.refuseServo;
        const servo = new TapServo(this.clock);
        this.servos.push(servo);
        return servo;
      },
      freeBytes: async () => this.freeBytes,
      uuid: () => `00000000-0000-4000-8000-${String(++uuids).padStart(12, "0")}`,
      repair,
      ...(createFile === undefined ? {} : { createFile }),
    });
  }

  get servo(): TapServo {
    return this.servos.at(-1)!;
  }

  tell(message: ToRecorder): void {
    this.#channel.port2.postMessage(message);
  }

  /** The next message of a kind that was not awaited before; simulated time stands still meanwhile. */
  async next<K extends FromRecorder["kind"]>(kind: K): Promise<Extract<FromRecorder, { kind: K }>> {
    for (let look = 0; look < 1000; look++) {
      const at = this.heard.findIndex((message) => message.kind === kind);
      if (at >= 0) return this.heard.splice(at, 1)[0] as Extract<FromRecorder, { kind: K }>;
      const failed = this.heard.find((message) => message.kind === "startFailed");
      if (failed !== undefined) throw new Error(`start failed: ${failed.failure.happened}`);
      await realMs(5);
    }
    throw new Error(`no ${kind} came; heard: ${JSON.stringify(this.heard.map((one) => one.kind))}`);
  }

  /** Starts an episode; @returns when it records. */
  async start(request: Partial<StartRequest> = {}, bundle: EpisodeStart["bundle"] = null) {
    this.tell({
      kind: "start",
      request: {
        task: "test",
        kind: "demonstration",
        note: "",
        context: {},
        ...request,
        strict: request.strict ?? false,
      },
      bundle,
      engine: {},
      calibration: {},
    });
    return this.next("started");
  }

  async stop() {
    this.tell({ kind: "stop", because: "stopped", detail: "" });
    return (await this.next("ended")).ended;
  }

  /** Simulated time goes on in small steps, with the real time in between that files and ports need. */
  async pass(ms: number, stepMs = 50): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      await this.clock.advance(Math.min(stepMs, ms - passed));
      await realMs(1);
    }
  }

  write(topic: string, cdr: Uint8Array): boolean {
    return this.ring.write(
      this.#inputs.findIndex((input) => input.topic === topic),
      this.clock.nowNs(),
      cdr,
    );
  }

  image(widthPx = 64, heightPx = 48, value = 7): Uint8Array {
    const message = new ImageMessage("wrist", widthPx, heightPx, "rgb8", 3 * widthPx);
    message.stamp(this.clock.epochNs());
    message.pixels.fill(value);
    return message.bytes;
  }

  jointState(): Uint8Array {
    const writer = new CdrWriter().stamp(asEpochNs(this.clock.epochNs())).text("").u32(1).text("joint1");
    return writer.u32(1).float64s(Float64Array.of(0.5)).u32(0).u32(0).finish();
  }

  async close(): Promise<void> {
    this.tell({ kind: "close" });
    await this.#ended;
    this.#channel.port2.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export const realMs = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
