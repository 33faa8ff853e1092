/**
 * Messages of Digit's JSON interface: `[type, {fields}, reference?]`, one per text frame of a WebSocket. Replies carry the
 * reference of what they answer, and so do warnings that come before them. Shapes are those that public software reads; a
 * robot sends more.
 */
import { z } from "zod";

export const JSON_SUBPROTOCOL = "json-v1-agility";
/** Needed for whatever begins with "action-". */
export const ACTION_PRIVILEGE = "change-action-command";

export const OPERATION_MODES = ["disabled", "damping", "locomotion", "joint", "low-level-api"] as const;
export type OperationMode = (typeof OPERATION_MODES)[number];

export const ACTION_STATUSES = ["running", "success", "failure", "inactive"] as const;
export type ActionStatus = (typeof ACTION_STATUSES)[number];

export interface JsonMessage {
  readonly type: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly reference: number | undefined;
}

const Fields = z.record(z.string(), z.unknown());
/** Nothing in place of a reference is as good as none. */
const Message = z.union([z.tuple([z.string(), Fields]), z.tuple([z.string(), Fields, z.int().nullable()])]);

/** Undefined for a text that is none. */
export function parseJsonMessage(text: string): JsonMessage | undefined {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = Message.safeParse(content);
  if (!parsed.success) return undefined;
  const [type, fields, reference] = parsed.data;
  return { type, fields, reference: reference ?? undefined };
}

export const encodeJsonMessage = (
  type: string,
  fields: Readonly<Record<string, unknown>>,
  reference?: number,
): string => JSON.stringify(reference === undefined ? [type, fields] : [type, fields, reference]);

/** Of `privileges`. */
export const PrivilegesFields = z.looseObject({
  privileges: z.array(z.looseObject({ privilege: z.string(), has: z.boolean() })),
});

/** Of `robot-status`. A mode that nobody has seen is as good as none. */
export const RobotStatusFields = z.looseObject({
  "operation-mode": z.enum(OPERATION_MODES).optional().catch(undefined),
  "left-foot-in-contact": z.boolean().optional().catch(undefined),
  "right-foot-in-contact": z.boolean().optional().catch(undefined),
});

/** Of `action-status-changed`. */
export const ActionStatusFields = z.looseObject({
  status: z.enum(ACTION_STATUSES),
  info: z.string().optional().catch(undefined),
});

/** Of the reply to `get-robot-info`. */
export const RobotInfoFields = z.looseObject({ "robot-name": z.string().optional().catch(undefined) });

/** Of `error`, `warning` and `event`. */
export const NoteFields = z.looseObject({ info: z.string().optional().catch(undefined) });
