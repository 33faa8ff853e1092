/**
 * Telemetry for pages and programs: each client at its own rate, newest wins. What is due at one moment is made and
 * serialised once for everybody; while nobody wants any there is neither a connection to a servo nor a timer.
 */
import { type MonotonicNs, nsToMs, sleepMs } from "../../core/clock.js";
import type { ClientMessage } from "../../core/gateway/client.js";
import type { RobotTelemetry, Telemetry } from "../../core/gateway/server.js";
import { LatenessWindow } from "../servo/lateness.js";
import type { ToGateway } from "./messages.js";
import type { GatewayClient, GatewayPart, PartFactory, PartServices } from "./part.js";
import { nextOnGrid } from "./rateGrid.js";
import { RobotTelemetryMaker } from "./robotTelemetry.js";
import { ServoWatch } from "./servoWatch.js";

/** Snapshots a second that the servos send here: nobody gets more than 30. */
const SNAPSHOT_RATE_HZ = 50;
const STATISTICS_MS = 1000;
/** Lateness is that of the last so many seconds. */
const LATENESS_S = 10;
/** What the main thread says comes five times a second; older than this, nothing is known of the cameras. */
const STATE_MS_MAX = 1500;

type MainState = Extract<ToGateway, { kind: "state" }>;

interface Wanted {
  readonly rateHz: number;
  dueNs: MonotonicNs;
}

interface WatchedRobot {
  readonly robot: string;
  readonly watch: ServoWatch;
  readonly maker: RobotTelemetryMaker;
  lateness: RobotTelemetry["latenessUs"];
}

export const telemetryPart: PartFactory = (services) => new TelemetryPart(services);

class TelemetryPart implements GatewayPart {
  readonly #services: PartServices;
  readonly #robots: readonly WatchedRobot[];
  readonly #wanted = new Map<GatewayClient, Wanted>();
  readonly #ended = new AbortController();
  #watching: AbortController | undefined;
  /** Ends the present wait, when somebody is due earlier. */
  #woken = new AbortController();
  #state: MainState | undefined;
  #stateNs: MonotonicNs | undefined;

  constructor(services: PartServices) {
    this.#services = services;
    this.#robots = services.setup.robots.map(({ robot, rateHz }) => ({
      robot,
      maker: new RobotTelemetryMaker(robot, services.setup),
      lateness: null,
      watch: new ServoWatch({
        clock: services.clock,
        connect: () =>
          services.connectServo(
            robot,
            "observer",
            "console",
            Math.max(1, Math.round(rateHz / SNAPSHOT_RATE_HZ)),
          ),
      }),
    }));
    services.onMain((message) => {
      if (message.kind !== "state") return;
      this.#state = message;
      this.#stateNs = services.clock.nowNs();
    });
  }

  onSubscribe(client: GatewayClient, { telemetryHz }: Extract<ClientMessage, { kind: "subscribe" }>): void {
    if (telemetryHz === 0) this.#wanted.delete(client);
    else {
      const dueNs = nextOnGrid(this.#services.clock.nowNs(), telemetryHz);
      this.#wanted.set(client, { rateHz: telemetryHz, dueNs });
    }
    this.#changed();
  }

  onClosed(client: GatewayClient): void {
    if (this.#wanted.delete(client)) this.#changed();
  }

  async close(): Promise<void> {
    this.#wanted.clear();
    this.#ended.abort();
    this.#changed();
    await Promise.all(this.#robots.map(({ watch }) => watch.stop()));
  }

  #changed(): void {
    if (this.#wanted.size === 0) {
      this.#watching?.abort();
      this.#watching = undefined;
      for (const { watch } of this.#robots) void watch.stop();
    } else if (this.#watching === undefined) {
      this.#watching = new AbortController();
      for (const robot of this.#robots) {
        robot.watch.start();
        void this.#measureLateness(robot, this.#watching.signal);
      }
      void this.#tell(this.#watching.signal);
    }
    const woken = this.#woken;
    this.#woken = new AbortController();
    woken.abort();
  }

  async #tell(signal: AbortSignal): Promise<void> {
    const { clock } = this.#services;
    while (!signal.aborted) {
      const nextNs = [...this.#wanted.values()].reduce<MonotonicNs | undefined>(
        (first, { dueNs }) => (first === undefined || dueNs < first ? dueNs : first),
        undefined,
      );
      if (nextNs === undefined) return;
      await clock.sleepUntil(nextNs, this.#woken.signal);
      if (signal.aborted) return;
      const nowNs = clock.nowNs();
      const due = [...this.#wanted].filter(([, { dueNs }]) => dueNs <= nowNs);
      if (due.length === 0) continue;
      const message = this.#make(nowNs);
      for (const [client, wanted] of due) {
        client.offer(message);
        wanted.dueNs = nextOnGrid(nowNs, wanted.rateHz);
      }
    }
  }

  #make(nowNs: MonotonicNs): Telemetry {
    const services = this.#services;
    const isFresh = this.#stateNs !== undefined && nsToMs(nowNs - this.#stateNs) <= STATE_MS_MAX;
    return {
      kind: "telemetry",
      epochMs: nsToMs(services.clock.epochNs()),
      robots: Object.fromEntries(this.#robots.flatMap((robot) => robotEntry(robot, nowNs))),
      policy: this.#state?.policy ?? null,
      recorder: this.#state?.recorder ?? null,
      cameras: Object.fromEntries(
        services.setup.cameras.map(({ camera }) => {
          const { ageMs = null, rateHz = null } = (isFresh ? this.#state?.cameras[camera] : undefined) ?? {};
          return [camera, { ageMs, rateHz, skipped: services.skippedPictures.get(camera) ?? 0 }];
        }),
      ),
      activity: this.#state?.activity ?? "",
    };
  }

  async #measureLateness(robot: WatchedRobot, signal: AbortSignal): Promise<void> {
    const { clock } = this.#services;
    const window = new LatenessWindow(LATENESS_S);
    robot.lateness = null;
    while (!signal.aborted) {
      const statistics = await robot.watch.client?.statistics().catch(() => undefined);
      if (signal.aborted) return;
      robot.lateness = statistics === undefined ? null : window.add(statistics);
      await sleepMs(clock, STATISTICS_MS, signal);
    }
  }
}

/** Nothing while the servo is not connected: a robot that is not known must not look as if it stood still. */
function robotEntry(
  { robot, watch, maker, lateness }: WatchedRobot,
  nowNs: MonotonicNs,
): [string, RobotTelemetry][] {
  const snapshot = watch.client?.latest();
  return snapshot === undefined ? [] : [[robot, maker.make(snapshot, nowNs, lateness)]];
}
