/**
 * The cell's figures in Prometheus' text format: counters since the start of the process they come from, times in
 * seconds. The servo process counts; here its counts are only given names. Each scrape starts from nothing, so what is
 * gone is not shown any more.
 */
import { Counter, Gauge, type Metric, Registry } from "prom-client";
import { countBelow } from "../../core/histogram.js";
import type { PolicyStatus } from "../../runtime/policy/host.js";
import type { RecorderStatus } from "../../runtime/recorder/host.js";
import { LIFE_STATES } from "../../runtime/recorder/life.js";
import { SERVO_STATES, type ServoSnapshot, type ServoStatistics } from "../../runtime/servo/api.js";

export interface RobotFigures {
  readonly restarts: number;
  readonly realtimePriority: number;
  readonly nowMs: number;
  /** Both absent while its servo process does not answer. */
  readonly snapshot: ServoSnapshot | undefined;
  readonly statistics: ServoStatistics | undefined;
}

export interface CellFigures {
  readonly cell: string;
  readonly upS: number;
  readonly robots: Readonly<Record<string, RobotFigures>>;
  readonly policy: PolicyStatus | undefined;
  /** Absent in a cell that never records. */
  readonly recorder?: RecorderStatus | undefined;
}

/** Upper edges of the lateness histogram [us]: 1, 2.5 and 5 of each decade are edges of the servo's own buckets. */
const EDGES_US = [10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000];

type RobotStatistics = readonly (readonly [robot: string, statistics: ServoStatistics])[];
type Labels = Readonly<Record<string, string>>;
type Value = readonly [value: number, labels?: Labels];

/** Family of one name; without values it is left out. */
interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge";
  readonly labels: readonly string[];
  readonly values: readonly Value[];
}

/**
 * A histogram whose counts come from elsewhere: the library's own can only be observed into, one value at a time. A
 * registry asks a metric for nothing but its name and what `get` answers.
 */
function countedHistogram(name: string, help: string, robots: RobotStatistics): Metric {
  const values = robots.flatMap(([robot, { bucketsUs, counts, latenessSumUs }]) => {
    const count = counts.reduce((sum, one) => sum + one, 0);
    const bucket = (le: string, value: number) => ({
      metricName: `${name}_bucket`,
      labels: { robot, le },
      value,
    });
    return [
      ...EDGES_US.map((edgeUs) => bucket(String(edgeUs / 1e6), countBelow(bucketsUs, counts, edgeUs))),
      bucket("+Inf", count),
      { metricName: `${name}_sum`, labels: { robot }, value: latenessSumUs / 1e6 },
      { metricName: `${name}_count`, labels: { robot }, value: count },
    ];
  });
  const metric = { name, get: async () => ({ name, help, type: "histogram", values }) };
  return metric as unknown as Metric;
}

export async function renderMetrics(figures: CellFigures): Promise<string> {
  const registry = new Registry();
  for (const { name, help, type, labels, values } of familiesOf(figures)) {
    if (values.length === 0) continue;
    const options = { name, help, labelNames: [...labels], registers: [registry] };
    if (type === "counter") {
      const counter = new Counter(options);
      for (const [value, of = {}] of values) counter.inc({ ...of }, value);
    } else {
      const gauge = new Gauge(options);
      for (const [value, of = {}] of values) gauge.set({ ...of }, value);
    }
  }
  registry.registerMetric(
    countedHistogram(
      "cerebellum_servo_lateness_seconds",
      "How late each servo tick began after its deadline",
      robotsWith(figures, ({ statistics }) => statistics),
    ),
  );
  return registry.metrics();
}

export const METRICS_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

function robotsWith<T>(
  { robots }: CellFigures,
  pick: (robot: RobotFigures) => T | undefined,
): (readonly [robot: string, found: T])[] {
  return Object.entries(robots).flatMap(([robot, figures]) => {
    const found = pick(figures);
    return found === undefined ? [] : [[robot, found] as const];
  });
}

function familiesOf(figures: CellFigures): Family[] {
  return [
    gauge("cerebellum_up_seconds", "Since the daemon started", [], [[figures.upS, {}]]),
    ...robotFamilies(figures),
    ...servoFamilies(robotsWith(figures, ({ statistics }) => statistics)),
    ...snapshotFamilies(figures),
    ...policyFamilies(figures.policy),
    ...recorderFamilies(figures.recorder),
  ];
}

