/**
 * A fault script of Digit: what goes wrong when, and the safe outcome that must follow. Scripts are data, one YAML file each
 * in `lab/faults/digit`; `test/faults` runs each against the real driver and links, and checks what is stated here, and what
 * holds for all of them.
 */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { z } from "zod";
import { repositoryRootUrl } from "../../core/entry.js";
import { CerebellumError, errorText } from "../../core/errors.js";
import { Conventions, DigitFault, OPERATION_MODES } from "./digitFaults.js";

const Code = z.string().regex(/^DIGIT_[A-Z0-9_]+$/);
const ErrorCode = z.string().regex(/^[A-Z_]+$/);
const Milliseconds = z.number().min(0).max(20_000);

export const DigitFaultScript = z.strictObject({
  happens: z.string().min(20).describe("What really happens, one sentence"),
  scene: z
    .enum(["starting", "enabling", "following"])
    .describe(
      "What the driver is doing when the first step comes; `following`: a commander moves the legs a little",
    ),
  given: z
    .strictObject({
      frames: Conventions.prefault({}).describe("In which the robot tells of its base"),
      digit: z.record(z.string(), z.unknown()).default({}).describe("Of the cell file's section"),
    })
    .prefault({})
    .describe("Where robot and cell differ from the common ones"),
  steps: z
    .array(
      z.strictObject({
        afterMs: Milliseconds.default(0).describe("After the step before, or after the scene is set"),
        do: z.array(DigitFault).min(1),
      }),
    )
    .min(1),
  outcome: z.strictObject({
    safe: z.string().min(10).describe("What is safe about it, one sentence"),
    driver: z
      .enum(["following", "faulted", "refuses"])
      .describe("`refuses`: the scene's request (start, enable) is refused"),
    motors: z
      .enum(["commanded", "quiet", "limp", "own"])
      .describe(
        "`commanded`: by our commands; `quiet`: damped or without torque, nothing is driven; `limp`: without power; " +
          "`own`: the robot's own controller has them",
      ),
    mode: z.enum(OPERATION_MODES).describe("The robot's operation mode at the end"),
    withinMs: Milliseconds.default(60).describe("Until the motors are so, from the last step, simulated"),
    faults: z.array(Code).default([]).describe("Exactly these faults are told, in any order"),
    warnings: z.array(Code).default([]).describe("Exactly these warnings are told"),
    refused: z.strictObject({ code: ErrorCode, says: z.string() }).optional(),
  }),
  recovery: z.strictObject({
    by: z
      .enum(["none", "enable", "start"])
      .describe("`none`: it goes on; `start`: another start of the process"),
    first: z.array(DigitFault).default([]).describe("What people do before"),
  }),
});
export type DigitFaultScript = z.infer<typeof DigitFaultScript>;
export interface NamedDigitScript extends DigitFaultScript {
  readonly name: string;
}

const FOLDER = "lab/faults/digit/";
const ENDING = ".yaml";

/** @throws CerebellumError CONFIG_INVALID with the file and the field */
export function loadDigitFaultScripts(): NamedDigitScript[] {
  const folder = new URL(FOLDER, repositoryRootUrl());
  return readdirSync(folder)
    .filter((file) => file.endsWith(ENDING))
    .sort()
    .map((file) => ({ name: file.slice(0, -ENDING.length), ...read(new URL(file, folder)) }));
}

function read(file: URL): DigitFaultScript {
  try {
    return DigitFaultScript.parse(parse(readFileSync(file, "utf8")));
  } catch (thrown) {
    const found = thrown instanceof z.ZodError ? z.prettifyError(thrown) : errorText(thrown);
    throw new CerebellumError(
      "CONFIG_INVALID",
      `${fileURLToPath(file)}: ${found}`,
      "Correct the fault script; lab/digit/faultScripts.ts says what it may hold",
      thrown,
    );
  }
}

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

/** Markdown; one row per script, in the order given. */
export function digitFaultPage(scripts: readonly NamedDigitScript[]): string {
  const rows = scripts.map(({ name, happens, scene, outcome, recovery }) => {
    const refused = outcome.refused === undefined ? [] : [`refused: ${outcome.refused.code}`];
    const told = [...outcome.faults, ...outcome.warnings, ...refused].map((code) => `\`${code}\``).join(" ");
    return `| \`${name}\` | ${happens} | ${scene} | ${outcome.safe} | ${outcome.driver} | ${outcome.motors} | ${outcome.mode} | ${told} | ${RECOVERIES[recovery.by]} |`;
  });
  return [
    HEAD,
    `${scripts.length} scripts:\n`,
    "| script | what happens | while | what is safe about the outcome | driver | motors | robot's mode | told | recovery |",
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ...rows,
    "",
  ].join("\n");
}
