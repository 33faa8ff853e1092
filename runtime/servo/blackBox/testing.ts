/** A black box in one thread and simulated time, over a folder of its own; for tests only. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { asMonotonicNs, msToNs } from "../../../core/clock.js";
import type { ServoEvent } from "../api.js";
import type { InputAges } from "../blackBox.js";
import { createSnapshot, type MutableSnapshot } from "../snapshot.js";
import { readBlackBox } from "./reader.js";
import { RingRecorder } from "./recorder.js";
import { Ring } from "./ring.js";
import { sessionStem } from "./segmentName.js";
import type { SessionInfo } from "./session.js";
import { BlackBoxWriter } from "./writer.js";

export const JOINTS = 7;
export const PERIOD_MS = 4;
/** Epoch time of monotonic zero. */
export const BOOT_EPOCH_MS = 1_795_000_000_000;
const SIZE = { jointCount: JOINTS, rateHz: 1000 / PERIOD_MS };

const NO_AGES: InputAges = {
  stateMs: 4,
  commandMs: Number.NaN,
  inputMs: Number.NaN,
  supervisorMs: 100,
  commanderMs: Number.NaN,
};

export const testSession = (id: string, changes: Partial<SessionInfo> = {}): SessionInfo => ({
  id,
  robot: "arm",
  device: "fake",
  processId: 4242,
  bootId: "boot-1",
  rateHz: SIZE.rateHz,
  jointNames: Array.from({ length: JOINTS }, (_, joint) => `joint${joint + 1}`),
  positionMinRad: Array(JOINTS).fill(-3),
  positionMaxRad: Array(JOINTS).fill(3),
  servo: { stateAgeMsMax: 100, rateHz: SIZE.rateHz },
  ...changes,
});

export class BlackBoxBench {
  readonly folder: string;
  readonly ring = new Ring(SIZE);
  readonly recorder = new RingRecorder(this.ring, SIZE);
  readonly snapshot: MutableSnapshot = createSnapshot(JOINTS);
  readonly ages: InputAges = { ...NO_AGES };
  readonly writer: BlackBoxWriter;
  /** Off: nothing is drained, as if the thread hung. */
  draining = true;
  nowMs: number;
  #drainAtMs = 0;

  constructor(options: { folder?: string; startMs?: number; info?: Partial<SessionInfo> } = {}) {
    this.folder = options.folder ?? mkdtempSync(join(tmpdir(), "black-box-"));
    this.nowMs = options.startMs ?? 1_000_000;
    const stem = sessionStem(BOOT_EPOCH_MS + this.nowMs, options.info?.processId ?? 4242);
    this.writer = new BlackBoxWriter({
      folder: this.folder,
      ring: this.ring,
      stem,
      session: JSON.stringify(testSession(stem, options.info)),
      clock: { nowMs: () => this.nowMs, epochMs: () => BOOT_EPOCH_MS + this.nowMs },
    });
    this.snapshot.state = "holding";
    this.writer.drain();
  }

  /** Ticks for so long, drained every 100 ms; `each` may change the snapshot before its tick. */
  run(ms: number, each: (snapshot: MutableSnapshot, sinceMs: number) => void = () => {}): void {
    for (let sinceMs = 0; sinceMs < ms; sinceMs += PERIOD_MS) {
      this.nowMs += PERIOD_MS;
      this.snapshot.tick++;
      this.snapshot.tickMs = this.nowMs;
      each(this.snapshot, sinceMs);
      this.recorder.tick(this.snapshot, this.ages);
      if (this.draining && this.nowMs >= this.#drainAtMs) this.drain();
    }
  }

  drain(): void {
    this.#drainAtMs = this.nowMs + 100;
    this.writer.drain();
  }

  tell(event: Omit<ServoEvent, "atNs">): void {
    this.recorder.event({ ...event, atNs: asMonotonicNs(msToNs(this.nowMs)) });
  }

  files(): string[] {
    return readdirSync(this.folder).sort();
  }

  read() {
    return readBlackBox(this.files().map((name) => ({ name, bytes: readFileSync(join(this.folder, name)) })));
  }

  /** Deletes the folder. */
  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
