/**
 * Every figure of the README's table, measured in one go on this machine: `npm run bench` (about 13 minutes), or only
 * some of it: `npm run bench -- servo start`. Results go to `.cerebellum/bench/<part>.json`; nothing here passes or
 * fails, because machines are shared and noisy.
 */
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { ROOT, Running } from "../support/cell.js";

const RESULTS = join(ROOT, ".cerebellum/bench");

/** Arguments of the command line for each part; `start` is timed here. */
const PARTS: Readonly<Record<string, readonly string[]>> = {
  start: [],
  servo: ["bench", "servo", "--seconds", "30"],
  policy: ["bench", "policy", "--seconds", "60"],
  camera: ["bench", "camera", "--seconds", "300"],
  encoder: ["bench", "encoder", "--seconds", "60"],
  evaluate: ["evaluate", "reach-block"],
  evaluateChangedLight: ["evaluate", "reach-block", "--light", "changed"],
};

const chosen = process.argv.slice(2);
const unknown = chosen.filter((name) => !(name in PARTS));
if (unknown.length > 0) {
  console.error(`unknown part: ${unknown.join(", ")}; there are: ${Object.keys(PARTS).join(", ")}`);
  process.exit(2);
}

mkdirSync(RESULTS, { recursive: true });
console.log(`${cpus().length} x ${cpus()[0]?.model}, load ${loadavg()[0]!.toFixed(2)}`);
for (const name of chosen.length > 0 ? chosen : Object.keys(PARTS)) {
  const file = join(RESULTS, `${name}.json`);
  console.log(`\n${name}, at load ${loadavg()[0]!.toFixed(2)}`);
  if (name === "start") writeFileSync(file, JSON.stringify(await timeStart(), undefined, 2));
  else await run(["dist/launch/main.js", ...PARTS[name]!, "--json", file]);
  if (name === "servo") drawHistogram(file);
}

function run(args: readonly string[]): Promise<void> {
  return new Promise((resolve) => {
    spawn(process.execPath, [...args], { cwd: ROOT, stdio: ["ignore", "inherit", "inherit"] }).once(
      "close",
      () => resolve(),
    );
  });
}

/** From the command to the first policy step, and from Ctrl-C to the end, on a prepared machine. */
async function timeStart(): Promise<{ startToFirstStepS: number; interruptToEndS: number }> {
  const startMs = performance.now();
  const up = new Running(["up"]);
  await up.until(/first policy step/, 120);
  const startToFirstStepS = (performance.now() - startMs) / 1000;
  const interruptMs = performance.now();
  await up.interrupt();
  const result = { startToFirstStepS, interruptToEndS: (performance.now() - interruptMs) / 1000 };
  console.log(
    `command to first policy step ${startToFirstStepS.toFixed(1)} s, Ctrl-C to end ${result.interruptToEndS.toFixed(2)} s`,
  );
  return result;
}

const BAR = 50;

/** Lateness of the servo loop as bars of logarithmic length. */
function drawHistogram(file: string): void {
  const { bucketsUs, counts } = findHistogram(JSON.parse(readFileSync(file, "utf8")));
  const most = Math.log1p(Math.max(...counts));
  counts.forEach((count, index) => {
    if (count === 0) return;
    const below = bucketsUs[index] === undefined ? "more" : `< ${bucketsUs[index]} us`;
    console.log(
      `${below.padStart(12)}  ${String(count).padStart(7)}  ${"#".repeat(Math.ceil((BAR * Math.log1p(count)) / most))}`,
    );
  });
}

interface Histogram {
  readonly bucketsUs: readonly number[];
  readonly counts: readonly number[];
}

function findHistogram(value: unknown): Histogram {
  if (typeof value === "object" && value !== null) {
    if ("bucketsUs" in value && "counts" in value) return value as Histogram;
    for (const inner of Object.values(value)) {
      const found = findHistogram(inner);
      if (found.counts.length > 0) return found;
    }
  }
  return { bucketsUs: [], counts: [] };
}
