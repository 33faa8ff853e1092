/**
 * A fault script: what goes wrong on the arm's wire or in its controller, when, and the safe outcome that must follow.
 * Scripts are data; `test/faults` runs each against a real servo process and checks what is stated here, and what holds
 * for all of them (no setpoint where the servo does not stream, every stream begins at the arm, declared limits).
 */
import { z } from "zod";
import { MESSAGES, type MessageName } from "../../drivers/xarm7/protocol/index.js";
import { REPLY_CHANGE_NAMES, REPORT_CHANGE_NAMES } from "../xarm7/frameChanges.js";
import { loadScripts, type Named } from "./load.js";
import { ErrorCode, Happens, Milliseconds, Refused, Safe } from "./scriptParts.js";

const MESSAGE_NAMES = Object.keys(MESSAGES) as [MessageName, ...MessageName[]];
const Message = z.enum(MESSAGE_NAMES);
const Code = z.int().min(1).max(255);

const PORT_SETS = {
  command: ["command"],
  highRate: ["highRate"],
  normal: ["normal"],
  rich: ["rich"],
  realTime: ["realTime"],
  reports: ["highRate", "normal", "rich", "realTime"],
  fast: ["highRate", "realTime"],
  all: ["command", "highRate", "normal", "rich", "realTime"],
} as const;
const Ports = z.enum(Object.keys(PORT_SETS) as [keyof typeof PORT_SETS, ...(keyof typeof PORT_SETS)[]]);
/** The ports that a script's word means. */
export const portsOf = (ports: z.infer<typeof Ports>) => PORT_SETS[ports];

const Sides = z.enum(["requests", "replies", "both"]).default("both").describe("As the client sees them");
const cable = { port: Ports, side: Sides };

/** One key per action, so that a script reads as a sentence. */
export const Action = z.union([
  z.strictObject({
    error: z.strictObject({
      code: Code,
      held: z.boolean().default(false).describe("Its cause stays, so clearing does nothing until released"),
      jointDetail: Code.optional().describe("Error code of that joint's servo in the rich report"),
    }),
  }),
  z.strictObject({ release: z.literal(true).describe("The cause of a held error is gone") }),
  z.strictObject({ warning: Code }),
  z.strictObject({
    gripper: z.strictObject({
      errorCode: z.int().min(0).max(255).optional(),
      plugged: z.boolean().optional(),
    }),
  }),
  z.strictObject({ hold: z.strictObject({ ...cable, forMs: Milliseconds.optional() }) }),
  z.strictObject({ pass: z.strictObject(cable) }),
  z.strictObject({
    pieces: z.strictObject({ ...cable, bytes: z.int().positive(), gapMs: z.number().min(0).max(100) }),
  }),
  z.strictObject({ batch: z.strictObject({ ...cable, frames: z.int().min(2).max(100) }) }),
  z.strictObject({
    replies: z.strictObject({
      are: z.enum(REPLY_CHANGE_NAMES as [string, ...string[]]),
      to: Message.optional().describe("Only replies to this message"),
      count: z.int().positive().optional(),
    }),
  }),
  z.strictObject({
    reports: z.strictObject({
      are: z.enum(REPORT_CHANGE_NAMES as [string, ...string[]]),
      port: Ports.default("fast"),
      count: z.int().positive().optional(),
      exceptOneIn: z.int().min(2).optional(),
    }),
  }),
  z.strictObject({
    junk: z.strictObject({ port: Ports, side: z.enum(["requests", "replies"]), bytes: z.int().positive() }),
  }),
  z.strictObject({ read: z.strictObject({ port: Ports, on: z.boolean() }) }),
  z.strictObject({ disconnect: z.strictObject({ port: Ports, how: z.enum(["end", "reset"]) }) }),
  z.strictObject({
    welcome: z.strictObject({ port: Ports, how: z.enum(["serve", "silent", "refuse"]) }),
  }),
  z.strictObject({
    reboot: z.strictObject({
      downMs: Milliseconds.default(0),
      serial: z.string().optional(),
      version: z.string().optional(),
      positionRad: z.array(z.number()).length(7).optional(),
    }),
  }),
  z.strictObject({
    secondClient: z
      .array(z.strictObject({ sends: Message, values: z.array(z.number()).default([]) }))
      .min(1)
      .describe("Another program on its own connection"),
  }),
  z.strictObject({
    vendorSdk: z
      .array(z.strictObject({ calls: z.string(), with: z.array(z.unknown()).default([]) }))
      .min(1)
      .describe("The vendor's Python client software, connected at the same time"),
  }),
  z.strictObject({
    pushed: z
      .strictObject({ joint: z.int().min(1).max(7), byRad: z.number() })
      .describe("The arm itself is moved"),
  }),
]);
export type Action = z.infer<typeof Action>;

