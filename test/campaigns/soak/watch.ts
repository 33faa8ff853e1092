/** What is looked at while a soak runs: memory, frames, policy steps, and everything that should not happen. */
import { readFileSync } from "node:fs";
import { sleepMs } from "../../../core/clock.js";
import type { Daemon } from "../../../launch/daemon/daemon.js";
import { systemClock } from "../../../launch/systemClock.js";
import type { ServoClient } from "../../../runtime/servo/api.js";

const RSS_MS = 5000;
const MB = 2 ** 20;

export class Watch {
  readonly rssMb: number[] = [];
  readonly unexpected: Record<string, number> = {};
  readonly triggers: Record<string, number> = {};
  readonly #refusals: Record<string, number> = {};
  steps = 0;
  commands = 0;
  policyStarts = 0;
  ended = false;
  readonly #daemon: Daemon;
  readonly #servo: ServoClient;
  readonly #ended = new AbortController();
  #framesBefore: Record<string, { received: number; lost: number }> = {};
  #heapFirstMb = 0;
  #startsBefore = 0;

  constructor(daemon: Daemon, servo: ServoClient) {
    this.#daemon = daemon;
    this.#servo = servo;
  }

  begin(): void {
    this.#framesBefore = this.#frames();
    this.#heapFirstMb = process.memoryUsage().heapUsed / MB;
    this.#startsBefore = this.policyStarts;
    this.#servo.onEvent(({ kind, trigger }) => {
      if (trigger !== undefined) count(this.triggers, trigger);
      if (kind === "fault") count(this.unexpected, "fault");
    });
    this.#servo.onSnapshot(({ state }) => {
      if (state !== "holding" && state !== "following") count(this.unexpected, `tick ${state}`);
    });
    this.#daemon.policy!.onStep((record) => {
      this.steps++;
      if (record.commandSeq !== undefined) this.commands++;
      else if (record.refusal !== undefined) count(this.#refusals, record.refusal);
    });
  }

  async sample(signal: AbortSignal): Promise<void> {
    const { processId } = this.#servo.info;
    const either = AbortSignal.any([signal, this.#ended.signal]);
    while (!either.aborted) {
      const status = readFileSync(`/proc/${processId}/status`, "utf8");
      this.rssMb.push(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) / 1024);
      await sleepMs(systemClock, RSS_MS, either);
    }
  }

  stop(): void {
    this.#ended.abort();
  }

  figures(seconds: number) {
    const after = this.#frames();
    return {
      servoRssMb: { first: this.rssMb[0]!, last: this.rssMb.at(-1)!, max: Math.max(...this.rssMb) },
      daemonHeapMb: { first: this.#heapFirstMb, last: process.memoryUsage().heapUsed / MB },
      cameras: Object.fromEntries(
        Object.entries(after).map(([name, { received, lost }]) => [
          name,
          {
            received: received - this.#framesBefore[name]!.received,
            lost: lost - this.#framesBefore[name]!.lost,
            expected: seconds * this.#daemon.cell.cameras[name]!.rateHz,
          },
        ]),
      ),
      policySteps: this.steps,
      policyCommands: this.commands,
      refusals: this.#refusals,
      triggers: { ...this.triggers },
      unexpected: { ...this.unexpected },
      policyRestarts: this.policyStarts - this.#startsBefore,
    };
  }

  #frames(): Record<string, { received: number; lost: number }> {
    return Object.fromEntries(
      Object.keys(this.#daemon.cell.cameras).map((name) => {
        const { receivedCount, lostCount } = this.#daemon.camera(name)!.stream.counters;
        return [name, { received: receivedCount, lost: lostCount }];
      }),
    );
  }
}

function count(counts: Record<string, number>, what: string): void {
  counts[what] = (counts[what] ?? 0) + 1;
}
