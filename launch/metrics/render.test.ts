import { describe, expect, it } from "vitest";
import { LATENESS_EDGES_US, LatenessHistogram } from "../../core/histogram.js";
import { StepCounters } from "../../runtime/policy/steps.js";
import type { RecorderStatus } from "../../runtime/recorder/host.js";
import { NO_STATISTICS } from "../../runtime/servo/link/schema.js";
import { createSnapshot } from "../../runtime/servo/snapshot.js";
import { type CellFigures, renderMetrics } from "./render.js";

function figures(): CellFigures {
  const histogram = new LatenessHistogram();
  for (const us of [5, 40, 40, 900, 3000, 200_000]) histogram.add(us);
  const snapshot = createSnapshot(7);
  snapshot.state = "holding";
  snapshot.epoch = 4;
  snapshot.stateMs = 5000;
  const counters = new StepCounters();
  counters.add({
    step: 1,
    dueNs: 0n as never,
    startNs: 0n as never,
    startLatenessMs: 2,
    skippedSteps: 0,
    framesMissed: 0,
    refusal: "noJointState",
  });
  return {
    cell: "lab",
    upS: 12,
    policy: {
      phase: "running",
      bundle: undefined,
      statistics: counters.summary(),
      framesWritten: 3,
      failure: undefined,
    },
    robots: {
      arm: {
        restarts: 1,
        realtimePriority: 80,
        nowMs: 5012,
        snapshot,
        statistics: {
          ...NO_STATISTICS,
          ticks: 6,
          missed: { lateWake: 2, driverSend: 1 },
          latenessSumUs: histogram.sumUs,
          bucketsUs: LATENESS_EDGES_US,
          counts: histogram.counts(),
          refusedCommands: { expired: 3 },
          triggers: { commandExpired: 2 },
          driver: { sent: 100, unanswered: 1 },
          reportToCommandUs: { count: 6, p50: 40, p99: 120, p999: 200, max: 300 },
          memory: { rssBytes: 80e6, heapUsedBytes: 1, collections: 7, collectionMs: 3.5 },
        },
      },
      gone: {
        restarts: 2,
        realtimePriority: 0,
        nowMs: 5012,
        snapshot: createSnapshot(7),
        statistics: undefined,
      },
    },
  };
}

const RECORDER: RecorderStatus = {
  state: "recording",
  task: "reach",
  episode: "episode-000007",
  folder: "",
  seconds: 12.5,
  bytes: 3e6,
  messages: 4000,
  dropped: 2,
  lostBefore: 1,
  topics: {
    "/camera/wrist/color/image_raw": {
      received: 102,
      written: 100,
      bytes: 1,
      lostBefore: 1,
      droppedQueue: 2,
      droppedEncode: 0,
      droppedDisk: 0,
    },
  },
  diskFreeBytes: 5e9,
  queueBytes: 1024,
  message: "",
  lastEnded: undefined,
  repairs: [],
  restarts: 1,
};

describe("metrics", () => {
  it("shows the recorder's newest episode, and each loss with its place; nothing in a cell without one", async () => {
    expect(await renderMetrics(figures())).not.toContain("cerebellum_recorder");
    const lines = (await renderMetrics({ ...figures(), recorder: RECORDER })).split("\n");
    for (const line of [
      'cerebellum_recorder_state{state="recording"} 1',
      'cerebellum_recorder_state{state="idle"} 0',
      "cerebellum_recorder_episode_seconds 12.5",
      "cerebellum_recorder_episode_bytes 3000000",
      'cerebellum_recorder_episode_lost_messages{topic="/camera/wrist/color/image_raw",place="before"} 1',
      'cerebellum_recorder_episode_lost_messages{topic="/camera/wrist/color/image_raw",place="queue"} 2',
      "cerebellum_recorder_queue_bytes 1024",
      "cerebellum_recorder_restarts_total 1",
    ])
      expect(lines).toContain(line);
  });

  it("names every figure with its unit and labels", async () => {
    const lines = (await renderMetrics(figures())).split("\n");
    for (const line of [
      'cerebellum_servo_up{robot="arm"} 1',
      'cerebellum_servo_up{robot="gone"} 0',
      'cerebellum_servo_restarts_total{robot="gone"} 2',
      'cerebellum_servo_ticks_total{robot="arm"} 6',
      'cerebellum_servo_missed_ticks_total{robot="arm",cause="lateWake"} 2',
      'cerebellum_servo_missed_ticks_total{robot="arm",cause="driverSend"} 1',
      'cerebellum_servo_refused_commands_total{robot="arm",reason="expired"} 3',
      'cerebellum_servo_triggers_total{robot="arm",trigger="commandExpired"} 2',
      'cerebellum_servo_driver_events_total{robot="arm",event="sent"} 100',
      'cerebellum_servo_report_to_command_seconds{robot="arm",quantile="0.99"} 0.00012',
      'cerebellum_servo_collection_seconds_total{robot="arm"} 0.0035',
      'cerebellum_servo_resident_memory_bytes{robot="arm"} 80000000',
      'cerebellum_servo_state{robot="arm",state="holding"} 1',
      'cerebellum_servo_state{robot="arm",state="following"} 0',
      'cerebellum_servo_epoch{robot="arm"} 4',
      'cerebellum_device_state_age_seconds{robot="arm"} 0.012',
      'cerebellum_policy_phase{phase="running"} 1',
      "cerebellum_policy_steps_total 1",
      'cerebellum_policy_refused_steps_total{reason="noJointState"} 1',
      'cerebellum_policy_start_lateness_seconds{quantile="1"} 0.002',
    ])
      expect(lines).toContain(line);
    // What is not known is not shown as a number.
    expect(lines.join("\n")).not.toMatch(/NaN|robot="gone",state|image_to_wire_seconds\{/);
  });

  it("gives the lateness histogram cumulative buckets that end with all ticks", async () => {
    const text = await renderMetrics(figures());
    expect(text).toContain("# TYPE cerebellum_servo_lateness_seconds histogram");
    const buckets = [
      ...text.matchAll(/lateness_seconds_bucket\{(?=[^}]*robot="arm")[^}]*le="([^"]+)"[^}]*\} (\S+)/g),
    ].map(([, edge, count]) => [edge, Number(count)]);
    expect(buckets).toContainEqual(["0.00001", 1]);
    expect(buckets).toContainEqual(["0.00005", 3]);
    expect(buckets).toContainEqual(["0.001", 4]);
    expect(buckets).toContainEqual(["0.005", 5]);
    expect(buckets.at(-1)).toEqual(["+Inf", 6]);
    expect(text).toMatch(/lateness_seconds_count\{robot="arm"\} 6/);
    const sum = Number(/lateness_seconds_sum\{robot="arm"\} (\S+)/.exec(text)?.[1]);
    expect(sum).toBeCloseTo(0.203985, 9);
    const counts = buckets.map(([, count]) => count as number);
    expect([...counts].sort((one, other) => one - other)).toEqual(counts);
  });

  it("has HELP and TYPE once for each name, and names that Prometheus takes", async () => {
    const lines = (await renderMetrics(figures())).split("\n");
    const typed = lines.filter((line) => line.startsWith("# TYPE ")).map((line) => line.split(" ")[2]!);
    expect(new Set(typed).size).toBe(typed.length);
    for (const name of typed) expect(name).toMatch(/^cerebellum_[a-z_]+$/);
    const sample = /^[a-z_]+(\{([a-z]+="[^"\\]*",?)+\})? (-?[\d.e+-]+|\+Inf)$/;
    for (const line of lines) if (line !== "" && !line.startsWith("#")) expect(line).toMatch(sample);
  });
});
