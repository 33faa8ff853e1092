/** How long a pose takes from its arrival to the device's wire, by the servo's own account of each command. */
import type { TeleopStatus } from "../../core/gateway/server.js";

/** Newest samples that quantiles are taken of: six seconds at 90 Hz. */
const SAMPLES_MAX = 512;
/** Commands under way that may still be heard of. */
const PENDING_MAX = 256;
const QUANTILES_EVERY = 32;

export class LatencyMeter {
  mappingMs: number | null = null;
  toWireMs: number | null = null;
  toWireP50Ms: number | null = null;
  toWireP99Ms: number | null = null;
  readonly #samplesMs = new Float64Array(SAMPLES_MAX);
  #count = 0;
  #pending: { readonly seq: number; readonly receivedMs: number }[] = [];

  /** Another lease counts its commands from one again. */
  startLease(): void {
    this.#pending = [];
  }

  /** @param receivedMs when the pose arrived; @param sentMs when its command left for the servo */
  commanded(seq: number, receivedMs: number, sentMs: number): void {
    this.mappingMs = sentMs - receivedMs;
    if (this.#pending.length >= PENDING_MAX) this.#pending.shift();
    this.#pending.push({ seq, receivedMs });
  }

  /** The first setpoint of command `seq` left for the device; commands before it that were overtaken never did. */
  left(seq: number, wireMs: number): void {
    for (;;) {
      const [first] = this.#pending;
      if (first === undefined || first.seq > seq) return;
      this.#pending.shift();
      if (first.seq === seq) this.#add(wireMs - first.receivedMs);
    }
  }

  figures(): Pick<TeleopStatus["latency"], "mappingMs" | "toWireMs" | "toWireP50Ms" | "toWireP99Ms"> {
    const { mappingMs, toWireMs, toWireP50Ms, toWireP99Ms } = this;
    return { mappingMs, toWireMs, toWireP50Ms, toWireP99Ms };
  }

  #add(toWireMs: number): void {
    this.toWireMs = toWireMs;
    this.#samplesMs[this.#count++ % SAMPLES_MAX] = toWireMs;
    if (this.#count > QUANTILES_EVERY && this.#count % QUANTILES_EVERY !== 0) return;
    const sorted = this.#samplesMs.slice(0, Math.min(this.#count, SAMPLES_MAX)).sort();
    const rank = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
    this.toWireP50Ms = rank(0.5);
    this.toWireP99Ms = rank(0.99);
  }
}
