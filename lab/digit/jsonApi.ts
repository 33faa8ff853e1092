/**
 * The robot's JSON interface as clients see it: `[type, {fields}, number?]`, privileges, operation modes, status. Texts in
 * and out; sockets are jsonServer.ts. Message shapes are those that public client code reads and writes; what a reply
 * holds besides is not public.
 */
import { z } from "zod";
import { errorText } from "../../core/errors.js";
import type { WalkVelocity } from "../../kinematics/digit/stepping.js";
import { type DigitFaults, OPERATION_MODES, type OperationMode } from "./digitFaults.js";
import type { EmulatedRobot } from "./robot.js";

/** One client's connection. */
export interface JsonPeer {
  send(text: string): void;
  ping(): void;
  close(): void;
}

export interface JsonCounters {
  connections: number;
  refused: number;
  messages: number;
  malformed: number;
  unknown: number;
  pings: number;
  /** Connections given up because nothing came for too long. */
  silent: number;
}

/** The server pings so long after the last message, and gives a client up that says nothing for longer [ms]. */
const PING_AFTER_MS = 500;
const SILENT_MS_MAX = 3000;
const PRIVILEGE = "change-action-command";
const PRIVILEGE_LOST = `privilege ${PRIVILEGE} was lost`;
/** Priority of the client of `privilegeIsTaken`. */
const STRANGER_PRIORITY = 1000;
const BATTERY_PERCENT = 80;
const GROUP_PERIOD_S_MIN = 0.01;

const Message = z
  .tuple([z.string().min(1), z.record(z.string(), z.unknown())])
  .or(z.tuple([z.string().min(1), z.record(z.string(), z.unknown()), z.union([z.int(), z.null()])]));
const ModeRequest = z.object({ mode: z.enum(OPERATION_MODES) });
const PrivilegeRequest = z.object({ privilege: z.string(), priority: z.number().default(0) });
const GroupRequest = z.object({
  queries: z.array(z.tuple([z.string(), z.record(z.string(), z.unknown())])).max(20),
  period: z.number().min(GROUP_PERIOD_S_MIN),
});
const CancelRequest = z.object({ "reference-number": z.int() });
const ForceRequest = z.object({
  force: z.object({ xyz: z.tuple([z.number(), z.number(), z.number()]) }),
  duration: z.number().positive().max(60),
});
/** A turn first, then forward and left: by the name of its fields' letters. */
const MoveRequest = z.object({ velocity: z.object({ axy: z.tuple([z.number(), z.number(), z.number()]) }) });
const StandRequest = z.object({ duration: z.number().positive().max(3600).nullish() });
const StopRequest = z.object({ "enable-motors": z.boolean() });

type Fields = Readonly<Record<string, unknown>>;
type Reply = readonly [type: string, fields: Fields];
/** `undefined` answers nothing, or later. */
type Handler = (session: JsonSession, fields: Fields, refnum: number | null) => Reply | undefined;

/** What the robot's own controller does for a client. */
interface Action {
  readonly session: JsonSession;
  readonly refnum: number | null;
  readonly endsMs: number;
}

interface Group {
  readonly refnum: number | null;
  readonly queries: readonly (readonly [string, Fields])[];
  readonly periodMs: number;
  dueMs: number;
}

export class JsonSession {
  priority = 0;
  lastReceivedMs: number;
  lastPingMs = Number.NEGATIVE_INFINITY;
  groups: Group[] = [];
  readonly #api: JsonApi;
  readonly peer: JsonPeer;

  constructor(api: JsonApi, peer: JsonPeer, nowMs: number) {
    this.#api = api;
    this.peer = peer;
    this.lastReceivedMs = nowMs;
  }

  receive(text: string): void {
    this.#api.received(this, text);
  }

  /** The client's side of the connection lives: a pong, or a ping of its own. */
  heard(): void {
    this.lastReceivedMs = this.#api.nowMs;
  }

