/** Watches what only servo ticks have: their numbers, the device's reports and the device's own clock. */
import { DelayTrack } from "./delayTrack.js";
import { readTickHead } from "./heads.js";

/** How long the same thing has been coming; any time counts from wherever the caller counts. */
export class Freeze {
  #sinceNs = 0;
  #value: number | undefined;
  longestNs = 0;
  longestAtNs = 0;
  repeats = 0;

  see(value: number, atNs: number): void {
    if (value !== this.#value) {
      this.#value = value;
      this.#sinceNs = atNs;
      return;
    }
    this.repeats++;
    if (atNs - this.#sinceNs > this.longestNs) {
      this.longestNs = atNs - this.#sinceNs;
      this.longestAtNs = this.#sinceNs;
    }
  }
}

/** A device's clock that gets ahead of the host's by more than any delay was set, or began anew [ns]. */
const DEVICE_JUMP_NS = 1e9;

export class TickWatch {
  readonly reports = new Freeze();
  skipped = 0;
  #tick: number | undefined;
  #device: { track: DelayTrack; restarts: number } | undefined;
  #before = { timeNs: 0, atNs: 0 };
  /** Device time minus host time that counts as no delay [ns]. */
  #baseNs = 0;

  /** Undefined when the device sends no time. */
  get device(): { readonly track: DelayTrack; readonly restarts: number } | undefined {
    return this.#device;
  }

  /** @returns false when the bytes are no tick */
  see(bytes: Uint8Array, logNs: number, originNs: bigint): boolean {
    const head = readTickHead(bytes);
    if (head === undefined) return false;
    if (this.#tick !== undefined && head.tick > this.#tick + 1) this.skipped += head.tick - this.#tick - 1;
    this.#tick = head.tick;
    this.reports.see(head.stateSequence, logNs);
    if (head.deviceTimeUs !== 0)
      this.#seeDevice(head.deviceTimeUs * 1000, Number(head.stateStampNs - originNs));
    return true;
  }

  #seeDevice(timeNs: number, atNs: number): void {
    if (this.#device === undefined) {
      this.#device = { track: new DelayTrack(), restarts: 0 };
      this.#baseNs = timeNs - atNs;
    } else if (timeNs === this.#before.timeNs) {
      return;
    } else {
      const aheadNs = timeNs - this.#before.timeNs - (atNs - this.#before.atNs);
      if (timeNs < this.#before.timeNs || aheadNs > DEVICE_JUMP_NS) {
        this.#device.restarts++;
        // What follows is measured from here, or every later delay would be the jump.
        this.#baseNs += aheadNs;
      }
    }
    this.#before = { timeNs, atNs };
    this.#device.track.add(atNs, atNs - (timeNs - this.#baseNs), 0);
  }
}
