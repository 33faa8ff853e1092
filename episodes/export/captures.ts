/** When the images of a camera were captured, on the episode's clock, by the order in which they were received. */
import { nsToMs } from "../../core/clock.js";
import type { EpisodeMessage } from "../episodeReader.js";
import { type ReceivedStamp, recoverCaptureTimes } from "../quality/captureTimes.js";

/** Smallest receipt minus stamp of stamps that are this computer's own [ms]: docs/decisions/0015. */
const OWN_DELAY_MS_MIN = -5;
const OWN_DELAY_MS_MAX = 250;

export interface Captures {
  readonly captureNs: BigInt64Array;
  /** `other`: the stamps are of another clock, so capture times are read off the fastest messages. */
  readonly clock: "host" | "other";
  /** With 99 % confidence no time is further off, declared latency apart; 0 for the host's own stamps. */
  readonly errorMs: number;
}

/** Takes a camera's messages one by one; two numbers of each stay until `finish`. */
export class CaptureLog {
  readonly #samples: ReceivedStamp[] = [];
  #delayNsMin: bigint | undefined;

  /** @param latencyNs declared delay from capture to stamp */
  constructor(private readonly latencyNs: bigint) {}

  add({ publishNs, logNs }: EpisodeMessage): void {
    this.#samples.push({ stampNs: publishNs, receivedNs: logNs });
    const delayNs = logNs - publishNs;
    if (this.#delayNsMin === undefined || delayNs < this.#delayNsMin) this.#delayNsMin = delayNs;
  }

  finish(): Captures {
    const delayMs = nsToMs(this.#delayNsMin ?? 0n);
    if (delayMs >= OWN_DELAY_MS_MIN && delayMs <= OWN_DELAY_MS_MAX) {
      const captureNs = BigInt64Array.from(this.#samples, ({ stampNs }) => stampNs - this.latencyNs);
      return { captureNs, clock: "host", errorMs: 0 };
    }
    const options = { latencyMs: nsToMs(this.latencyNs), clock: "other" as const };
    const { captureNs, segments } = recoverCaptureTimes(this.#samples, options);
    return { captureNs, clock: "other", errorMs: Math.max(...segments.map(({ errorMs }) => errorMs)) };
  }
}
