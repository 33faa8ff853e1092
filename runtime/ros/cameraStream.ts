/**
 * One camera's frames as they come off ROS: parsed, checked against the cell, counted. A frame that repeats, that is
 * of another size or encoding, or that cannot be read goes no further: it is as stale as a missing one.
 */
import { type Clock, type EpochNs, type MonotonicNs, NS_PER_S, nsToMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import { type ImageView, readImage } from "../../core/rosWire.js";
import { GapEstimate } from "../gapEstimate.js";
import type { CameraConfig } from "../policy/config.js";
import type { DiagnosticItem } from "../supervisor.js";

export interface CameraCounters {
  receivedCount: number;
  /** Estimated from gaps between stamps against the nominal rate. */
  lostCount: number;
  /** Same pixels as the frame before, or a stamp that does not rise. */
  repeatedCount: number;
  /** Older than the limit when received. */
  lateCount: number;
  mismatchedCount: number;
  corruptCount: number;
}

export interface CameraStreamOptions {
  readonly name: string;
  readonly config: CameraConfig;
  readonly clock: Clock;
  /** Frames older than this on receipt are counted as late; they are passed on, their age with them. */
  readonly ageMsMax: number;
  /** `bytes` is the whole message; it and the image share memory that stays valid. */
  readonly onFrame: (image: ImageView, receivedNs: MonotonicNs, bytes: Uint8Array) => void;
  /** Trouble, once when it begins. */
  readonly onTrouble: (trouble: CerebellumError) => void;
}

const BYTES_PER_PIXEL = 3;
/** Long enough to judge a rate, short enough to see it change. */
const WINDOW_FRAMES = 128;
const RATE_WINDOW_NS = 3n * NS_PER_S;
const SILENCE_NS = NS_PER_S;
/** Below this share of the nominal rate the transport is the usual cause. */
const SLOW_SHARE = 0.5;
/** Every 37th byte: prime, so that every column and colour is met. */
const HASH_STRIDE_BYTES = 37;
/** A camera host whose clock runs ahead by more than this makes ages meaningless. */
const AHEAD_MS_MAX = 20;

export class CameraStream {
  readonly counters: CameraCounters = {
    receivedCount: 0,
    lostCount: 0,
    repeatedCount: 0,
    lateCount: 0,
    mismatchedCount: 0,
    corruptCount: 0,
  };
  readonly #options: CameraStreamOptions;
  readonly #startedNs: MonotonicNs;
  readonly #arrivals: MonotonicNs[] = [];
  readonly #agesMs: number[] = [];
  #newestStampNs = 0n as EpochNs;
  #newestHash = -1;
  readonly #gaps: GapEstimate;
  /** When the newest frame came, and when the newest that was passed on. */
  #newestNs: MonotonicNs | undefined;
  #freshNs: MonotonicNs | undefined;
  #trouble: CerebellumError | undefined;
  #infoMismatch: string | undefined;

  constructor(options: CameraStreamOptions) {
    this.#options = options;
    this.#startedNs = options.clock.nowNs();
    this.#gaps = new GapEstimate(options.config.rateHz);
  }

  /** One sensor_msgs/Image as CDR bytes. */
  accept(bytes: Uint8Array, receivedNs = this.#options.clock.nowNs()): void {
    const { clock, config, onFrame, ageMsMax } = this.#options;
    const parsed = readImage(bytes);
    if (!parsed.ok) {
      this.counters.corruptCount++;
      this.#raise("WIRE_CORRUPT", `image is unreadable: ${parsed.reason}`, "Check the publisher's version");
      return;
    }
    const image = parsed.value;
    this.counters.receivedCount++;
    this.#newestNs = receivedNs;
    push(this.#arrivals, receivedNs);
    const mismatch = imageMismatch(image, config);
    if (mismatch !== undefined) {
      this.counters.mismatchedCount++;
      this.#raise("CAMERA_MISMATCH", mismatch, this.#mismatchRemedy());
      return;
    }
    const ageMs = nsToMs(clock.epochNs() - image.stampNs);
    push(this.#agesMs, ageMs);
    const hash = sampledHash(image.data);
    const repeated = image.stampNs <= this.#newestStampNs || hash === this.#newestHash;
    if (repeated) {
      this.counters.repeatedCount++;
      return;
    }
    this.counters.lostCount += this.#gaps.next(image.stampNs);
    this.#newestStampNs = image.stampNs;
    this.#newestHash = hash;
    if (ageMs > ageMsMax) this.counters.lateCount++;
    this.#trouble = undefined;
    this.#freshNs = receivedNs;
    onFrame(image, receivedNs, bytes);
  }

  /** Width and height that camera_info declares; must be the cell's. */
  acceptInfo(widthPx: number, heightPx: number): void {
    const { config } = this.#options;
    if (widthPx === config.widthPx && heightPx === config.heightPx) {
      this.#infoMismatch = undefined;
      return;
    }
    if (this.#infoMismatch !== undefined) return;
    this.#infoMismatch = `camera_info says ${widthPx}x${heightPx}, the cell file ${config.widthPx}x${config.heightPx}`;
    this.#raise("CAMERA_MISMATCH", this.#infoMismatch, this.#mismatchRemedy());
  }

  /** Call a few times a second: raises CAMERA_MISSING or FRAME_STALE after a second without a frame, or a new one. */
  checkSilence(): void {
    const nowNs = this.#options.clock.nowNs();
    const { topic } = this.#options.config;
    const silentNs = nowNs - (this.#newestNs ?? this.#startedNs);
    if (silentNs <= SILENCE_NS) {
      const frozenNs = nowNs - (this.#freshNs ?? nowNs);
      if (frozenNs <= SILENCE_NS || this.#trouble !== undefined) return;
      const happened = `${topic}/color/image_raw has repeated one image for ${nsToMs(frozenNs).toFixed(0)} ms`;
      this.#raise("FRAME_STALE", happened, "Restart the camera's driver, and check its cable and power");
      return;
    }
    const happened =
      this.#newestNs === undefined
        ? `no image has come on ${topic}/color/image_raw`
        : `no image on ${topic}/color/image_raw for ${nsToMs(silentNs).toFixed(0)} ms`;
    this.#raise("CAMERA_MISSING", happened, "Check that the camera's driver runs and publishes this topic");
  }

  /** Age of the newest frame that was passed on, by its stamp; undefined before the first. */
  newestAgeMs(): number | undefined {
    return this.#freshNs === undefined
      ? undefined
      : nsToMs(this.#options.clock.epochNs() - this.#newestStampNs);
  }

  /** Frames a second over the last few seconds; 0 when silent. */
  rateHz(): number {
    const nowNs = this.#options.clock.nowNs();
    const recent = this.#arrivals.filter((arrivalNs) => nowNs - arrivalNs <= RATE_WINDOW_NS);
    if (recent.length < 2) return 0;
    const spanNs = Number(nowNs - recent[0]!);
    return ((recent.length - 1) * 1e9) / Math.max(1, spanNs);
  }

  diagnostic(): DiagnosticItem {
    this.checkSilence();
    const { name, config } = this.#options;
    const rateHz = this.rateHz();
    const ages = this.#agesMs.toSorted((a, b) => a - b);
    const percentile = (share: number) => ages[Math.min(ages.length - 1, Math.floor(share * ages.length))];
    const base = {
      name: `camera: ${name}`,
      hardwareId: config.topic,
      values: {
        rateHz: round(rateHz),
        nominalRateHz: config.rateHz,
        ageP50Ms: round(percentile(0.5)),
        ageP99Ms: round(percentile(0.99)),
        ageMaxMs: round(ages.at(-1)),
        ...this.counters,
      },
    };
    if (this.#trouble !== undefined) return { ...base, level: "error", message: this.#trouble.message };
    if (this.#infoMismatch !== undefined) {
      return { ...base, level: "error", message: `${this.#infoMismatch}. ${this.#mismatchRemedy()}.` };
    }
    if (this.#arrivals.length > 1 && rateHz < SLOW_SHARE * config.rateHz) {
      return { ...base, level: "warn", message: slowText(rateHz, config.rateHz) };
    }
    if ((ages[0] ?? 0) < -AHEAD_MS_MAX) {
      return {
        ...base,
        level: "warn",
        message: `stamps lie up to ${(-ages[0]!).toFixed(0)} ms in the future. Synchronise the camera host's clock (chrony or PTP).`,
      };
    }
    return { ...base, level: "ok", message: `${rateHz.toFixed(1)} Hz` };
  }

  #mismatchRemedy(): string {
    return `Set the camera's colour profile, or widthPx, heightPx and encoding of cameras.${this.#options.name} in the cell file`;
  }

  #raise(code: CerebellumError["code"], happened: string, remedy: string): void {
    const isNew = this.#trouble?.code !== code;
    this.#trouble = new CerebellumError(code, `Camera ${this.#options.name}: ${happened}`, remedy);
    if (isNew) this.#options.onTrouble(this.#trouble);
  }
}

function imageMismatch(image: ImageView, config: CameraConfig): string | undefined {
  const found = `${image.widthPx}x${image.heightPx} ${image.encoding}`;
  const expected = `${config.widthPx}x${config.heightPx} ${config.encoding}`;
  if (found !== expected) return `images are ${found}, the cell file says ${expected}`;
  if (image.stepBytes !== BYTES_PER_PIXEL * image.widthPx) {
    return `rows are ${image.stepBytes} bytes, expected ${BYTES_PER_PIXEL * image.widthPx} without padding`;
  }
  return undefined;
}

const slowText = (rateHz: number, nominalHz: number): string =>
  `arrives at ${rateHz.toFixed(1)} of ${nominalHz} Hz. If the camera itself runs at full rate, Fast DDS is dropping ` +
  "images: its default shared-memory segment of 512 KiB is smaller than one. Start every process, the camera's " +
  "driver too, with FASTDDS_DEFAULT_PROFILES_FILE set to launch/fastdds.xml (FASTDDS_BUILTIN_TRANSPORTS unset).";

/** FNV-1a over a sample of the bytes. */
function sampledHash(data: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < data.length; i += HASH_STRIDE_BYTES) hash = Math.imul(hash ^ data[i]!, 0x01000193);
  return hash >>> 0;
}

function push<T>(window: T[], value: T): void {
  window.push(value);
  if (window.length > WINDOW_FRAMES) window.shift();
}

const round = (value: number | undefined): number => (value === undefined ? 0 : Math.round(value * 10) / 10);
