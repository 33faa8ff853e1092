/**
 * Who may say and hear what on the embedded broker: a table, and everything that is not in it is refused. A device is
 * known by its token; the device that a topic names must be that one.
 */
import type { Role } from "../../../core/gateway/requests.js";
import { DeviceName } from "../../../core/teleop/pose.js";

export interface MqttIdentity {
  readonly device: string;
  readonly role: Role;
}

/** `own` = the last level must be the device's own name; `any` = a device's name or `+`; `none` = there is none. */
interface AclRow {
  readonly topic: string;
  readonly device: "own" | "any" | "none";
  readonly publish: readonly Role[];
  readonly subscribe: readonly Role[];
  /** Whether a last will may be left on it: a will is said when its device has vanished. */
  readonly will: boolean;
  readonly retain: boolean;
  readonly qosMax: 0 | 1;
}

const EVERYBODY: readonly Role[] = ["observer", "operator"];
const NOBODY: readonly Role[] = [];

/**
 * A pose is never retained, never repeated (QoS 1 would send a stale one again) and never a will: each of these would
 * bring a hand's place of some time ago as if it were now. Whoever is paired may stop.
 */
export const MQTT_ACL: readonly AclRow[] = [
  {
    topic: "pose",
    device: "own",
    publish: ["operator"],
    subscribe: NOBODY,
    will: false,
    retain: false,
    qosMax: 0,
  },
  {
    topic: "presence",
    device: "own",
    publish: EVERYBODY,
    subscribe: EVERYBODY,
    will: true,
    retain: true,
    qosMax: 1,
  },
  {
    topic: "presence",
    device: "any",
    publish: NOBODY,
    subscribe: EVERYBODY,
    will: false,
    retain: false,
    qosMax: 1,
  },
  {
    topic: "haptic",
    device: "own",
    publish: NOBODY,
    subscribe: EVERYBODY,
    will: false,
    retain: false,
    qosMax: 1,
  },
  {
    topic: "state",
    device: "none",
    publish: NOBODY,
    subscribe: EVERYBODY,
    will: false,
    retain: false,
    qosMax: 1,
  },
  {
    topic: "telemetry",
    device: "none",
    publish: NOBODY,
    subscribe: EVERYBODY,
    will: false,
    retain: false,
    qosMax: 1,
  },
  {
    topic: "stop",
    device: "none",
    publish: EVERYBODY,
    subscribe: NOBODY,
    will: true,
    retain: false,
    qosMax: 1,
  },
  {
    topic: "stop/ack",
    device: "none",
    publish: NOBODY,
    subscribe: EVERYBODY,
    will: false,
    retain: false,
    qosMax: 1,
  },
];

export interface Publication {
  readonly topic: string;
  readonly qos: number;
  readonly retain: boolean;
}

/** Why it is refused, for the log; undefined when it is allowed. */
export function whyNotPublish(
  root: string,
  who: MqttIdentity,
  { topic, qos, retain }: Publication,
  isWill = false,
): string | undefined {
  const rows = rowsOf(root, who, topic).filter(({ publish }) => publish.length > 0);
  if (rows.length === 0) return `${topic} is not a topic that ${who.device} may publish`;
  const row = rows.find(({ publish }) => publish.includes(who.role));
  if (row === undefined) return `the role ${who.role} may not publish ${topic}`;
  if (isWill && !row.will) return `a last will on ${topic} would bring something old as if it were new`;
  if (retain && !row.retain)
    return `${topic} must not be retained: it would reach a later listener as if it were new`;
  if (qos > row.qosMax) return `QoS ${qos} on ${topic}; at most ${row.qosMax} is taken`;
  return undefined;
}

/** Why it is refused, for the log; undefined when it is allowed. */
export function whyNotSubscribe(root: string, who: MqttIdentity, filter: string): string | undefined {
  const isAllowed = rowsOf(root, who, filter).some(({ subscribe }) => subscribe.includes(who.role));
  return isAllowed ? undefined : `${filter} is not a topic that ${who.device} may subscribe to`;
}

function rowsOf(root: string, who: MqttIdentity, topic: string): readonly AclRow[] {
  if (!topic.startsWith(root)) return [];
  const rest = topic.slice(root.length);
  return MQTT_ACL.filter((row) => {
    if (row.device === "none") return rest === row.topic;
    const start = `${row.topic}/`;
    if (!rest.startsWith(start)) return false;
    const device = rest.slice(start.length);
    return row.device === "own"
      ? device === who.device
      : device === "+" || DeviceName.safeParse(device).success;
  });
}
