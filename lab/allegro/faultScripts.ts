/**
 * A fault script of the Allegro Hand: what goes wrong when, and the safe outcome that must follow. Scripts are data, one
 * YAML file each in `lab/faults/allegro`; `test/faults` runs each against the real driver and checks what is stated here,
 * and what holds for all of them.
 */
import { z } from "zod";
import { HAND_MODELS, HAND_SIDES } from "../../kinematics/allegro/hand.js";
import { loadScripts, type Named } from "../faults/load.js";
import {
  DriverOutcome,
  ErrorCode,
  Happens,
  Milliseconds,
  Safe,
  sceneOf,
  scriptPage,
  stepsOf,
  toldInWords,
  toldOf,
} from "../faults/scriptParts.js";
import { HandFault } from "./handFaults.js";

const Code = z.string().regex(/^ALLEGRO_[A-Z0-9_]+$/);

export const HandFaultScript = z.strictObject({
  happens: Happens,
  scene: sceneOf("the fingers"),
  given: z
    .strictObject({
      hand: z
        .strictObject({
          model: z.enum(HAND_MODELS).default("v4"),
          side: z.enum(HAND_SIDES).default("right"),
          streamsWhileOff: z.boolean().optional(),
          answersInfo: z.boolean().optional(),
        })
        .prefault({}),
      allegro: z.record(z.string(), z.unknown()).default({}).describe("Of the cell file's section"),
    })
    .prefault({})
    .describe("Where hand and cell differ from the common ones"),
  steps: stepsOf(HandFault),
  outcome: z.strictObject({
    safe: Safe,
    driver: DriverOutcome,
    hand: z
      .enum(["limp", "slack", "powered", "unreachable"])
      .describe(
        "`limp`: told zero torque, OFF and no stream, in this order; `slack`: does not exert anything; " +
          "`unreachable`: nothing can be told to it, its last torque acts",
      ),
    withinMs: Milliseconds.default(50).describe("From the last step, simulated"),
    ...toldOf(Code),
  }),
  recovery: z.strictObject({
    by: z.enum(["none", "enable", "power"]).describe("`none`: it goes on; `power`: a person at the supply"),
    first: z.array(HandFault).default([]).describe("What people do before"),
    refused: ErrorCode.optional().describe("It is refused all the same, and rightly"),
  }),
});
export type HandFaultScript = z.infer<typeof HandFaultScript>;
export type NamedHandScript = Named<HandFaultScript>;

/** @throws CerebellumError CONFIG_INVALID with the file and the field */
export const loadHandFaultScripts = (): NamedHandScript[] =>
  loadScripts({ device: "allegro", schema: HandFaultScript, toldIn: "lab/allegro/faultScripts.ts" });

const HEAD = `# Fault scripts of the Allegro Hand

Each file here is one fault: what really happens, what is injected when, and the safe outcome that must follow.
\`npm test\` and \`npm run test:faults\` run all of them in simulated time: the real driver, the emulated hand behind its SLCAN adapter, and
a commander that never learns; \`HAND_FAULTS=name,name\` runs a few of them. What a script may hold: \`lab/allegro/faultScripts.ts\`; what goes wrong:
\`lab/allegro/handFaults.ts\`.

Checked for every script, besides what it states:
- once the hand is told to go limp, no torque but zero and no ON follow until somebody enables again;
- no torque beyond a joint's limit, no message that must never be sent, nothing malformed;
- a fault latches: no target is taken before an explicit enable;
- after the recovery targets are taken again.

What cannot be seen: a finger whose counts stand still looks like a finger that is held; the servo's watch over the tracking
error notices it once the finger should move.
`;
const RECOVERIES: Readonly<Record<NamedHandScript["recovery"]["by"], string>> = {
  none: "goes on by itself",
  enable: "enable",
  power: "a person switches the hand off",
};

const COLUMNS = [
  "script",
  "what happens",
  "while",
  "what is safe about the outcome",
  "driver",
  "hand",
  "told",
  "recovery",
];

/** Markdown; one row per script, in the order given. */
export const handFaultPage = (scripts: readonly NamedHandScript[]): string =>
  scriptPage(
    HEAD,
    `${scripts.length} scripts`,
    COLUMNS,
    scripts.map(({ name, happens, scene, outcome, recovery }) => [
      `\`${name}\``,
      happens,
      scene,
      outcome.safe,
      outcome.driver,
      outcome.hand,
      toldInWords([...outcome.faults, ...outcome.warnings], outcome.refused),
      RECOVERIES[recovery.by],
    ]),
  );
