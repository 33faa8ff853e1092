/**
 * Digit's JSON interface: questions and answers by reference, and a watch on what may be lost. The robot is asked for its
 * status and its privileges in turn, twenty times a second in all: that keeps the connection alive from its point of view,
 * tells us within a tenth of a second that control is gone, and a connection on which no message comes for half a second is
 * over. Public software for the robot asks fifty times a second and waits for each answer.
 */
import { type Clock, sleepMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import { JSON_SILENCE_MS } from "./config.js";
import {
  ACTION_STEPS,
  type ControlLink,
  giveBack,
  hasPrivilege,
  type RestMode,
  takeControl,
} from "./control.js";
import { type JsonSocket, type OpenJsonSocket, openJsonSocket } from "./jsonSocket.js";
import type { DigitJson, JsonLoss, OperationMode, RobotStatus } from "./links.js";
import {
  type ActionStatus,
  ActionStatusFields,
  encodeJsonMessage,
  type JsonMessage,
  NoteFields,
  parseJsonMessage,
  RobotInfoFields,
  RobotStatusFields,
} from "./protocol/jsonMessages.js";

export interface DigitJsonOptions {
  readonly clock: Clock;
  readonly host: string;
  readonly port: number;
  /** Of our wish for the privilege; a client with a higher one keeps it. */
  readonly priority?: number;
  /** What keeps the UDP stream from being live, empty when nothing does: control is not taken without it. */
  readonly streamFault?: () => string;
  /** Without any message for so long, the connection is over; `JSON_SILENCE_MS` when absent. */
  readonly silenceMsMax?: number;
  readonly openSocket?: OpenJsonSocket;
}

/** Between two questions of the watch: status and privileges in turn [ms]. */
export const JSON_POLL_MS = 50;
const OPEN_MS = 3000;
const REPLY_MS = 1000;
/** A change of mode may involve brakes and self-tests; nobody has published how long it takes. */
const MODE_MS = 5000;
const PONG_MS = 250;
/** The watch asks twenty times within the time-out of a question, and control asks one at a time. */
const PENDING_MAX = 32;

/** What a message with the reference of a question means to it. */
type Verdict = "answer" | "later" | CerebellumError;
interface Pending {
  readonly question: string;
  readonly judge: (message: JsonMessage) => Verdict;
  readonly resolve: (message: JsonMessage) => void;
  readonly reject: (error: CerebellumError) => void;
  readonly end: AbortController;
}

const UNKNOWN: RobotStatus = {
  mode: undefined,
  leftFootInContact: undefined,
  rightFootInContact: undefined,
};

export class DigitJsonLink implements DigitJson {
  robotName = "";
  status: RobotStatus = UNKNOWN;
  hasPrivilege = false;
  lastNote = "";
  readonly counters = { sent: 0, received: 0, malformed: 0, unanswered: 0, warnings: 0 };
  readonly #options: DigitJsonOptions;
  readonly #clock: Clock;
  readonly #lossListeners = new Set<(loss: JsonLoss) => void>();
  readonly #pending = new Map<number, Pending>();
  readonly #control: ControlLink;
  #socket: JsonSocket | undefined;
  #end: AbortController | undefined;
  #reference = 0;
  #heardMs = 0;
  /** The mode in which control is ours, while it is. */
  #controlMode: OperationMode | undefined;

  constructor(options: DigitJsonOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#control = {
      streamFault: options.streamFault ?? (() => ""),
      priority: options.priority ?? 0,
      send: (type, fields) => this.#write(type, fields),
      request: (type, fields) => this.#ask(type, fields),
      setMode: (mode) => this.#act("action-set-operation-mode", { mode }, ["success"], MODE_MS),
      readMode: () => this.#readMode(),
      confirmMode: (mode) => this.#confirmMode(mode),
    };
  }

  get mode(): OperationMode | undefined {
    return this.status.mode;
  }

  async open(signal: AbortSignal): Promise<void> {
    await this.close();
    const { host, port } = this.#options;
    const end = new AbortController();
    this.#end = end;
    await this.#connect(`ws://${host}:${port}/`, end, signal);
    try {
      const info = RobotInfoFields.safeParse((await this.#ask("get-robot-info", {})).fields);
      this.robotName = info.data?.["robot-name"] ?? "";
      await this.#readMode();
    } catch (thrown) {
      await this.close();
      throw thrown;
    }
    void this.#watch(end.signal);
    void this.#pongs(end.signal);
  }

  async takeControl(signal: AbortSignal): Promise<void> {
    await takeControl(this.#control, signal);
    this.#begin("low-level-api");
  }

  giveBack(mode: RestMode): Promise<string> {
    this.#controlMode = undefined;
    return this.#socket === undefined ? Promise.resolve("") : giveBack(this.#control, mode);
  }

  async takeActions(signal: AbortSignal): Promise<void> {
    await takeControl(this.#control, signal, ACTION_STEPS);
    this.#begin("locomotion");
  }

  dropActions(): Promise<string> {
    this.#controlMode = undefined;
    return this.#socket === undefined
      ? Promise.resolve("")
      : giveBack(this.#control, "locomotion", ACTION_STEPS);
  }

  #begin(mode: OperationMode): void {
    if (this.#socket === undefined) throw linkClosed("it was lost just when control was taken");
    this.#controlMode = mode;
  }

  stand(): Promise<void> {
    return this.#act("action-stand", {}, ["running", "success"], REPLY_MS);
  }

  walk(velocity: Parameters<DigitJson["walk"]>[0]): Promise<void> {
    const { yawRateRadPerS, forwardMPerS, leftMPerS } = velocity;
    const fields = {
      velocity: { axy: [yawRateRadPerS, forwardMPerS, leftMPerS] },
      "mobility-parameters": {},
    };
    return this.#act("action-move", fields, ["running", "success"], REPLY_MS);
  }

  onLost(listener: (loss: JsonLoss) => void): () => void {
    this.#lossListeners.add(listener);
    return () => this.#lossListeners.delete(listener);
  }

  /** Ends the connection without an event. */
  async close(): Promise<void> {
    this.#shut("the connection was closed by us");
  }

  #connect(url: string, end: AbortController, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      let isOpen = false;
      let isOver = false;
      const fail = (reason: string) => {
        if (isOpen || isOver) return;
        isOver = true;
        signal.removeEventListener("abort", onAbort);
        if (!end.signal.aborted) this.#shut(reason);
        reject(unreachable(url, reason));
      };
      const onAbort = () => fail("the attempt was cancelled");
      signal.addEventListener("abort", onAbort);
      const socket = (this.#options.openSocket ?? openJsonSocket)(url, {
        onOpen: () => {
          if (isOver) return;
          isOpen = true;
          signal.removeEventListener("abort", onAbort);
          this.#heardMs = this.#clock.nowMs();
          resolve();
        },
        onText: (text) => {
          if (!end.signal.aborted) this.#onText(text);
        },
        onClosed: (reason) => {
          if (!isOpen) fail(reason);
          else if (!end.signal.aborted) this.#lose({ kind: "closed", happened: reason });
        },
      });
      this.#socket = socket;
      void sleepMs(this.#clock, OPEN_MS, end.signal).then(() => fail(`no answer within ${OPEN_MS} ms`));
      if (signal.aborted) onAbort();
    });
  }

  #onText(text: string): void {
    const message = parseJsonMessage(text);
    if (message === undefined) {
      this.counters.malformed++;
      return;
    }
    this.counters.received++;
    this.#heardMs = this.#clock.nowMs();
    this.#note(message);
    const pending = message.reference === undefined ? undefined : this.#pending.get(message.reference);
    if (message.reference === undefined || pending === undefined) return;
    const verdict = pending.judge(message);
    if (verdict === "later") return;
    this.#settle(message.reference);
    if (verdict === "answer") pending.resolve(message);
    else pending.reject(verdict);
  }

  /** What a message says of the robot, asked for or not. */
  #note(message: JsonMessage): void {
    switch (message.type) {
      case "robot-status":
        this.#noteStatus(message);
        return;
      case "privileges":
        this.#notePrivileges(message);
        return;
      case "action-status-changed":
        // Of an action of ours that ended, perhaps of all control: do not wait for the next turn of the watch.
        if (
          this.#controlMode !== undefined &&
          ActionStatusFields.safeParse(message.fields).data?.status === "inactive"
        ) {
          this.#askQuietly("get-privileges");
          this.#askQuietly("get-robot-status");
        }
        return;
      case "warning":
      case "error":
        if (message.type === "warning") this.counters.warnings++;
        this.lastNote = infoOf(message);
    }
  }

  #noteStatus({ fields }: JsonMessage): void {
    const parsed = RobotStatusFields.safeParse(fields);
    if (!parsed.success) return;
    this.status = {
      mode: parsed.data["operation-mode"],
      leftFootInContact: parsed.data["left-foot-in-contact"],
      rightFootInContact: parsed.data["right-foot-in-contact"],
    };
    const wanted = this.#controlMode;
    if (wanted !== undefined && this.mode !== wanted)
      this.#loseControl({
        kind: "mode",
        happened: `the robot's operation mode is ${this.mode ?? "unknown"}, no longer ${wanted}`,
      });
  }

  #notePrivileges(message: JsonMessage): void {
    const has = hasPrivilege(message);
    if (has === undefined) return;
    this.hasPrivilege = has;
    if (this.#controlMode !== undefined && !has)
      this.#loseControl({
        kind: "privilege",
        happened: "another client has taken the privilege to change the robot's action",
      });
  }

  /** Asks, and answers with the whole message that answers it. Warnings come before that and are only noted. */
  #ask(
    type: string,
    fields: Readonly<Record<string, unknown>>,
    judge: Pending["judge"] = () => "answer",
    timeoutMs = REPLY_MS,
  ): Promise<JsonMessage> {
    return new Promise((resolve, reject) => {
      if (this.#socket === undefined) return reject(linkClosed("there is none"));
      if (this.#pending.size >= PENDING_MAX) return reject(silent(`${PENDING_MAX} questions are unanswered`));
      const reference = ++this.#reference;
      const end = new AbortController();
      this.#pending.set(reference, {
        question: type,
        judge: (message) => {
          if (message.type === "warning" || message.type === "event") return "later";
          return message.type === "error" ? refusedBy(type, infoOf(message)) : judge(message);
        },
        resolve,
        reject,
        end,
      });
      this.#write(type, fields, reference);
      void this.#expire(reference, timeoutMs, end.signal);
    });
  }

  async #expire(reference: number, timeoutMs: number, answered: AbortSignal): Promise<void> {
    await sleepMs(this.#clock, timeoutMs, answered);
    const pending = this.#pending.get(reference);
    if (pending === undefined || answered.aborted) return;
    this.#settle(reference);
    this.counters.unanswered++;
    pending.reject(silent(`no answer to ${pending.question} within ${timeoutMs} ms`));
  }

  #settle(reference: number): void {
    this.#pending.get(reference)?.end.abort();
    this.#pending.delete(reference);
  }

  #write(type: string, fields: Readonly<Record<string, unknown>>, reference = ++this.#reference): void {
    this.counters.sent++;
    this.#socket?.send(encodeJsonMessage(type, fields, reference));
  }

  /** An action, done when its status is one of these. */
  async #act(
    type: string,
    fields: Readonly<Record<string, unknown>>,
    done: readonly ActionStatus[],
    timeoutMs: number,
  ): Promise<void> {
    await this.#ask(type, fields, (message) => judgeAction(type, message, done), timeoutMs);
  }

  async #readMode(): Promise<OperationMode | undefined> {
    await this.#ask("get-robot-status", {});
    return this.mode;
  }

  async #confirmMode(mode: OperationMode): Promise<void> {
    const untilMs = this.#clock.nowMs() + REPLY_MS;
    let found = await this.#readMode();
    while (found !== mode && this.#clock.nowMs() < untilMs) {
      await sleepMs(this.#clock, JSON_POLL_MS, this.#end?.signal);
      found = await this.#readMode();
    }
    if (found !== mode)
      throw new CerebellumError(
        "DEVICE_REFUSED",
        `Digit said that it changed to ${mode}, and its mode is ${found ?? "unknown"}`,
        "Look at the robot's own log, then enable again",
      );
  }

  async #watch(signal: AbortSignal): Promise<void> {
    for (let turn = 0, turnedMs = this.#clock.nowMs(); ; turn++) {
      await sleepMs(this.#clock, JSON_POLL_MS, signal);
      if (signal.aborted) return;
      const nowMs = this.#clock.nowMs();
      // A turn that comes late decides nothing: what waits while this process was held up is no silence.
      const isLate = nowMs - turnedMs > 2 * JSON_POLL_MS;
      turnedMs = nowMs;
      const silentMs = nowMs - this.#heardMs;
      if (!isLate && silentMs >= (this.#options.silenceMsMax ?? JSON_SILENCE_MS)) {
        this.#lose({ kind: "silent", happened: `no message from the robot for ${Math.round(silentMs)} ms` });
        return;
      }
      this.#askQuietly(turn % 2 === 0 ? "get-robot-status" : "get-privileges");
    }
  }

  async #pongs(signal: AbortSignal): Promise<void> {
    for (;;) {
      await sleepMs(this.#clock, PONG_MS, signal);
      if (signal.aborted) return;
      this.#socket?.pong();
    }
  }

  /** The answer is noted as it comes; without one, silence says it. */
  #askQuietly(type: string): void {
    this.#ask(type, {}).catch(() => undefined);
  }

  #loseControl(loss: JsonLoss): void {
    this.#controlMode = undefined;
    for (const listener of this.#lossListeners) listener(loss);
  }

  #lose(loss: JsonLoss): void {
    this.#shut(loss.happened);
    for (const listener of this.#lossListeners) listener(loss);
  }

  #shut(reason: string): void {
    this.#end?.abort();
    const socket = this.#socket;
    this.#socket = undefined;
    this.#controlMode = undefined;
    this.hasPrivilege = false;
    this.status = UNKNOWN;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { end, reject } of pending) {
      end.abort();
      reject(linkClosed(reason));
    }
    socket?.terminate();
  }
}

