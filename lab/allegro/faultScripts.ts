/**
 * A fault script of the Allegro Hand: what goes wrong when, and the safe outcome that must follow. Scripts are data, one
 * YAML file each in `lab/faults/allegro`; `test/faults` runs each against the real driver and checks what is stated here,
 * and what holds for all of them.
 */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { z } from "zod";
import { repositoryRootUrl } from "../../core/entry.js";
import { CerebellumError, errorText } from "../../core/errors.js";
import { HAND_MODELS, HAND_SIDES } from "../../kinematics/allegro/hand.js";
import { HandFault } from "./handFaults.js";

const Code = z.string().regex(/^ALLEGRO_[A-Z0-9_]+$/);
const ErrorCode = z.string().regex(/^[A-Z_]+$/);
const Milliseconds = z.number().min(0).max(20_000);

export const HandFaultScript = z.strictObject({
  happens: z.string().min(20).describe("What really happens, one sentence"),
  scene: z
    .enum(["starting", "enabling", "following"])
    .describe(
      "What the driver is doing when the first step comes; `following`: a commander moves the fingers",
    ),
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
  steps: z
    .array(
      z.strictObject({
        afterMs: Milliseconds.default(0).describe("After the step before, or after the scene is set"),
        do: z.array(HandFault).min(1),
      }),
    )
    .min(1),
  outcome: z.strictObject({
    safe: z.string().min(10).describe("What is safe about it, one sentence"),
    driver: z
      .enum(["following", "faulted", "refuses"])
      .describe("`refuses`: the scene's request (start, enable) is refused"),
    hand: z
      .enum(["limp", "slack", "powered", "unreachable"])
      .describe(
        "`limp`: told zero torque, OFF and no stream, in this order; `slack`: does not exert anything; " +
          "`unreachable`: nothing can be told to it, its last torque acts",
      ),
    withinMs: Milliseconds.default(50).describe("From the last step, simulated"),
    faults: z.array(Code).default([]).describe("Exactly these faults are told, in any order"),
    warnings: z.array(Code).default([]).describe("Exactly these warnings are told"),
    refused: z.strictObject({ code: ErrorCode, says: z.string() }).optional(),
  }),
  recovery: z.strictObject({
    by: z.enum(["none", "enable", "power"]).describe("`none`: it goes on; `power`: a person at the supply"),
    first: z.array(HandFault).default([]).describe("What people do before"),
    refused: ErrorCode.optional().describe("It is refused all the same, and rightly"),
  }),
});
export type HandFaultScript = z.infer<typeof HandFaultScript>;
export interface NamedHandScript extends HandFaultScript {
  readonly name: string;
}

const FOLDER = "lab/faults/allegro/";
const ENDING = ".yaml";

/** @throws CerebellumError CONFIG_INVALID with the file and the field */
export function loadHandFaultScripts(): NamedHandScript[] {
  const folder = new URL(FOLDER, repositoryRootUrl());
  return readdirSync(folder)
    .filter((file) => file.endsWith(ENDING))
    .sort()
    .map((file) => ({ name: file.slice(0, -ENDING.length), ...read(new URL(file, folder)) }));
}

function read(file: URL): HandFaultScript {
  try {
    return HandFaultScript.parse(parse(readFileSync(file, "utf8")));
  } catch (thrown) {
    const found = thrown instanceof z.ZodError ? z.prettifyError(thrown) : errorText(thrown);
    throw new CerebellumError(
      "CONFIG_INVALID",
      `${fileURLToPath(file)}: ${found}`,
      "Correct the fault script; lab/allegro/faultScripts.ts says what it may hold",
      thrown,
    );
  }
}

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

/** Markdown; one row per script, in the order given. */
export function handFaultPage(scripts: readonly NamedHandScript[]): string {
  const rows = scripts.map(({ name, happens, scene, outcome, recovery }) => {
    const codes = [...outcome.faults, ...outcome.warnings];
    const refused = outcome.refused === undefined ? [] : [`refused: ${outcome.refused.code}`];
    const told = [...codes, ...refused].map((code) => `\`${code}\``).join(" ");
    return `| \`${name}\` | ${happens} | ${scene} | ${outcome.safe} | ${outcome.driver} | ${outcome.hand} | ${told} | ${RECOVERIES[recovery.by]} |`;
  });
  return [
    HEAD,
    `${scripts.length} scripts:\n`,
    "| script | what happens | while | what is safe about the outcome | driver | hand | told | recovery |",
    "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ...rows,
    "",
  ].join("\n");
}
