/**
 * A fault script of Digit: what goes wrong when, and the safe outcome that must follow. Scripts are data, one YAML file each
 * in `lab/faults/digit`; `test/faults` runs each against the real driver and links, and checks what is stated here, and what
 * holds for all of them.
 */
import { z } from "zod";
import { loadScripts, type Named } from "../faults/load.js";
import {
  DriverOutcome,
  Happens,
  Milliseconds,
  Safe,
  sceneOf,
  scriptPage,
  stepsOf,
  toldInWords,
  toldOf,
} from "../faults/scriptParts.js";
import { Conventions, DigitFault, OPERATION_MODES } from "./digitFaults.js";

const Code = z.string().regex(/^DIGIT_[A-Z0-9_]+$/);

export const DigitFaultScript = z.strictObject({
  happens: Happens,
  scene: sceneOf("the legs a little"),
  given: z
    .strictObject({
      frames: Conventions.prefault({}).describe("In which the robot tells of its base"),
      digit: z.record(z.string(), z.unknown()).default({}).describe("Of the cell file's section"),
    })
    .prefault({})
    .describe("Where robot and cell differ from the common ones"),
  steps: stepsOf(DigitFault),
  outcome: z.strictObject({
    safe: Safe,
    driver: DriverOutcome,
    motors: z
      .enum(["commanded", "quiet", "limp", "own"])
      .describe(
        "`commanded`: by our commands; `quiet`: damped or without torque, nothing is driven; `limp`: without power; " +
          "`own`: the robot's own controller has them",
      ),
    mode: z.enum(OPERATION_MODES).describe("The robot's operation mode at the end"),
    withinMs: Milliseconds.default(60).describe("Until the motors are so, from the last step, simulated"),
    ...toldOf(Code),
  }),
  recovery: z.strictObject({
    by: z
      .enum(["none", "enable", "start"])
      .describe("`none`: it goes on; `start`: another start of the process"),
    first: z.array(DigitFault).default([]).describe("What people do before"),
  }),
});
export type DigitFaultScript = z.infer<typeof DigitFaultScript>;
export type NamedDigitScript = Named<DigitFaultScript>;

/** @throws CerebellumError CONFIG_INVALID with the file and the field */
export const loadDigitFaultScripts = (): NamedDigitScript[] =>
  loadScripts({ device: "digit", schema: DigitFaultScript, toldIn: "lab/digit/faultScripts.ts" });

const HEAD = `# Fault scripts of Digit

Each file here is one fault: what really happens, what is injected when, and the safe outcome that must follow.
\`npm test\` and \`npm run test:faults\` run all of them in simulated time: the real driver with its real UDP and JSON links,
the emulated robot on a gantry behind a faulty network, and a commander that never learns; \`DIGIT_FAULTS=name,name\` runs a
few of them. What a script may hold: \`lab/digit/faultScripts.ts\`; what goes wrong: \`lab/digit/digitFaults.ts\`.

Checked for every script, besides what it states:
- once the motors are quiet nothing drives them until somebody enables again, whatever the commander says;
- no command beyond a motor's limits reaches the robot, none with a number that is none, and each with the fallback of the cell;
- a fault latches: no target is taken before an explicit enable;
- after the recovery targets are taken again.

What cannot be seen: a robot that says nothing of itself and still obeys. Of that, its own time-out and fallback are the guard.
`;
const RECOVERIES: Readonly<Record<NamedDigitScript["recovery"]["by"], string>> = {
  none: "goes on by itself",
  enable: "enable",
  start: "start again",
};

const COLUMNS = [
  "script",
  "what happens",
  "while",
  "what is safe about the outcome",
  "driver",
  "motors",
  "robot's mode",
  "told",
  "recovery",
];

/** Markdown; one row per script, in the order given. */
export const digitFaultPage = (scripts: readonly NamedDigitScript[]): string =>
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
      outcome.motors,
      outcome.mode,
      toldInWords([...outcome.faults, ...outcome.warnings], outcome.refused),
      RECOVERIES[recovery.by],
    ]),
  );
