/**
 * Every figure of the README's table, measured in one go on this machine: `npm run bench` (about half an hour), or only
 * some of it: `npm run bench -- servo start`. Results go to `.cerebellum/bench/<part>.json`. Machines are shared and
 * noisy, so figures pass or fail only against something that ran beside them: the servo's lateness must stay within a
 * fifth of its recorded ratio to a C loop's. `npm run bench -- servo --record` records it anew, on a quiet machine.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import type { DigitBenchResult } from "../../launch/commands/benchDigit.js";
import type { ServoBenchResult } from "../../launch/commands/benchServo.js";
import type { LoopPass } from "../../launch/commands/loopPass.js";
import { ROOT, Running } from "../support/cell.js";
import { findRegressions, Recorded, record } from "./gate.js";

const RESULTS = join(ROOT, ".cerebellum/bench");
/** Longest bar of the histogram [characters]. */
const BAR = 50;

/** Arguments of the command line for each part, or a program of its own; `start` is timed here. */
const PARTS: Readonly<Record<string, readonly string[]>> = {
  start: [],
  servo: ["bench", "servo", "--seconds", "30"],
  digit: ["bench", "digit", "--seconds", "30"],
  policy: ["bench", "policy", "--seconds", "60"],
  camera: ["bench", "camera", "--seconds", "300"],
  recorder: ["bench", "recorder", "--seconds", "600"],
  console: ["bench", "console", "--seconds", "150"],
  teleop: ["bench", "teleop", "--seconds", "60"],
  encoder: ["bench", "encoder", "--seconds", "60"],
  export: ["dist/test/bench/exportBench.js"],
  teleopLag: ["dist/test/bench/teleopLag.js"],
  retargeting: ["dist/test/bench/retargeting.js"],
  handLoop: ["dist/test/bench/handLoop.js"],
  combined: ["dist/test/bench/combined.js"],
  evaluate: ["evaluate", "reach-block"],
  evaluateChangedLight: ["evaluate", "reach-block", "--light", "changed"],
};

const RECORDED_FILE = join(ROOT, "test/bench/recorded.json");

const isRecording = process.argv.includes("--record");
const chosen = process.argv.slice(2).filter((word) => word !== "--record");
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
  else if ((await run([...programOf(PARTS[name]!), "--json", file])) !== 0) process.exitCode = 1;
  else if (name === "servo") judgeServo(file);
  else if (name === "digit") drawHistogram((JSON.parse(readFileSync(file, "utf8")) as DigitBenchResult).loop);
}

/** Words of the command line, unless they name a program of their own. */
function programOf(words: readonly string[]): readonly string[] {
  return words[0]!.endsWith(".js") ? words : ["dist/launch/main.js", ...words];
}

/** @returns the exit code */
function run(args: readonly string[]): Promise<number | null> {
  return new Promise((resolve) => {
    spawn(process.execPath, [...args], { cwd: ROOT, stdio: ["ignore", "inherit", "inherit"] }).once(
      "close",
      resolve,
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

function judgeServo(file: string): void {
  const result = JSON.parse(readFileSync(file, "utf8")) as ServoBenchResult;
  drawHistogram(result);
  if (isRecording) {
    const machine = `${cpus().length} x ${cpus()[0]?.model}, load ${loadavg()[0]!.toFixed(2)}`;
    const recorded = record(result, machine, new Date().toISOString().slice(0, 10));
    writeFileSync(RECORDED_FILE, `${JSON.stringify(recorded, undefined, 2)}\n`);
    console.log(`recorded in ${RECORDED_FILE}`);
  }
  if (!existsSync(RECORDED_FILE)) console.log("no ratio is recorded yet: npm run bench -- servo --record");
  const recorded = existsSync(RECORDED_FILE)
    ? Recorded.parse(JSON.parse(readFileSync(RECORDED_FILE, "utf8")))
    : undefined;
  const regressions = findRegressions(result, recorded);
  for (const regression of regressions) console.error(`WORSE: ${regression}`);
  if (regressions.length > 0) process.exitCode = 1;
}

/** Lateness of the servo loop as bars of logarithmic length. */
function drawHistogram({ latenessBucketsUs, latenessCounts }: LoopPass): void {
  const most = Math.log1p(Math.max(...latenessCounts));
  latenessCounts.forEach((count, index) => {
    if (count === 0) return;
    const edgeUs = latenessBucketsUs[index]!;
    const below = edgeUs === Number.MAX_VALUE ? "more" : `< ${edgeUs} us`;
    console.log(
      `${below.padStart(12)}  ${String(count).padStart(7)}  ${"#".repeat(Math.ceil((BAR * Math.log1p(count)) / most))}`,
    );
  });
}