  /** The connection is gone. */
  end(): void {
    this.#api.ended(this);
  }
}

export class JsonApi {
  readonly counters: JsonCounters = {
    connections: 0,
    refused: 0,
    messages: 0,
    malformed: 0,
    unknown: 0,
    pings: 0,
    silent: 0,
  };
  readonly #robot: EmulatedRobot;
  readonly #faults: DigitFaults;
  readonly #sessions = new Set<JsonSession>();
  #holder: JsonSession | undefined;
  /** Who asked for the mode that is being entered. */
  #asking: JsonSession | undefined;
  #action: Action | undefined;

  constructor(robot: EmulatedRobot, faults: DigitFaults) {
    this.#robot = robot;
    this.#faults = faults;
    robot.onWarning = (info) => this.#tellAll(["warning", { info }]);
  }

  get nowMs(): number {
    return this.#robot.nowMs;
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  get isHeld(): boolean {
    return this.#holder !== undefined;
  }

  /** Whether a new connection is taken now; asked once for each. */
  get accepts(): boolean {
    const accepts = !this.#faults.has("jsonRefuses") && !this.#faults.has("hangs");
    if (!accepts) this.counters.refused++;
    return accepts;
  }

  connect(peer: JsonPeer): JsonSession {
    this.counters.connections++;
    const session = new JsonSession(this, peer, this.nowMs);
    this.#sessions.add(session);
    return session;
  }

  ended(session: JsonSession): void {
    this.#sessions.delete(session);
    if (this.#asking === session) {
      this.#asking = undefined;
      this.#robot.dropRequest("the client is gone");
    }
    if (this.#action?.session === session) this.#action = undefined;
    if (this.#holder !== session) return;
    this.#holder = undefined;
    this.#robot.walk(undefined);
  }

  closeAll(): void {
    for (const session of [...this.#sessions]) this.#close(session);
  }

  /** Somebody with a higher priority takes the privilege. */
  takeAway(): void {
    if (this.#holder !== undefined) this.#asking = undefined;
    this.#holder = undefined;
    this.#robot.dropRequest(PRIVILEGE_LOST);
    this.#endAction("inactive", PRIVILEGE_LOST);
    this.#robot.walk(undefined);
  }

  /** To be called once a period: pings, silent clients, periodic queries. */
  tick(): void {
    if (this.#faults.has("hangs") || this.#faults.has("jsonIsSilent")) return;
    const { nowMs } = this;
    this.#watchAction(nowMs);
    for (const session of [...this.#sessions]) {
      if (nowMs - session.lastReceivedMs > SILENT_MS_MAX) {
        this.counters.silent++;
        this.#close(session);
        continue;
      }
      if (nowMs - Math.max(session.lastReceivedMs, session.lastPingMs) >= PING_AFTER_MS) {
        session.lastPingMs = nowMs;
        this.counters.pings++;
        session.peer.ping();
      }
      for (const group of session.groups) this.#answerGroup(session, group);
    }
  }

  received(session: JsonSession, text: string): void {
    if (!this.#sessions.has(session)) return;
    session.heard();
    this.counters.messages++;
    if (this.#faults.has("hangs") || this.#faults.has("jsonIsSilent")) return;
    const parsed = Message.safeParse(parseJson(text));
    if (!parsed.success) {
      this.counters.malformed++;
      this.#tell(session, ["error", { info: `not understood: ${text.slice(0, 80)}` }], null);
      return;
    }
    const [type, fields, refnum = null] = parsed.data;
    const reply = this.#answer(session, type, fields, refnum);
    if (reply !== undefined) this.#tell(session, reply, refnum);
  }

  #answer(session: JsonSession, type: string, fields: Fields, refnum: number | null): Reply | undefined {
    const handler = this.#handlers[type] ?? (type.startsWith("action-") ? this.#otherAction : undefined);
    if (handler === undefined) {
      this.counters.unknown++;
      return ["error", { info: `unknown message ${type}` }];
    }
    if (type.startsWith("action-") && this.#holder !== session)
      return ["error", { info: `privilege ${PRIVILEGE} is needed for ${type}` }];
    try {
      return handler(session, fields, refnum);
    } catch (thrown) {
      return ["error", { info: thrown instanceof z.ZodError ? z.prettifyError(thrown) : errorText(thrown) }];
    }
  }

  readonly #otherAction: Handler = () =>
    failure(
      this.#robot.mode === "locomotion"
        ? "the emulated controller stands and walks, and does nothing else"
        : `not available in mode ${this.#robot.mode}`,
    );

  readonly #handlers: Readonly<Record<string, Handler>> = {
    "request-privilege": (session, fields) => {
      const { privilege, priority } = PrivilegeRequest.parse(fields);
      if (privilege !== PRIVILEGE) return ["error", { info: `unknown privilege ${privilege}` }];
      const holderPriority = this.#holderPriority();
      if (this.#holder !== session && priority >= holderPriority) {
        if (this.#holder !== undefined) this.takeAway();
        session.priority = priority;
        this.#holder = session;
      }
      return this.#privileges(session);
    },
    "drop-privilege": (session) => {
      if (this.#holder === session) this.takeAway();
      return this.#privileges(session);
    },
    "get-privileges": (session) => this.#privileges(session),
    "action-set-operation-mode": (session, fields, refnum) => {
      const { mode } = ModeRequest.parse(fields);
      this.#setMode(session, mode, refnum);
      return undefined;
    },
    "action-stand": (session, fields, refnum) => {
      const { duration } = StandRequest.parse(fields);
      if (fields["base-pose"] !== undefined)
        return failure("the emulated controller stands in its own pose only");
      const lastsMs = duration == null ? Number.POSITIVE_INFINITY : 1000 * duration;
      return this.#act(undefined, { session, refnum, endsMs: this.nowMs + lastsMs });
    },
    "action-move": (session, fields, refnum) => {
      const [yawRateRadPerS, forwardMPerS, leftMPerS] = MoveRequest.parse(fields).velocity.axy;
      const endsMs = Number.POSITIVE_INFINITY;
      return this.#act({ forwardMPerS, leftMPerS, yawRateRadPerS }, { session, refnum, endsMs });
    },
    "action-idle": (session, _fields, refnum) =>
      this.#act(undefined, { session, refnum, endsMs: Number.POSITIVE_INFINITY }),
    "remove-action": (_session, fields) => {
      if (this.#action?.refnum === CancelRequest.parse(fields)["reference-number"]) {
        this.#endAction("inactive", "it was removed");
        this.#robot.walk(undefined);
      }
      return running();
    },
    "get-robot-status": () => {
      const [left, right] = this.#robot.body.truth.footContact;
      return [
        "robot-status",
        {
          "operation-mode": this.#robot.mode,
          "left-foot-in-contact": left === 1,
          "right-foot-in-contact": right === 1,
        },
      ];
    },
    "get-robot-info": () => ["robot-info", { "robot-name": "lab" }],
    "get-timestamp": () => ["timestamp", { "run-time": this.#robot.timeS }],
    "get-battery-status": () => [
      "battery-status",
      { "battery-charge": this.#faults.get("batteryIs")?.percent ?? BATTERY_PERCENT },
    ],
    "query-group": (session, fields, refnum) => {
      const { queries, period } = GroupRequest.parse(fields);
      session.groups.push({ refnum, queries, periodMs: 1000 * period, dueMs: this.nowMs });
      return undefined;
    },
    "cancel-query": (session, fields) => {
      const { "reference-number": refnum } = CancelRequest.parse(fields);
      session.groups = session.groups.filter((group) => group.refnum !== refnum);
      return undefined;
    },
    "session-options": () => ["session-options", {}],
    "start-log-session": () => ["log-session-started", {}],
    "simulator-apply-force": (_session, fields) => {
      const { force, duration } = ForceRequest.parse(fields);
      this.#robot.body.push(force.xyz, duration);
      return ["simulator-ok", {}];
    },
    "simulator-emergency-stop": (_session, fields) => {
      if (StopRequest.parse(fields)["enable-motors"]) this.#faults.end("emergencyStop");
      else this.#faults.begin("emergencyStop", {}, Number.POSITIVE_INFINITY);
      return ["simulator-ok", {}];
    },
    "simulator-reset": () => {
      this.#robot.happen("standsUp", {});
      return ["simulator-ok", {}];
    },
  };

  /** One action at a time: the next one ends it. */
  #act(velocity: WalkVelocity | undefined, action: Action): Reply {
    const refusal = this.#robot.walk(velocity);
    if (refusal !== "") return failure(refusal);
    this.#endAction("inactive", "another action was asked for");
    this.#action = action;
    return running();
  }

  #endAction(status: "success" | "failure" | "inactive", info: string): void {
    const action = this.#action;
    this.#action = undefined;
    if (action !== undefined && this.#sessions.has(action.session))
      this.#tell(action.session, ["action-status-changed", { status, info }], action.refnum);
  }

  #watchAction(nowMs: number): void {
    if (this.#action === undefined) return;
    const { mode } = this.#robot;
    if (mode !== "locomotion") this.#endAction("failure", `the mode is ${mode}`);
    else if (nowMs >= this.#action.endsMs) this.#endAction("success", "");
  }

  #setMode(session: JsonSession, mode: OperationMode, refnum: number | null): void {
    let isDone = false;
    this.#asking = session;
    this.#robot.requestMode(mode, ({ status, info }) => {
      isDone = true;
      if (this.#asking === session) this.#asking = undefined;
      if (this.#sessions.has(session))
        this.#tell(session, ["action-status-changed", { status, info }], refnum);
    });
    if (!isDone) this.#tell(session, running(), refnum);
  }

  #holderPriority(): number {
    if (this.#faults.has("privilegeIsTaken")) return STRANGER_PRIORITY;
    return this.#holder?.priority ?? Number.NEGATIVE_INFINITY;
  }

  #privileges(session: JsonSession): Reply {
    const has = this.#holder === session && !this.#faults.has("privilegeIsTaken");
    return ["privileges", { privileges: [{ privilege: PRIVILEGE, has }] }];
  }

  #answerGroup(session: JsonSession, group: Group): void {
    if (this.nowMs < group.dueMs) return;
    group.dueMs += group.periodMs;
    const replies = group.queries.map(
      ([type, fields]) =>
        this.#answer(session, type, fields, null) ?? ["error", { info: `${type} is no query` }],
    );
    this.#tell(session, ["query-group", { queries: replies }], group.refnum);
  }

  #tell(session: JsonSession, [type, fields]: Reply, refnum: number | null): void {
    if (this.#faults.has("jsonBabbles")) session.peer.send("<html>502 Bad Gateway</html>");
    if (this.#faults.has("jsonWarns"))
      this.#send(session, ["warning", { info: "something is unusual" }], refnum);
    this.#send(session, [type, fields], refnum);
  }

  #tellAll(message: Reply): void {
    if (this.#faults.has("jsonIsSilent") || this.#faults.has("hangs")) return;
    for (const session of this.#sessions) this.#tell(session, message, null);
  }

  #send({ peer }: JsonSession, message: Reply, refnum: number | null): void {
    peer.send(JSON.stringify(refnum === null ? message : [...message, refnum]));
  }

  #close(session: JsonSession): void {
    this.ended(session);
    session.peer.close();
  }
}

const running = (): Reply => ["action-status-changed", { status: "running", info: "" }];
const failure = (info: string): Reply => ["action-status-changed", { status: "failure", info }];

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
