/**
 * What goes wrong on an Allegro Hand, on its bus and in its adapter, as data: conditions that last for a while and events
 * that happen once. The hand, the bus and the adapter ask which conditions hold; nothing of a fault is anywhere else.
 */
import { z } from "zod";
import { FINGERS, HAND_MODELS, HAND_SIDES } from "../../kinematics/allegro/hand.js";
import { ActiveFaults as ActiveConditions } from "../faults/activeFaults.js";
import { faultSchema, type ValuesOf } from "../faults/faultSchema.js";

const Fingers = z
  .array(z.enum(FINGERS))
  .min(1)
  .default([...FINGERS]);
const Share = z.number().gt(0).max(1).default(1).describe("Of the frames that it could befall");
const Milliseconds = z.number().gt(0).max(60_000);
const Joint = z.int().min(0).max(15);

/** What lasts. Every one may end by itself after `forMs`. */
const CONDITIONS = {
  loses: z
    .strictObject({
      fingers: Fingers,
      share: Share,
      isInTurn: z.boolean().optional().describe("One of them each period, the next one the next time"),
    })
    .describe("Pose frames do not reach the bus, as from a loose wire inside of the hand"),
  freezes: z.strictObject({ fingers: Fingers }).describe("Counts stand still whatever the joints do"),
  shortens: z
    .strictObject({ fingers: Fingers, bytes: z.int().min(0).max(7) })
    .describe("Pose frames carry fewer bytes than they should"),
  repeats: z.strictObject({ times: z.int().min(1).max(8) }).describe("Every frame comes so many times more"),
  delays: z.strictObject({ ms: Milliseconds }).describe("Every frame reaches the host so much later"),
  periodIs: z
    .strictObject({ jointMs: z.number().min(0.5).max(1000) })
    .describe("The hand streams positions in a period of its own, whatever it is told"),
  says: z
    .strictObject({
      model: z.enum(HAND_MODELS).optional(),
      side: z.enum(HAND_SIDES).optional(),
      serial: z.string().length(8).optional(),
      firmware: z.int().min(0).max(0xffff).optional(),
      overTemperature: z.boolean().optional(),
      communicationFault: z.boolean().optional(),
      servoOff: z.literal(true).optional(),
    })
    .describe("What its info and serial say, true or not"),
  isMute: z
    .strictObject({ to: z.array(z.enum(["info", "serial", "pose", "temperature"])).min(1) })
    .describe("Requests that stay unanswered"),
  ignores: z
    .strictObject({ messages: z.array(z.enum(["systemOn", "systemOff", "torque", "period"])).min(1) })
    .describe("What the hand does not do although it is told"),
  isUnpowered: z.strictObject({}).describe("The hand has no supply; with it come back OFF and no stream"),
  busOff: z
    .strictObject({ isAnnounced: z.boolean().default(false) })
    .describe("Nothing passes between hand and adapter; an adapter with Linux' state lines says so"),
  isDeaf: z.strictObject({}).describe("What the host sends does not reach the hand; the hand is heard"),
  strangers: z
    .strictObject({ from: z.enum(["otherDevice", "otherHand", "oldHand", "secondHost"]) })
    .describe("Frames of somebody else, one with each set of positions"),
  garbles: z
    .strictObject({ bytes: z.int().min(1).max(200), share: Share })
    .describe("Random bytes before a line of the adapter"),
  cuts: z
    .strictObject({ characters: z.int().min(1).max(20), share: Share })
    .describe("A line of the adapter ends after so many characters, without its CR"),
  stalls: z
    .strictObject({})
    .describe("Nothing of the adapter comes through; what it said in the meantime comes at once afterwards"),
  hangs: z.strictObject({}).describe("The adapter takes bytes and does nothing with them"),
  isUnplugged: z.strictObject({}).describe("The adapter is gone; plugged in again it is closed, as new"),
  pushes: z
    .strictObject({ joint: Joint, torqueNm: z.number().min(-2).max(2) })
    .describe("Somebody turns a joint"),
} as const;

/** What happens once. */
const EVENTS = {
  jumps: z
    .strictObject({ joint: Joint, counts: z.int().min(-20_000).max(20_000) })
    .describe("An encoder has another zero from now on"),
  heats: z
    .strictObject({ fingers: Fingers, celsius: z.number().min(0).max(120) })
    .describe("Motors have this temperature now; they cool down as they do"),
  motorError: z
    .strictObject({ motor: z.int().min(0).max(255), bits: z.int().min(1).max(255) })
    .describe("An error message as V5 sends it"),
  wasLeft: z
    .strictObject({ counts: z.int().min(-200).max(200) })
    .describe("The servo is on with this torque in every joint, as a program left it that has died"),
  switchesOff: z.strictObject({}).describe("The hand's servo goes off by itself, streams go on"),
  ends: z
    .strictObject({ what: z.array(z.enum(conditionNames())).min(1) })
    .describe("Conditions that are over"),
} as const;

export type ConditionName = keyof typeof CONDITIONS;
export type Conditions = ValuesOf<typeof CONDITIONS>;
export type EventName = keyof typeof EVENTS;
export type Events = ValuesOf<typeof EVENTS>;

function conditionNames(): [ConditionName, ...ConditionName[]] {
  return Object.keys(CONDITIONS) as [ConditionName, ...ConditionName[]];
}
export const CONDITION_NAMES: readonly ConditionName[] = conditionNames();
export const EVENT_NAMES = Object.keys(EVENTS) as EventName[];

export const HandFault = faultSchema(CONDITIONS, EVENTS);
export type HandFault = z.infer<typeof HandFault>;

/** The conditions that hold now. */
export class ActiveFaults extends ActiveConditions<Conditions> {}
