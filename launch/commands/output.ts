/** Results of commands as JSON: to a file, or to standard output with `-`. */
import { writeFileSync } from "node:fs";

export function writeJson(target: string | undefined, result: unknown): void {
  if (target === undefined) return;
  const text = `${JSON.stringify(result, (_key, value) => (typeof value === "bigint" ? value.toString() : value), 2)}\n`;
  if (target === "-") process.stdout.write(text);
  else writeFileSync(target, text);
}

/** Lines for people: to standard output, or to standard error when that is taken by `--json -`. */
export const printer = (json: string | undefined) => (line: string) =>
  void (json === "-" ? process.stderr : process.stdout).write(`${line}\n`);
