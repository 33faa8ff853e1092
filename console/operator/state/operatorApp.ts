/** Everything that the pages share: the connection, what the daemon last said, what was asked of it, and the stop. */

import type { GatewayRequest } from "../../../core/gateway/requests.js";
import type {
  Diagnostics,
  EventLine,
  Refusal,
  ServerMessage,
  Telemetry,
  TeleopStatus,
} from "../../../core/gateway/server.js";
import { type GatewayLink, type LinkState, RequestRefused, type Welcome } from "../../link/gatewayLink.js";
import type { PageClock } from "../../link/pageClock.js";
import { DriveControl } from "./driveControl.js";
import { History } from "./history.js";
import { StopButton } from "./stopButton.js";
import { Wants } from "./subscription.js";
import { Value } from "./value.js";

export interface Toast {
  readonly id: number;
  readonly level: "done" | "warn" | "error";
  readonly text: string;
  readonly remedy: string;
}

/** Numbers that change faster cannot be read. */
const TEXT_MS_MIN = 180;
const EVENTS_KEPT = 300;
const TOAST_MS = { done: 4000, warn: 8000, error: 12_000 } as const;
const TOASTS_MAX = 4;
/** Without telemetry for longer, what is shown is old and says so. */
export const TELEMETRY_OLD_MS = 1500;

export class OperatorApp {
  readonly link: GatewayLink;
  readonly clock: PageClock;
  readonly linkState = new Value<LinkState>("connecting");
  /** Of the newest connection; stays while it is lost. */
  readonly welcome = new Value<Welcome | undefined>(undefined);
  readonly refusal = new Value<Refusal | undefined>(undefined);
  /** The daemon has said something that this page does not understand: it is of another version. */
  readonly isMisfit = new Value(false);
  /** A few times a second; `newest` is newer. */
  readonly telemetry = new Value<Telemetry | undefined>(undefined);
  readonly isTelemetryOld = new Value(false);
  /** Which of several robots the pages are about; empty: the first. */
  readonly robot = new Value("");
  readonly teleop = new Value<TeleopStatus | undefined>(undefined);
  readonly diagnostics = new Value<Diagnostics["items"]>([]);
  /** Newest first. */
  readonly events = new Value<readonly EventLine[]>([]);
  readonly toasts = new Value<readonly Toast[]>([]);
  readonly isVisible = new Value(true);
  readonly history = new History();
  readonly wants: Wants;
  readonly stop: StopButton;
  readonly drive: DriveControl;
  /** For pictures that are asked for over HTTP. */
  token = "";
  newest: Telemetry | undefined;
  /** Page's clock [ms] when `newest` came. */
  newestMs = Number.NEGATIVE_INFINITY;
  readonly #telemetryListeners = new Set<() => void>();
  #shownMs = Number.NEGATIVE_INFINITY;
  /** Since when telemetry is waited for: the welcome, or the page being seen again. */
  #waitingMs = Number.NEGATIVE_INFINITY;
  #toastId = 0;

  constructor(link: GatewayLink, clock: PageClock, newSession: () => string) {
    this.link = link;
    this.clock = clock;
    this.wants = new Wants((subscription) => link.subscribe(subscription));
    this.drive = new DriveControl(this, newSession);
    this.stop = new StopButton(
      clock,
      (reason) => link.stop(reason),
      () => this.drive.release("stopped"),
    );
    link.onState((state) => this.#onLinkState(state));
    link.onMessage((message) => this.#take(message));
    clock.every(500, () => this.#checkAge());
    // Also a page that asks for nothing more wants states and events.
    this.wants.add({});
  }

  /** The daemon's time of day, as far as it is known here [epoch ms]. */
  get epochMs(): number | undefined {
    return this.newest === undefined ? undefined : this.newest.epochMs + this.clock.nowMs() - this.newestMs;
  }

  get isOperator(): boolean {
    return this.welcome.current?.role === "operator";
  }

  /** Calls at every telemetry message, also those too many to read; returns its undo. */
  onTelemetry(listener: () => void): () => void {
    this.#telemetryListeners.add(listener);
    return () => this.#telemetryListeners.delete(listener);
  }

  /** Asks, and shows a refusal with its remedy. Undefined when it was refused. */
  async ask(request: GatewayRequest): Promise<{ message: string; data?: unknown } | undefined> {
    try {
      return await this.link.request(request);
    } catch (thrown) {
      if (!(thrown instanceof RequestRefused)) throw thrown;
      const { happened, remedy } = thrown.refusal;
      this.toast("error", happened, remedy);
      return undefined;
    }
  }

  /** Asks, and shows what became of it in any case. */
  async do(request: GatewayRequest): Promise<boolean> {
    const answer = await this.ask(request);
    if (answer !== undefined && answer.message !== "") this.toast("done", answer.message);
    return answer !== undefined;
  }

  toast(level: Toast["level"], text: string, remedy = ""): void {
    const toast = { id: ++this.#toastId, level, text, remedy };
    this.toasts.set([...this.toasts.current.slice(1 - TOASTS_MAX), toast]);
    this.clock.after(TOAST_MS[level], () => this.dismiss(toast.id));
  }

  dismiss(id: number): void {
    this.toasts.set(this.toasts.current.filter((toast) => toast.id !== id));
  }

  setVisible(isVisible: boolean): void {
    this.isVisible.set(isVisible);
    this.#waitingMs = this.clock.nowMs();
    this.wants.setVisible(isVisible);
    if (!isVisible) this.drive.release("the page was hidden");
  }

  #onLinkState(state: LinkState): void {
    this.linkState.set(state);
    if (state === "refused") this.refusal.set(this.link.refusal);
    if (state !== "open") this.drive.end("the connection was lost");
  }

  #take(message: ServerMessage): void {
    if (message.kind === "telemetry") this.#takeTelemetry(message);
    else if (message.kind === "teleop") {
      this.teleop.set(message.status);
      this.drive.follow(message.status);
    } else if (message.kind === "welcome") {
      this.#waitingMs = this.clock.nowMs();
      this.welcome.set(message);
    } else if (message.kind === "diagnostics") this.diagnostics.set(message.items);
    else if (message.kind === "event") this.#takeEvent(message);
  }

  #takeTelemetry(telemetry: Telemetry): void {
    const nowMs = this.clock.nowMs();
    this.newest = telemetry;
    this.newestMs = nowMs;
    this.history.add(nowMs / 1000, telemetry);
    this.stop.take(telemetry, this.welcome.current?.robots.map(({ robot }) => robot) ?? []);
    this.isTelemetryOld.set(false);
    for (const listener of this.#telemetryListeners) listener();
    if (nowMs - this.#shownMs < TEXT_MS_MIN) return;
    this.#shownMs = nowMs;
    this.telemetry.set(telemetry);
  }

  /** After a reconnection the newest hundred come again. */
  #takeEvent(event: EventLine): void {
    const known = this.events.current;
    if (known.some(({ id, epochMs }) => id === event.id && epochMs === event.epochMs)) return;
    const at = known.findIndex(({ epochMs }) => epochMs <= event.epochMs);
    const list = at < 0 ? [...known, event] : [...known.slice(0, at), event, ...known.slice(at)];
    this.events.set(list.slice(0, EVENTS_KEPT));
  }

  #checkAge(): void {
    const isWanted = this.isVisible.current && this.welcome.current !== undefined;
    const sinceMs = Math.max(this.newestMs, this.#waitingMs);
    this.isTelemetryOld.set(isWanted && this.clock.nowMs() - sinceMs > TELEMETRY_OLD_MS);
  }
}
