/** Reads a cell file: YAML with line numbers, the strict schema, and errors that a person can act on. */
import { readFileSync } from "node:fs";
import { isAbsolute, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { distance } from "fastest-levenshtein";
import { LineCounter, parseDocument } from "yaml";
import { z } from "zod";
import { repositoryRootUrl } from "../../core/entry.js";
import { CerebellumError } from "../../core/errors.js";
import { shippedCells } from "./default.js";
import type { RobotConfig } from "./robotConfig.js";
import { CellConfig } from "./schema.js";

/**
 * The cell as checked; its bundle's and its recordings' folders and its serial adapters have absolute paths.
 * @throws CerebellumError FILE_UNREADABLE or CONFIG_INVALID, naming line, path, what was found and what was expected
 */
export function loadCell(file: string): CellConfig {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw new CerebellumError(
      "FILE_UNREADABLE",
      `Cell file ${file} cannot be read: ${(cause as NodeJS.ErrnoException).code ?? "unknown reason"}`,
      `Give the path of a cell file, or the name of a shipped one: ${shippedCells().join(", ")}`,
      cause,
    );
  }
  const cell = parseCell(text, file);
  const absolute = (path: string) => resolve(fileURLToPath(repositoryRootUrl()), path);
  const { policy, recorder } = cell;
  return {
    ...cell,
    robots: withAdapters(cell.robots, absolute),
    ...(policy === undefined ? {} : { policy: { ...policy, bundle: absolute(policy.bundle) } }),
    recorder: recorder === "off" ? recorder : { ...recorder, folder: absolute(recorder.folder) },
  };
}

/** The cell as an episode keeps it: folders inside the repository are named from there, on whatever machine that lies. */
export function recordedCell(cell: CellConfig): Record<string, unknown> {
  const root = fileURLToPath(repositoryRootUrl());
  const portable = (path: string) => {
    const inside = relative(root, path);
    return inside.startsWith("..") || isAbsolute(inside) ? path : inside;
  };
  const { policy, recorder } = cell;
  return JSON.parse(
    JSON.stringify({
      ...cell,
      robots: withAdapters(cell.robots, portable),
      policy: policy && { ...policy, bundle: portable(policy.bundle) },
      recorder: recorder === "off" ? recorder : { ...recorder, folder: portable(recorder.folder) },
    }),
  ) as Record<string, unknown>;
}

/** The robots with the paths of their serial adapters changed. */
function withAdapters(robots: CellConfig["robots"], change: (path: string) => string): CellConfig["robots"] {
  const changed = (robot: RobotConfig): RobotConfig => {
    if (robot.device !== "allegro" || robot.allegro.can.slcan === undefined) return robot;
    const { slcan } = robot.allegro.can;
    const can = { slcan: { ...slcan, path: change(slcan.path) } };
    return { ...robot, allegro: { ...robot.allegro, can } };
  };
  return Object.fromEntries(Object.entries(robots).map(([name, robot]) => [name, changed(robot)]));
}

export function parseCell(text: string, file: string): CellConfig {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const problem = document.errors[0];
  if (problem) {
    throw invalid(file, [`line ${problem.linePos?.[0].line ?? "?"}: ${problem.message.split("\n")[0]}`]);
  }
  const result = CellConfig.safeParse(document.toJS());
  if (result.success) return result.data;
  const lineOf = (path: readonly PropertyKey[]): number | undefined => {
    for (let length = path.length; length > 0; length--) {
      const node = document.getIn(path.slice(0, length), true) as
        | { range?: [number, number, number] }
        | undefined;
      if (node?.range) return lines.linePos(node.range[0]).line;
    }
    return undefined;
  };
  throw invalid(
    file,
    result.error.issues.flatMap((issue) => describeIssue(issue, document.toJS(), lineOf)),
  );
}

