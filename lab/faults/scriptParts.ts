/** What the fault scripts of devices with a driver in simulated time have in common: their parts, and their page for people. */
import { z } from "zod";

export const Milliseconds = z.number().min(0).max(20_000);
export const ErrorCode = z.string().regex(/^[A-Z_]+$/);
export const Happens = z.string().min(20).describe("What really happens, one sentence");
export const Safe = z.string().min(10).describe("What is safe about it, one sentence");
export const Refused = z.strictObject({ code: ErrorCode, says: z.string() });

/** @param moves what a commander moves meanwhile */
export const sceneOf = (moves: string) =>
  z
    .enum(["starting", "enabling", "following"])
    .describe(
      `What the driver is doing when the first step comes; \`following\`: a commander moves ${moves}`,
    );

export const DriverOutcome = z
  .enum(["following", "faulted", "refuses"])
  .describe("`refuses`: the scene's request (start, enable) is refused");

/** @param fault what goes wrong on this device */
export const stepsOf = <Fault extends z.ZodType>(fault: Fault) =>
  z
    .array(
      z.strictObject({
        afterMs: Milliseconds.default(0).describe("After the step before, or after the scene is set"),
        do: z.array(fault).min(1),
      }),
    )
    .min(1);

/** @param code of this device's faults */
export const toldOf = <Code extends z.ZodType>(code: Code) => ({
  faults: z.array(code).default([]).describe("Exactly these faults are told, in any order"),
  warnings: z.array(code).default([]).describe("Exactly these warnings are told"),
  refused: Refused.optional(),
});

/** All that a script says is told, as words of code. */
export const toldInWords = (codes: readonly string[], refused: z.infer<typeof Refused> | undefined): string =>
  [...codes, ...(refused === undefined ? [] : [`refused: ${refused.code}`])]
    .map((code) => `\`${code}\``)
    .join(" ");

/** Markdown. @param head ends with an empty line; @param counted how many scripts there are, in words */
export function scriptPage(
  head: string,
  counted: string,
  columns: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [head, `${counted}:\n`, row(columns), row(columns.map(() => "---")), ...rows.map(row), ""].join(
    "\n",
  );
}