const Step = z.strictObject({
  afterMs: Milliseconds.default(0).describe("After the step before, or after the scene is set"),
  onRequest: Message.optional().describe("When this message of the servo reaches the controller"),
  do: z.array(Action).min(1),
});

const ServoState = z.enum([
  "disconnected",
  "connected",
  "holding",
  "following",
  "stopping",
  "stopped",
  "faulted",
]);

export const FaultScript = z.strictObject({
  happens: Happens,
  scene: z
    .enum(["starting", "connected", "enabling", "holding", "following", "stopped", "faulted", "resetting"])
    .describe("What the servo is doing when the first step comes; `following`: a commander moves the arm"),
  given: z
    .strictObject({
      servo: z.record(z.string(), z.unknown()).default({}),
      xarm7: z.record(z.string(), z.unknown()).default({}),
      controller: z
        .strictObject({
          version: z.string().optional(),
          serial: z.string().optional(),
          positionRad: z.array(z.number()).length(7).optional(),
        })
        .prefault({}),
    })
    .prefault({})
    .describe("Where the cell differs from the common one"),
  steps: z.array(Step).default([]),
  outcome: z.strictObject({
    safe: Safe,
    state: ServoState.or(z.literal("ended")).describe("`ended`: the servo process refuses to start"),
    via: z.array(ServoState).default([]).describe("States on the way there, in this order"),
    withinMs: Milliseconds.default(1000).describe("From the last step, with room for a loaded machine"),
    faults: z.array(z.string()).default([]).describe("Exactly these faults end or forbid motion"),
    told: z.array(z.string()).default([]).describe("These warnings are told"),
    triggers: z.array(z.string()).default([]).describe("These of the servo's triggers act"),
    moves: z.boolean().default(true).describe("Whether a `following` arm is known to move on"),
    reasons: z.array(z.string()).default([]).describe("Reason bits that snapshots show"),
    refused: Refused.optional().describe("What the scene's request (start, enable, reset) is refused with"),
    arm: z.enum(["powered", "unpowered", "either"]).default("powered").describe("Motors, once at rest"),
  }),
  recovery: z.strictObject({
    by: z
      .enum(["none", "enable", "reset", "restart"])
      .describe("`none`: it goes on by itself; `reset`: reset, then enable; `restart`: of the process"),
    refusedUntil: ErrorCode.optional().describe("Enabling before `first` is refused with this"),
    first: z.array(Action).default([]).describe("What people do before"),
    within: z.enum(["at once", "eventually"]).default("at once"),
    settings: z
      .record(z.string(), z.unknown())
      .optional()
      .describe("What the controller's settings are then"),
  }),
});
export type FaultScript = z.infer<typeof FaultScript>;
export type NamedScript = Named<FaultScript>;

/** @throws CerebellumError CONFIG_INVALID with the file and the field */
export const loadArmFaultScripts = (): NamedScript[] =>
  loadScripts({ device: "xarm7", schema: FaultScript, toldIn: "lab/faults/schema.ts" });
