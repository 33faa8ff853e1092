/** Vectors beside the datagrams: messages of the JSON interface, and the vendor's command struct. */
import { Comparison, type VectorCheck } from "../../../core/vectorCheck.js";
import { CommandWriter } from "./command.js";
import { MOTORS } from "./joints.js";
import {
  ActionStatusFields,
  encodeJsonMessage,
  NoteFields,
  PrivilegesFields,
  parseJsonMessage,
  RobotInfoFields,
  RobotStatusFields,
} from "./jsonMessages.js";
import { SCALARS } from "./scalar.js";
import type { JsonFile, StructFile } from "./vectorFile.js";

/** What we read out of messages of these types. */
const SHAPES = {
  privileges: PrivilegesFields,
  "robot-status": RobotStatusFields,
  "robot-info": RobotInfoFields,
  "action-status-changed": ActionStatusFields,
  error: NoteFields,
  warning: NoteFields,
} as const;

export interface OtherChecks {
  readonly checks: readonly VectorCheck[];
  /** Of which nothing of ours knows the content. */
  readonly partlyChecked: readonly string[];
}

export function checkJsonMessages({ messages }: JsonFile): OtherChecks {
  const partlyChecked: string[] = [];
  const checks = messages.map(({ name, send, receive }) => {
    const comparison = new Comparison(name);
    for (const [what, vector] of [
      ["send", send],
      ["receive", receive],
    ] as const) {
      if (vector === null) continue;
      const text = JSON.stringify(vector);
      const message = parseJsonMessage(text);
      const again = message && encodeJsonMessage(message.type, message.fields, message.reference);
      comparison.equal(what, text, again ?? "no message");
      const shape = Object.hasOwn(SHAPES, vector[0]) ? SHAPES[vector[0] as keyof typeof SHAPES] : undefined;
      if (what === "receive" && shape === undefined) partlyChecked.push(name);
      if (shape !== undefined)
        comparison.equal(`${what}: fields`, "read", shape.safeParse(vector[1]).success ? "read" : "refused");
    }
    if (send !== null && receive !== null) comparison.equal("reference", String(send[2]), String(receive[2]));
    return comparison;
  });
  return { checks, partlyChecked };
}

/** Of the struct's parts, where the command's message has them. */
export function checkStruct({ sizeof, offsets }: StructFile): OtherChecks {
  const { fields, messageBytes } = new CommandWriter().description;
  const sizes = new Comparison("sizeof");
  if (sizeof.cmd !== undefined) sizes.equal("cmd", String(sizeof.cmd), String(messageBytes));
  const partlyChecked: string[] = [];
  const checks = offsets.map(({ field, offset, size }) => {
    const comparison = new Comparison(field);
    const names = namesOf(field);
    const found = fields.filter(({ name }) => names.test(name));
    const [first] = found;
    if (first === undefined) {
      partlyChecked.push(field);
      return comparison;
    }
    const bytes = found.reduce((sum, { scalar }) => sum + SCALARS[scalar].bytes, 0);
    comparison.equal("offset and size", `${offset} ${size}`, `${first.offset} ${bytes}`);
    return comparison;
  });
  return { checks: [sizes, ...checks], partlyChecked };
}

/** Names of the wire that a part of the command struct covers: a number, a motor, or all motors. */
function namesOf(part: string): RegExp {
  const [, index, what] = /^llapi_command_t\.motors(?:\[(\d+)\](?:\.(\w+))?)?$/.exec(part) ?? [];
  if (index !== undefined) return new RegExp(`^${MOTORS[Number(index)]}\\.${what ?? ""}`);
  if (part === "llapi_command_t.motors") return /\./;
  return new RegExp(`^${part.replace(/^llapi_command_t\./, "")}$`);
}