function judgeAction(type: string, message: JsonMessage, done: readonly ActionStatus[]): Verdict {
  const parsed = ActionStatusFields.safeParse(message.fields);
  if (message.type !== "action-status-changed" || !parsed.success) return "later";
  const { status, info } = parsed.data;
  if (done.includes(status)) return "answer";
  return status === "running" ? "later" : refusedBy(type, `${status}${info ? `: ${info}` : ""}`);
}

const infoOf = ({ type, fields }: JsonMessage): string => NoteFields.safeParse(fields).data?.info ?? type;

const unreachable = (url: string, reason: string): CerebellumError =>
  new CerebellumError(
    "DEVICE_UNREACHABLE",
    `no connection to Digit's JSON interface at ${url}: ${reason}`,
    "Check the robot's power, the cable, `host` and `jsonPort` in the cell file; with a lab cell, start the lab first",
  );

const linkClosed = (reason: string): CerebellumError =>
  new CerebellumError(
    "LINK_CLOSED",
    `the connection to Digit's JSON interface ended: ${reason}`,
    "Check the robot's power and the cable, then reset and enable again",
  );

const silent = (happened: string): CerebellumError =>
  new CerebellumError(
    "LINK_SILENT",
    `Digit's JSON interface: ${happened}`,
    "Check the robot's power and the cable, then reset and enable again",
  );

const refusedBy = (type: string, info: string): CerebellumError =>
  new CerebellumError(
    "DEVICE_REFUSED",
    `Digit refuses ${type}: ${info}`,
    "Read what it says; low-level control wants commands to be arriving, and no error of the robot",
  );
