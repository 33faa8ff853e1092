/**
 * What only the main thread knows, for the gateway's clients: policy, recorder, cameras and what the daemon does by
 * itself, five times a second while somebody hears of it; diagnostics as they are made; and what has changed, as events.
 */
import { type Clock, nsToMs, sleepMs } from "../../core/clock.js";
import type { Diagnostics, PolicyTelemetry, RecorderTelemetry } from "../../core/gateway/server.js";
import type { SteeringStatus } from "../../core/gateway/steering.js";
import type { GatewayHost, GatewayState } from "../../runtime/gateway/host.js";
import type { PolicyStatus } from "../../runtime/policy/host.js";
import type { RecorderStatus } from "../../runtime/recorder/host.js";
import type { CameraStream } from "../../runtime/ros/cameraStream.js";
import type { DiagnosticItem } from "../../runtime/supervisor.js";

const PERIOD_MS = 200;

export interface GatewayStateOptions {
  readonly clock: Clock;
  readonly host: Pick<GatewayHost, "state" | "event" | "status">;
  /** Also while nobody is connected: MQTT tells others of it, who are no clients. */
  readonly isAlwaysTold: boolean;
  readonly policy: () => PolicyStatus | undefined;
  /** How fast a walking policy is asked to go, and by whom. */
  readonly steering: () => SteeringStatus | undefined;
  readonly recorder: () => RecorderStatus | undefined;
  /** What moves the robot besides a policy or a person: a task that the daemon runs. */
  readonly activity: () => string;
  readonly cameras: () => ReadonlyMap<string, Pick<CameraStream, "newestAgeMs" | "rateHz">>;
}

export class GatewayStateFeed {
  readonly #options: GatewayStateOptions;
  readonly #ended = new AbortController();
  #diagnostics: Diagnostics["items"] | undefined;
  /** As last told, for what has changed since. */
  #phase: string | undefined;
  #episode: string | undefined;
  readonly #levels = new Map<string, DiagnosticItem["level"]>();

  constructor(options: GatewayStateOptions) {
    this.#options = options;
  }

  /** Tells until `close`. */
  async run(): Promise<void> {
    const { clock } = this.#options;
    while (!this.#ended.signal.aborted) {
      this.tell();
      await sleepMs(clock, PERIOD_MS, this.#ended.signal);
    }
  }

  close(): void {
    this.#ended.abort();
  }

  /** The operator's picture, as just made for ROS. */
  takeDiagnostics(items: readonly DiagnosticItem[]): void {
    this.#diagnostics = items.map(({ name, level, message, values }) => ({
      name,
      level,
      message,
      values: Object.fromEntries(
        Object.entries(values).map(([key, value]) => [
          key,
          typeof value === "number" && !Number.isFinite(value) ? null : value,
        ]),
      ),
    }));
    for (const item of items) this.#compare(item);
  }

  tell(): void {
    const { host, isAlwaysTold, policy, steering, recorder, activity, cameras } = this.#options;
    const policyStatus = policy();
    const recorderStatus = recorder();
    if (policyStatus !== undefined) this.#comparePolicy(policyStatus);
    if (recorderStatus !== undefined) this.#compareRecorder(recorderStatus);
    if (!isAlwaysTold && host.status().clients.length === 0) return;
    const state: GatewayState = {
      policy: policyStatus === undefined ? null : policyTelemetry(policyStatus, steering()),
      recorder: recorderStatus === undefined ? null : recorderTelemetry(recorderStatus),
      activity: activity(),
      cameras: Object.fromEntries(
        [...cameras()].map(([camera, stream]) => [
          camera,
          { ageMs: rounded(stream.newestAgeMs()), rateHz: rounded(stream.rateHz()) ?? 0 },
        ]),
      ),
    };
    host.state(this.#diagnostics === undefined ? state : { ...state, diagnostics: this.#diagnostics });
    this.#diagnostics = undefined;
  }

  #say(level: "info" | "warn" | "error", source: string, text: string, remedy = ""): void {
    const { host, clock } = this.#options;
    host.event({ epochMs: nsToMs(clock.epochNs()), level, source, text, remedy });
  }

  #comparePolicy({ phase, bundle, failure }: PolicyStatus): void {
    const name = bundle?.policy ?? "";
    const phaseNow = `${phase} ${name}`;
    if (phaseNow === this.#phase) return;
    this.#phase = phaseNow;
    if (failure !== undefined) this.#say("error", "policy", failure.happened, failure.remedy);
    else this.#say("info", "policy", `${name === "" ? "policy" : name} is ${phase}`);
  }

  #compareRecorder({ state, task, episode, lastEnded }: RecorderStatus): void {
    const episodeNow = `${state} ${task}/${episode}`;
    if (episodeNow === this.#episode) return;
    const isFirst = this.#episode === undefined;
    this.#episode = episodeNow;
    if (state === "recording") this.#say("info", "recorder", `recording ${task}/${episode}`);
    else if (state === "idle" && !isFirst && lastEnded !== undefined) {
      const { because, detail, outcome, seconds, discarded, failure } = lastEnded;
      const what = `${lastEnded.task}/${lastEnded.episode}`;
      if (failure !== undefined) this.#say("error", "recorder", failure.happened, failure.remedy);
      else if (discarded) this.#say("info", "recorder", `${what} is discarded`);
      else if (because === "stopped")
        this.#say("info", "recorder", `${what}: ${seconds.toFixed(1)} s, ${outcome}`);
      else this.#say("warn", "recorder", `${what} has ended by itself (${because}) ${detail}`.trimEnd());
    }
  }

  /** Robots and policy tell their own news; of the rest, that it has become worse or well again. */
  #compare({ name, level, message }: DiagnosticItem): void {
    const before = this.#levels.get(name) ?? "ok";
    this.#levels.set(name, level);
    if (level === before || name.startsWith("servo:") || name.startsWith("policy")) return;
    this.#say(level === "ok" ? "info" : level === "warn" ? "warn" : "error", name, message);
  }
}

export function policyTelemetry(
  { phase, bundle, statistics, failure }: PolicyStatus,
  steering: SteeringStatus | undefined,
): PolicyTelemetry {
  return {
    phase,
    policy: bundle?.policy ?? "",
    task: bundle?.task ?? "",
    failure: failure === undefined ? null : { ...failure },
    commands: statistics?.commands ?? 0,
    refusals: { ...statistics?.refusals },
    partsMs: Object.fromEntries(
      Object.entries(statistics?.parts ?? {}).map(([part, { p50Ms, p99Ms }]) => [
        part,
        { p50: rounded(p50Ms), p99: rounded(p99Ms) },
      ]),
    ),
    steering: steering ?? null,
  };
}

export function recorderTelemetry(status: RecorderStatus): RecorderTelemetry {
  const { state, task, episode, seconds, bytes, dropped, lostBefore, diskFreeBytes, message, lastEnded } =
    status;
  return {
    state,
    task,
    episode,
    seconds: Math.round(10 * seconds) / 10,
    bytes,
    dropped,
    lostBefore,
    diskFreeBytes,
    message,
    lastOutcome: lastEnded === undefined || lastEnded.discarded ? "" : lastEnded.outcome,
    lastFlags: [...new Set(lastEnded?.flags.map(({ code }) => code) ?? [])],
  };
}

const rounded = (value: number | undefined): number | null =>
  value === undefined || !Number.isFinite(value) ? null : Math.round(100 * value) / 100;
