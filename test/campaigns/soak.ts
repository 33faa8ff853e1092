/**
 * The soak: `npm run soak -- --minutes 30 [--no-fifo] [--second-camera-hz N] [--json FILE]`. The lab cell with its
 * policy, two cameras and recording, in the real daemon with a real servo process; a line a minute, and at the end
 * whether the loop kept its word. The second camera sits on the flange like the first.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Clock, sleepMs } from "../../core/clock.js";
import { Random } from "../../lab/world/random.js";
import { enableOrFail, withDaemon } from "../../launch/commands/running.js";
import { countTicks, type Mark, Marker } from "../../launch/commands/tickGrid.js";
import type { Daemon } from "../../launch/daemon/daemon.js";
import type { RecorderHost } from "../../runtime/recorder/host.js";
import { latenessBetween } from "../../runtime/servo/lateness.js";
import { writeCell } from "../support/cell.js";
import { brokenGates, describeSoak, type SoakResult } from "./soak/figures.js";
import { Watch } from "./soak/watch.js";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "30" },
    "no-fifo": { type: "boolean", default: false },
    "second-camera-hz": { type: "string", default: "30" },
    json: { type: "string" },
  },
});
const MINUTES = Number(values.minutes);
const WARM_UP_MS = 8000;
const SCENE_MS = 12_000;
const MINUTE_MS = 60_000;
const SECOND_CAMERA = {
  positionM: [-0.075, 0, 0.025],
  quatXyzw: [0.0739128, -0.0739128, 0.7032332, -0.7032332],
};

const folder = mkdtempSync(join(tmpdir(), "cerebellum-soak-"));
const cellFile = await writeCell(folder, (cell) => {
  const wrist = cell.cameras.wrist as { mount: object };
  const rateHz = Number(values["second-camera-hz"]);
  const mount = { ...wrist.mount, ...SECOND_CAMERA };
  cell.recorder = { folder: join(folder, "recordings") };
  cell.cameras.second = { ...wrist, rateHz, topic: "/camera/second", mount };
  if (values["no-fifo"]) cell.robots.arm!.servo.realtimePriority = 0;
});
try {
  await withDaemon({ cellFile, logLevel: "error", policy: true }, soak);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function soak(daemon: Daemon, signal: AbortSignal): Promise<void> {
  const servo = await daemon.connectCommander("arm", "soak");
  const recorder = new Recording(daemon);
  const watch = new Watch(daemon, servo);
  await enableOrFail(daemon);
  const running = keepRunning(daemon, watch, signal);
  await sleepMs(daemon.clock, WARM_UP_MS, signal);
  const marker = new Marker(servo);
  await sleepMs(daemon.clock, 500, signal);
  watch.begin();
  const first = await marked(marker);
  const sampling = watch.sample(signal);
  for (let minute = 1; minute <= MINUTES && !signal.aborted; minute++) {
    await sleepMs(daemon.clock, MINUTE_MS, signal);
    const so = latenessBetween(first.statistics, (await servo.statistics()) as Mark["statistics"]);
    console.log(
      `minute ${minute}: lateness p99 ${so.p99.toFixed(0)} us, p99.9 ${so.p999.toFixed(0)} us, max ${so.max.toFixed(0)} us; servo ${watch.rssMb.at(-1)?.toFixed(0)} MB; policy ${watch.steps} steps, ${watch.commands} commands; recorder ${recorder.counts.written} messages, ${recorder.counts.dropped} dropped; triggers ${JSON.stringify(watch.triggers)}, unexpected ${JSON.stringify(watch.unexpected)}`,
    );
  }
  const last = await marked(marker);
  const result: SoakResult = {
    ...countTicks(first, last, servo.info.rateHz),
    rateHz: servo.info.rateHz,
    realtimePriority: servo.info.realtimePriority,
    latenessUs: latenessBetween(first.statistics, last.statistics),
    ...watch.figures(Number(last.tickNs - first.tickNs) / 1e9),
    recorder: recorder.counts,
  };
  watch.stop();
  await recorder.stop();
  await sampling;
  await daemon.policy?.stop();
  watch.ended = true;
  await running;
  await servo.close();
  for (const line of describeSoak(result)) console.log(line);
  const broken = brokenGates(result);
  if (values.json !== undefined)
    writeFileSync(values.json, `${JSON.stringify({ ...result, broken }, undefined, 2)}\n`);
  console.log(broken.length === 0 ? "everything holds" : `DOES NOT HOLD: ${broken.join("; ")}`);
  process.exitCode = broken.length === 0 ? 0 : 1;
}

/** A dropped snapshot can hide one tick from the marker; the next try asks about another. */
async function marked(marker: Marker): Promise<Mark> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await marker.mark();
    } catch (thrown) {
      if (attempt === 5) throw thrown;
    }
  }
}

/** The policy goes from block to block; when a run ends by itself it is counted and started again. */
async function keepRunning(daemon: Daemon, watch: Watch, signal: AbortSignal): Promise<void> {
  const random = new Random(1);
  while (!signal.aborted && !watch.ended) {
    const state = daemon.servo("arm").latest()?.state;
    if (state === "stopped" || state === "faulted") {
      // Already counted as unexpected; the load is to go on.
      await daemon.supervisor.reset();
      await daemon.supervisor.enable();
    }
    const phase = daemon.policy?.status().phase;
    if (phase !== "running" && phase !== "approaching") {
      watch.policyStarts++;
      await daemon.policy?.start().catch(() => {});
    }
    await daemon.lab!.ask({ do: "scene", seed: random.below(1_000_000), light: "training" }).catch(() => {});
    for (let waitedMs = 0; waitedMs < SCENE_MS && !watch.ended; waitedMs += 250)
      await sleepMs(daemon.clock, 250, signal);
  }
}

/** Records with the daemon's own recorder, a minute an episode; finished ones are not kept: a soak must not fill a disk. */
class Recording {
  readonly counts: Record<string, number> = { episodes: 0, written: 0, dropped: 0, lostBefore: 0, flags: 0 };
  readonly #recorder: RecorderHost;
  readonly #clock: Clock;
  readonly #ended = new AbortController();
  readonly #running: Promise<void>;

  constructor({ recorder, clock }: Daemon) {
    if (recorder === undefined) throw new Error("the soak's cell has a recorder");
    this.#recorder = recorder;
    this.#clock = clock;
    this.#running = this.#record();
  }

  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#running;
  }

  async #record(): Promise<void> {
    while (!this.#ended.signal.aborted) {
      const { folder } = await this.#recorder.start({ task: "soak", kind: "other", note: "", context: {} });
      await sleepMs(this.#clock, MINUTE_MS, this.#ended.signal);
      const { topics, flags } = await this.#recorder.stop({ outcome: "unlabelled", note: "" });
      for (const counters of Object.values(topics)) {
        this.counts.written! += counters.written;
        this.counts.dropped! += counters.received - counters.written;
        this.counts.lostBefore! += counters.lostBefore;
      }
      this.counts.episodes!++;
      this.counts.flags! += flags.length;
      rmSync(folder, { force: true, recursive: true });
    }
  }
}