const gauge = (name: string, help: string, labels: readonly string[], values: readonly Value[]): Family => ({
  name,
  help,
  type: "gauge",
  labels,
  values,
});
const counter = (
  name: string,
  help: string,
  labels: readonly string[],
  values: readonly Value[],
): Family => ({
  name,
  help,
  type: "counter",
  labels,
  values,
});

function robotFamilies({ robots }: CellFigures): Family[] {
  const each = (value: (robot: RobotFigures) => number): Value[] =>
    Object.entries(robots).map(([robot, figures]) => [value(figures), { robot }]);
  return [
    gauge(
      "cerebellum_servo_up",
      "1 while the servo process answers",
      ["robot"],
      each(({ statistics }) => (statistics === undefined ? 0 : 1)),
    ),
    counter(
      "cerebellum_servo_restarts_total",
      "Servo processes started in place of one that ended",
      ["robot"],
      each(({ restarts }) => restarts),
    ),
    gauge(
      "cerebellum_servo_realtime_priority",
      "SCHED_FIFO priority in force, 0 without",
      ["robot"],
      each(({ realtimePriority }) => realtimePriority),
    ),
  ];
}

const QUANTILES = { "0.5": "p50", "0.99": "p99", "0.999": "p999", "1": "max" } as const;

function servoFamilies(robots: RobotStatistics): Family[] {
  const each = (value: (of: ServoStatistics) => number): Value[] =>
    robots.map(([robot, statistics]) => [value(statistics), { robot }]);
  const eachOf = (
    label: string,
    counts: (of: ServoStatistics) => Readonly<Record<string, number>>,
  ): Value[] =>
    robots.flatMap(([robot, statistics]) =>
      Object.entries(counts(statistics)).map(([name, count]): Value => [count, { robot, [label]: name }]),
    );
  return [
    counter(
      "cerebellum_servo_ticks_total",
      "Servo ticks that ran",
      ["robot"],
      each(({ ticks }) => ticks),
    ),
    counter(
      "cerebellum_servo_missed_ticks_total",
      "Deadlines that were skipped because the loop was late by a period or more",
      ["robot", "cause"],
      eachOf("cause", ({ missed }) => missed),
    ),
    gauge(
      "cerebellum_servo_report_to_command_seconds",
      "Of a driver that answers the device's reports itself: from bytes read to the answer written, since the start",
      ["robot", "quantile"],
      robots
        .flatMap(([robot, { reportToCommandUs }]) =>
          Object.entries(QUANTILES).map(
            ([quantile, pick]): Value => [
              (reportToCommandUs?.[pick] ?? Number.NaN) / 1e6,
              { robot, quantile },
            ],
          ),
        )
        .filter(([seconds]) => !Number.isNaN(seconds)),
    ),
    counter(
      "cerebellum_servo_refused_commands_total",
      "Commands that were not followed",
      ["robot", "reason"],
      eachOf("reason", ({ refusedCommands }) => refusedCommands),
    ),
    counter(
      "cerebellum_servo_triggers_total",
      "What ended or refused motion",
      ["robot", "trigger"],
      eachOf("trigger", ({ triggers }) => triggers),
    ),
    counter(
      "cerebellum_servo_driver_events_total",
      "Counters of the device's driver",
      ["robot", "event"],
      eachOf("event", ({ driver }) => driver),
    ),
    counter(
      "cerebellum_servo_collections_total",
      "Garbage collections of the loop's thread",
      ["robot"],
      each(({ memory }) => memory.collections),
    ),
    counter(
      "cerebellum_servo_collection_seconds_total",
      "Time that they took",
      ["robot"],
      each(({ memory }) => memory.collectionMs / 1000),
    ),
    gauge(
      "cerebellum_servo_resident_memory_bytes",
      "Resident memory of the servo process",
      ["robot"],
      each(({ memory }) => memory.rssBytes),
    ),
  ];
}

