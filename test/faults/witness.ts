/** What was seen of a servo during a fault script: its events, states over time, and reason bits. */
import type { ServoClient, ServoEvent, ServoStateName } from "../../runtime/servo/api.js";
import { reasonNames } from "../../runtime/servo/link/schema.js";
import { streams } from "../../runtime/servo/states.js";

interface StateChange {
  readonly atNs: bigint;
  readonly from: ServoStateName;
  readonly to: ServoStateName;
}

export class Witness {
  readonly events: ServoEvent[] = [];
  readonly changes: StateChange[] = [];
  /** Since the last `forget`. */
  reasons = 0;

  watch(client: ServoClient): void {
    client.onEvent((event) => {
      this.events.push(event);
      const change = /^(\w+) -> (\w+):/.exec(event.text);
      if (event.kind !== "state" || change === null) return;
      const [from, to] = [change[1] as ServoStateName, change[2] as ServoStateName];
      this.changes.push({ atNs: event.atNs, from, to });
    });
    client.onSnapshot(({ reasons }) => {
      this.reasons |= reasons;
    });
  }

  reasonNames(): string[] {
    return reasonNames(this.reasons);
  }

  /** Codes of the faults told from a place in `events` on. */
  faults(severities: readonly string[], from: number): string[] {
    const told = this.events.slice(from).flatMap(({ fault }) => (fault === undefined ? [] : [fault]));
    return [...new Set(told.filter(({ severity }) => severities.includes(severity)).map(({ code }) => code))];
  }

  triggers(from: number): string[] {
    return [...new Set(this.events.slice(from).flatMap(({ trigger }) => trigger ?? []))];
  }

  /** Moments at which streaming ended, with the moment at which it began again, if it did. */
  silences(): { readonly fromNs: bigint; readonly toNs: bigint | undefined }[] {
    return this.changes.flatMap((change, index) => {
      if (!streams(change.from) || streams(change.to)) return [];
      const next = this.changes.slice(index + 1).find(({ to }) => streams(to));
      return [{ fromNs: change.atNs, toNs: next?.atNs }];
    });
  }
}
