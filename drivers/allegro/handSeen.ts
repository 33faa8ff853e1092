/** What a hand, and whoever else is on its bus, has said since somebody began to listen: newest, least, most, how often. */
import { LatenessHistogram } from "../../core/histogram.js";
import { HAND_JOINT_COUNT, type HandModel, JOINTS_PER_FINGER } from "../../kinematics/allegro/hand.js";
import type { CanFrame } from "../can/frame.js";
import { decodeHandFrame, decodeHostFrame, generationOf, type HandInfo, readPose } from "./protocol/index.js";

/** What has come so far. */
export class HandSeen {
  info: HandInfo | undefined;
  serial: string | undefined;
  readonly frames = [0, 0, 0, 0];
  readonly gaps = new LatenessHistogram();
  readonly counts = new Int16Array(HAND_JOINT_COUNT);
  readonly least = new Int16Array(HAND_JOINT_COUNT).fill(0x7fff);
  readonly most = new Int16Array(HAND_JOINT_COUNT).fill(-0x8000);
  readonly celsius: (number | undefined)[] = [undefined, undefined, undefined, undefined];
  readonly motorErrors: string[] = [];
  readonly hosts = new Set<number>();
  readonly strangers = new Set<number>();
  malformed = 0;
  readonly #nowMs: () => number;
  readonly #cameMs = [Number.NaN, Number.NaN, Number.NaN, Number.NaN];
  #isWatching = false;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  watch(): void {
    this.#isWatching = true;
    this.frames.fill(0);
    this.#cameMs.fill(Number.NaN);
  }

  stopWatching(): void {
    this.#isWatching = false;
  }

  take(frame: CanFrame): void {
    const finger = readPose(frame, this.counts);
    if (finger !== undefined) {
      this.#takePose(finger);
      return;
    }
    if (decodeHostFrame(frame) !== undefined) {
      this.hosts.add(frame.id);
      return;
    }
    // A V5's messages contain V4's.
    const message = frame.isRemote ? undefined : decodeHandFrame(frame, this.#model);
    if (message === undefined) this.strangers.add(frame.id);
    else if (message.kind === "info") this.#takeInfo(frame, message);
    else if (message.kind === "serial") this.serial = message.text;
    else if (message.kind === "temperature") this.celsius[message.sensor] = message.celsius;
    else if (message.kind === "error")
      this.motorErrors.push(`motor ${message.motor}: 0x${message.bits.toString(16)}`);
    else if (message.kind === "malformed") this.malformed++;
  }

  get #model(): HandModel {
    return this.info !== undefined && generationOf(this.info) !== 5 ? "v4" : "v5a";
  }

  /** What its bytes mean hangs on the generation that it names. */
  #takeInfo(frame: CanFrame, info: HandInfo): void {
    const again = decodeHandFrame(frame, generationOf(info) === 5 ? "v5a" : "v4");
    this.info = again?.kind === "info" ? again : info;
  }

  #takePose(finger: number): void {
    const nowMs = this.#nowMs();
    const sinceMs = nowMs - this.#cameMs[finger]!;
    this.#cameMs[finger] = nowMs;
    if (!this.#isWatching && this.frames[finger]! > 0) return;
    this.frames[finger]!++;
    if (this.#isWatching && !Number.isNaN(sinceMs)) this.gaps.add(1000 * sinceMs);
    for (let place = 0; place < JOINTS_PER_FINGER; place++) {
      const joint = JOINTS_PER_FINGER * finger + place;
      const count = this.counts[joint]!;
      this.least[joint] = Math.min(this.least[joint]!, count);
      this.most[joint] = Math.max(this.most[joint]!, count);
    }
  }
}