function snapshotFamilies(figures: CellFigures): Family[] {
  const robots = robotsWith(figures, ({ statistics, snapshot, nowMs }) =>
    statistics === undefined || snapshot === undefined ? undefined : { snapshot, nowMs },
  );
  return [
    gauge(
      "cerebellum_servo_state",
      "1 for the state that the servo is in",
      ["robot", "state"],
      robots.flatMap(([robot, { snapshot }]) =>
        SERVO_STATES.map((state): Value => [snapshot.state === state ? 1 : 0, { robot, state }]),
      ),
    ),
    gauge(
      "cerebellum_servo_epoch",
      "Rises with each stop and lease",
      ["robot"],
      robots.map(([robot, { snapshot }]) => [snapshot.epoch, { robot }]),
    ),
    gauge(
      "cerebellum_device_state_age_seconds",
      "Age of the device's newest joint state",
      ["robot"],
      robots.map(([robot, { snapshot, nowMs }]) => [
        (nowMs - Number(snapshot.stateNs) / 1e6) / 1000,
        { robot },
      ]),
    ),
    gauge(
      "cerebellum_device_error_code",
      "The device's own error code, 0 when none",
      ["robot"],
      robots.map(([robot, { snapshot }]) => [snapshot.deviceErrorCode, { robot }]),
    ),
  ];
}

/** Of the current or newest run. */
function policyFamilies(policy: PolicyStatus | undefined): Family[] {
  const statistics = policy?.statistics;
  if (policy === undefined) return [];
  const quantiles = (part: "startLateness" | "imageToWire"): Value[] => {
    if (statistics === undefined || statistics.parts[part].count === 0) return [];
    const { p50Ms, p99Ms, maxMs } = statistics.parts[part];
    return [
      [p50Ms / 1000, { quantile: "0.5" }],
      [p99Ms / 1000, { quantile: "0.99" }],
      [maxMs / 1000, { quantile: "1" }],
    ];
  };
  return [
    gauge(
      "cerebellum_policy_phase",
      "1 for the phase that the policy is in",
      ["phase"],
      [[1, { phase: policy.phase }]],
    ),
    counter(
      "cerebellum_policy_steps_total",
      "Policy steps",
      [],
      statistics === undefined ? [] : [[statistics.steps]],
    ),
    counter(
      "cerebellum_policy_commands_total",
      "Policy steps that gave a command",
      [],
      statistics === undefined ? [] : [[statistics.commands]],
    ),
    counter(
      "cerebellum_policy_refused_steps_total",
      "Policy steps that gave none",
      ["reason"],
      Object.entries(statistics?.refusals ?? {}).map(([reason, count]) => [count, { reason }]),
    ),
    gauge(
      "cerebellum_policy_start_lateness_seconds",
      "How late steps began, over the run",
      ["quantile"],
      quantiles("startLateness"),
    ),
    gauge(
      "cerebellum_policy_image_to_wire_seconds",
      "From an image to the first frame of its command for the device, over the run",
      ["quantile"],
      quantiles("imageToWire"),
    ),
  ];
}

/** Of the running episode, or of the newest that ended. */
function recorderFamilies(recorder: RecorderStatus | undefined): Family[] {
  if (recorder === undefined) return [];
  const lost = Object.entries(recorder.topics).flatMap(([topic, counters]) =>
    LOSS_PLACES.map(({ field, place }): Value => [counters[field], { topic, place }]),
  );
  return [
    gauge(
      "cerebellum_recorder_state",
      "1 for the state that the recorder is in",
      ["state"],
      LIFE_STATES.map((state) => [recorder.state === state ? 1 : 0, { state }]),
    ),
    gauge("cerebellum_recorder_episode_seconds", "Length of the newest episode", [], [[recorder.seconds]]),
    gauge("cerebellum_recorder_episode_bytes", "Its size on the disk", [], [[recorder.bytes]]),
    gauge("cerebellum_recorder_episode_messages", "Messages in it", [], [[recorder.messages]]),
    gauge(
      "cerebellum_recorder_episode_lost_messages",
      "Messages that are not in it, by the place where they were lost",
      ["topic", "place"],
      lost,
    ),
    gauge(
      "cerebellum_recorder_queue_bytes",
      "Waiting between subscriptions and recorder",
      [],
      [[recorder.queueBytes]],
    ),
    gauge("cerebellum_recorder_disk_free_bytes", "For recordings", [], [[recorder.diskFreeBytes]]),
    counter(
      "cerebellum_recorder_restarts_total",
      "Recorder threads started again",
      [],
      [[recorder.restarts]],
    ),
  ];
}

const LOSS_PLACES = [
  { field: "lostBefore", place: "before" },
  { field: "droppedQueue", place: "queue" },
  { field: "droppedEncode", place: "compression" },
  { field: "droppedDisk", place: "disk" },
] as const;
