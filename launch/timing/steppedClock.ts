/** A clock that stands still but for `ms`, and allocates nothing where a tick looks at it. */
import { asEpochNs, type Clock, msToMonotonicNs } from "../../core/clock.js";

export class SteppedClock implements Clock {
  ms = 1e9;

  nowMs(): number {
    return this.ms;
  }

  nowNs() {
    return msToMonotonicNs(this.ms);
  }

  epochNs() {
    return asEpochNs(msToMonotonicNs(this.ms));
  }

  /** Nobody in the servo sleeps here. */
  sleepUntil(): Promise<void> {
    return new Promise(() => {});
  }
}
