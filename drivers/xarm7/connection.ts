/**
 * Everything between the driver and its sockets: the command link with the introduction that follows every connection,
 * the choice of report streams, and the restoring of a lost link in the background. It enables nothing.
 */
import type { ArmLimits, DeviceIdentity } from "../../core/arm.js";
import { type Clock, sleepMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import type { ArmDriverCounters } from "../contract.js";
import { ArmReports, type FastKind } from "./armReports.js";
import { type Bench, introduce, throwIfAborted } from "./bringUp.js";
import type { XArm7Config } from "./config.js";
import { limitsOfGeneration } from "./limits.js";
import { CommandLink, pollUntil } from "./link.js";
import {
  FIRMWARE_HIGH_RATE_REPORT,
  firmwareAtLeast,
  generationOf,
  type OnFrame,
  type ReportKind,
  type Version,
} from "./protocol/index.js";
import { ReportLink } from "./reportLink.js";

const RECONNECT_MS_MIN = 200;
const RECONNECT_MS_MAX = 3000;
/** Longer than the longest pause of a report link that is being restored. */
const FLOW_MS_MAX = 2500;

export interface ConnectionEvents {
  onServoReply(stateByte: number): void;
  /** The command link ended by itself; it will be restored in the background. */
  onLost(reason: string): void;
  onRestored(): void;
  /** A report was taken into `reports`. */
  onFast(): void;
  onNormal(): void;
}

export class ArmConnection {
  readonly reports: ArmReports;
  readonly link: CommandLink;
  readonly bench: Bench;
  limits: ArmLimits = limitsOfGeneration(0);
  identity: DeviceIdentity | undefined;
  version: Version | undefined;
  readonly #config: XArm7Config;
  readonly #clock: Clock;
  readonly #events: ConnectionEvents;
  #normalLink: ReportLink | undefined;
  #fastLink: ReportLink | undefined;
  #introduction: Promise<void> | undefined;
  #end = new AbortController();
  #restored = 0;
  /** Counts of links that were closed. */
  readonly #past = { reports: 0, corrupt: 0, reconnects: 0 };

  constructor(config: XArm7Config, clock: Clock, events: ConnectionEvents) {
    this.#config = config;
    this.#clock = clock;
    this.#events = events;
    this.reports = new ArmReports(clock);
    this.link = new CommandLink(clock, {
      onServoReply: (stateByte) => events.onServoReply(stateByte),
      onClosed: (reason) => {
        events.onLost(reason);
        void this.#restore(this.#end.signal);
      },
    });
    this.bench = { config, clock, link: this.link, reports: this.reports };
  }

  get firmware(): readonly [number, number, number] {
    return this.version?.firmware ?? [0, 0, 0];
  }

  /** Connects if need be and reads who answers. On failure there is no connection. Concurrent calls share one try. */
  connect(signal: AbortSignal): Promise<void> {
    this.#introduction ??= this.#introduce(signal).finally(() => {
      this.#introduction = undefined;
    });
    return this.#introduction;
  }

  /** The 250 Hz stream where firmware has it and it answers, else the 100 Hz one; and the normal one for errors. */
  async openReports(signal: AbortSignal): Promise<void> {
    const { host, reportPorts, connectTimeoutMs } = this.#config;
    this.#normalLink ??= this.#openReport("normal", (view, offset, frameBytes) => {
      if (this.reports.takeNormal(view, offset, frameBytes)) this.#events.onNormal();
    });
    const kinds: FastKind[] = firmwareAtLeast(this.firmware, ...FIRMWARE_HIGH_RATE_REPORT)
      ? ["highRate", "realTime"]
      : ["realTime"];
    for (const kind of this.#fastLink === undefined ? kinds : [])
      if (await this.#tryFast(kind, signal)) break;
    throwIfAborted(signal);
    const fastBefore = this.reports.state.sequence;
    const normalBefore = this.reports.normalSequence;
    const isFlowing = () =>
      this.reports.state.sequence > fastBefore && this.reports.normalSequence > normalBefore
        ? true
        : undefined;
    const flows =
      this.#fastLink && (await pollUntil(this.#clock, isFlowing, 10, connectTimeoutMs + FLOW_MS_MAX, signal));
    if (flows !== undefined) return;
    throwIfAborted(signal);
    const fastPorts = kinds.map((kind) => reportPorts[kind]).join(" or ");
    throw new CerebellumError(
      "LINK_SILENT",
      `the controller at ${host} sends no reports on ports ${fastPorts} and ${reportPorts.normal}`,
      "Check `reportPorts` in the cell file and the firewall between",
    );
  }

  /** One frame of a stream that is not read otherwise, best effort: closes after the first frame or `timeoutMs`. */
  readOnce(kind: ReportKind, timeoutMs: number, onFrame: OnFrame): void {
    const link = this.#openReport(kind, (view, offset, frameBytes) => {
      link.close();
      onFrame(view, offset, frameBytes);
    });
    void sleepMs(this.#clock, timeoutMs, this.#end.signal).then(() => link.close());
  }

  counters(): ArmDriverCounters {
    const links = [this.#normalLink, this.#fastLink].filter((link) => link !== undefined);
    const sum = (name: "reports" | "corrupt" | "reconnects") =>
      links.reduce((total, link) => total + link[name], this.#past[name]);
    return {
      sent: this.link.sent,
      replied: this.link.replied,
      unanswered: this.link.unanswered,
      reports: sum("reports"),
      corrupt: this.link.corrupt + this.reports.refused + sum("corrupt"),
      reconnects: this.#restored + sum("reconnects"),
    };
  }

  /** Ends all connections and tries; `connect` may be called again. */
  close(): void {
    this.#end.abort();
    this.#end = new AbortController();
    for (const link of [this.#normalLink, this.#fastLink]) {
      if (link === undefined) continue;
      link.close();
      this.#past.reports += link.reports;
      this.#past.corrupt += link.corrupt;
      this.#past.reconnects += link.reconnects;
    }
    this.#normalLink = undefined;
    this.#fastLink = undefined;
    this.link.close();
  }

  async #introduce(signal: AbortSignal): Promise<void> {
    const { host, commandPort, connectTimeoutMs } = this.#config;
    try {
      if (!this.link.isOpen) await this.link.connect(host, commandPort, connectTimeoutMs, signal);
      const { identity, version } = await introduce(this.bench, signal);
      const known = this.identity?.serial;
      if (known !== undefined && identity.serial !== known)
        throw new CerebellumError(
          "DEVICE_MISMATCH",
          `arm ${identity.serial} answers where arm ${known} was`,
          "Connect the same arm again, or restart the cell for this one: calibration and limits are an arm's own",
        );
      this.identity = identity;
      this.version = version;
      this.limits = limitsOfGeneration(generationOf(identity.serial) || generationOf(version.armModel));
    } catch (thrown) {
      this.link.close();
      throw thrown;
    }
  }

  #openReport(kind: ReportKind, onFrame: OnFrame): ReportLink {
    const { host, reportPorts, connectTimeoutMs } = this.#config;
    const link = new ReportLink(this.#clock, kind, onFrame);
    link.open(host, reportPorts[kind], connectTimeoutMs);
    return link;
  }

  async #tryFast(kind: FastKind, signal: AbortSignal): Promise<boolean> {
    const link = this.#openReport(kind, (view, offset, frameBytes) => {
      if (this.reports.takeFast(kind, view, offset, frameBytes)) this.#events.onFast();
    });
    const hasReport = () => (link.reports > 0 ? true : undefined);
    const answered = await pollUntil(this.#clock, hasReport, 5, this.#config.connectTimeoutMs, signal);
    if (answered === undefined) link.close();
    else this.#fastLink = link;
    return answered !== undefined;
  }

  async #restore(signal: AbortSignal): Promise<void> {
    let pauseMs = RECONNECT_MS_MIN;
    while (!signal.aborted && !this.link.isOpen) {
      await sleepMs(this.#clock, pauseMs, signal);
      pauseMs = Math.min(2 * pauseMs, RECONNECT_MS_MAX);
      if (signal.aborted || this.link.isOpen) return;
      try {
        await this.connect(signal);
      } catch {
        continue;
      }
      this.#restored++;
      this.#events.onRestored();
    }
  }
}
