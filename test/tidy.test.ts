/** Style that a machine can hold people to. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { readSources } from "./sources.js";

const sources = readSources().filter(({ path }) => !/\.test\.tsx?$/.test(path) && !path.startsWith("test/"));

/** Real time is read in one place; everything else receives a Clock. */
const TIME = /\b(Date\.now|new Date|performance\.|setTimeout\(|setInterval\(|process\.hrtime|Math\.random)/;
const TIME_ALLOWED = new Set(["launch/systemClock.ts", "console/link/pageClock.ts"]);

/** Longest file that still fits in the head; longer ones say why in their first comment. */
const LINES_MAX = 500;

/** Everybody who clones the repository carries them. */
const MODEL_MIB_MAX = 12;
const MODELS_MIB_MAX = 40;

describe("tidy", () => {
  it("only the system clock touches real time and chance", () => {
    const found = sources
      .filter(({ path }) => !TIME_ALLOWED.has(path))
      .flatMap(({ path, text }) =>
        text
          .split("\n")
          .map((line, index) => ({ line: line.replace(/\/\/.*$|^\s*\*.*$/, ""), at: `${path}:${index + 1}` }))
          .filter(({ line }) => TIME.test(line))
          .map(({ at, line }) => `${at} ${line.trim()}`),
      );
    expect(found).toEqual([]);
  });

  it("every file opens with a comment that says what it is for", () => {
    expect(
      sources.filter(({ text }) => !/^(#!.*\n)?\/\*\*|^\/\//.test(text)).map(({ path }) => path),
    ).toEqual([]);
  });

  it("no file is longer than it can be understood", () => {
    expect(
      sources
        .map(({ path, text }) => ({ path, lines: text.split("\n").length }))
        .filter(({ lines }) => lines > LINES_MAX),
    ).toEqual([]);
  });

  it("file URLs become paths through fileURLToPath: `.pathname` breaks in a folder with a space", () => {
    const everything = readSources().filter(({ path }) => path !== "test/tidy.test.ts");
    expect(everything.filter(({ text }) => /\.pathname\b/.test(text)).map(({ path }) => path)).toEqual([]);
  });

  it("models that come with the repository are small", () => {
    const folder = fileURLToPath(new URL("../policies/bundles/", import.meta.url));
    const sizes = readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".onnx"))
      .map((path) => ({ path, mib: statSync(join(folder, path)).size / 2 ** 20 }));
    expect(sizes.length).toBeGreaterThan(0);
    expect(sizes.filter(({ mib }) => mib > MODEL_MIB_MAX)).toEqual([]);
    expect(sizes.reduce((sum, { mib }) => sum + mib, 0)).toBeLessThan(MODELS_MIB_MAX);
  });

  it("no default exports, no any", () => {
    expect(
      sources
        .filter(
          ({ path, text }) =>
            (/^export default/m.test(text) && !path.endsWith(".config.ts")) ||
            /(:|\bas|<)\s*any\b(?!\w)/.test(text.replace(/^\s*(\*|\/\/|\/\*).*$/gm, "")),
        )
        .map(({ path }) => path),
    ).toEqual([]);
  });
});