function invalid(file: string, problems: string[]): CerebellumError {
  return new CerebellumError(
    "CONFIG_INVALID",
    `Cell file ${file} is not valid:\n  ${problems.join("\n  ")}`,
    "Correct the named entries; `./cerebellum config check FILE` checks without starting anything",
  );
}

function describeIssue(
  issue: z.core.$ZodIssue,
  root: unknown,
  lineOf: (path: readonly PropertyKey[]) => number | undefined,
): string[] {
  const where = (path: readonly PropertyKey[]) => {
    const line = lineOf(path);
    return `${line === undefined ? "" : `line ${line}: `}${path.map(String).join(".") || "(file)"}`;
  };
  if (issue.code === "invalid_union") {
    // What is an object is meant as the form that has keys; its own issues say what is wrong with it.
    const [forms, value] = [issue.errors, valueAt(root, issue.path)];
    const inner = typeof value === "object" && value !== null ? forms.find(isAboutKeys) : undefined;
    if (inner !== undefined) {
      return inner.flatMap((one) =>
        describeIssue({ ...one, path: [...issue.path, ...one.path] }, root, lineOf),
      );
    }
  }
  if (issue.code === "unrecognized_keys") {
    const valid = keysAt(issue.path, root);
    return issue.keys.map((key) => {
      const near = nearest(key, valid);
      return `${where([...issue.path, key])}: unknown key${near ? `; did you mean "${near}"?` : ""} (valid: ${valid.join(", ")})`;
    });
  }
  const found = valueAt(root, issue.path);
  const shown = found === undefined ? "missing" : JSON.stringify(found);
  return [
    `${where(issue.path)}: ${issue.message}; found ${shown.length > 80 ? `${shown.slice(0, 80)}…` : shown}`,
  ];
}

const valueAt = (root: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key], root);

/** An object's form fails at its keys or below them; any other form fails as a whole. */
const isAboutKeys = (issues: readonly z.core.$ZodIssue[]): boolean =>
  issues.every(({ code, path }) => code === "unrecognized_keys" || path.length > 0);

export function nearest(word: string, valid: readonly string[]): string | undefined {
  const ranked = valid
    .map((name) => ({ name, cost: distance(word.toLowerCase(), name.toLowerCase()) }))
    .sort((a, b) => a.cost - b.cost)[0];
  return ranked && ranked.cost <= Math.max(2, Math.ceil(word.length / 2)) ? ranked.name : undefined;
}

/** Valid keys at a path of the schema, read from its JSON Schema so that no second list exists. */
function keysAt(path: readonly PropertyKey[], root: unknown): string[] {
  let node: JsonSchema | undefined = cellJsonSchema();
  for (const [depth, key] of path.entries()) {
    const form: JsonSchema | undefined = formOf(node, valueAt(root, path.slice(0, depth)));
    node =
      form?.properties?.[String(key)] ??
      (typeof form?.additionalProperties === "object" ? form.additionalProperties : undefined);
  }
  return Object.keys(formOf(node, valueAt(root, path))?.properties ?? {});
}

/** Of several forms the one whose constants (a robot's `device`) are those of the value; else the first with keys. */
function formOf(node: JsonSchema | undefined, value: unknown): JsonSchema | undefined {
  const forms = (node?.oneOf ?? node?.anyOf)?.filter(({ properties }) => properties !== undefined);
  if (forms === undefined || forms.length === 0) return node;
  const isMeant = ({ properties }: JsonSchema) =>
    Object.entries(properties!).every(
      ([key, { const: constant }]) => constant === undefined || constant === valueAt(value, [key]),
    );
  return forms.find(isMeant) ?? forms[0];
}

interface JsonSchema {
  properties?: Record<string, JsonSchema>;
  additionalProperties?: JsonSchema | boolean;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  const?: unknown;
}

/** JSON Schema for editors; `launch/cells/cell.schema.json` is this text, and a test holds it to it. */
export function cellJsonSchema(): JsonSchema {
  return z.toJSONSchema(CellConfig, { io: "input", target: "draft-7" }) as JsonSchema;
}
