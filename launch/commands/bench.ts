/** `bench`: measures a running cell or one part, prints the figures, and fails only where a count must be zero. */
import { sleepMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import type { ImageStorage } from "../../episodes/format.js";
import { loadBundle } from "../../policies/bundle.js";
import { pictureCamera, policyRobots } from "../../runtime/policy/config.js";
import { goTo } from "../tasks/trial.js";
import { collectSteps, describePolicyBench, summariseSteps } from "./benchPolicy.js";
import { printer, writeJson } from "./output.js";
import { enableOrFail, withDaemon } from "./running.js";

export interface BenchOptions {
  readonly cell: string;
  readonly seconds: number;
  /** `stop` only: rounds of each trigger, in place of `seconds`. */
  readonly rounds?: number;
  /** `recorder` only. */
  readonly images: ImageStorage;
  readonly json?: string;
  readonly logLevel: string;
}

export async function bench(what: string, options: BenchOptions): Promise<void> {
  if (what === "encoder") {
    await (await import("./benchEncoder.js")).benchEncoder(options);
  } else if (what === "servo") await benchServoCommand(options);
  else if (what === "digit") await benchDigitCommand(options);
  else if (what === "stop") await benchStopCommand(options);
  else if (what === "camera") await benchCamera(options);
  else if (what === "recorder") await benchRecorderCommand(options);
  else if (what === "teleop") await benchTeleopCommand(options);
  else if (what === "console") await benchConsoleCommand(options);
  else await benchPolicy(options);
}

async function benchServoCommand(options: BenchOptions): Promise<void> {
  const { benchServo, describeServoBench } = await import("./benchServo.js");
  const result = await benchServo({ seconds: options.seconds });
  const print = printer(options.json);
  for (const line of describeServoBench(result)) print(line);
  writeJson(options.json, result);
}

async function benchDigitCommand(options: BenchOptions): Promise<void> {
  const { benchDigit, describeDigitBench } = await import("./benchDigit.js");
  const print = printer(options.json);
  const result = await benchDigit({ seconds: options.seconds, onProgress: print });
  for (const line of describeDigitBench(result)) print(line);
  writeJson(options.json, result);
}

async function benchStopCommand(options: BenchOptions): Promise<void> {
  const { benchStop, describeStopBench, requireStopGate } = await import("./benchStop.js");
  const print = printer(options.json);
  const { seconds, rounds } = options;
  const result = await benchStop({ seconds, rounds, onProgress: print });
  for (const line of describeStopBench(result)) print(line);
  writeJson(options.json, result);
  requireStopGate(result);
}

async function benchRecorderCommand(options: BenchOptions): Promise<void> {
  const { benchRecorder, describeRecorderBench, requireNothingLost } = await import("./benchRecorder.js");
  const print = printer(options.json);
  const { cell, seconds, images } = options;
  const result = await benchRecorder({ cell, seconds, images, onProgress: print });
  for (const line of describeRecorderBench(result)) print(line);
  writeJson(options.json, result);
  requireNothingLost(result);
}

async function benchTeleopCommand(options: BenchOptions): Promise<void> {
  const { benchTeleop, describeTeleopBench, requireTeleopBars } = await import("./benchTeleop.js");
  const print = printer(options.json);
  const { cell, seconds } = options;
  const result = await benchTeleop({ cell, seconds, onProgress: print });
  for (const line of describeTeleopBench(result)) print(line);
  writeJson(options.json, result);
  requireTeleopBars(result);
}

async function benchConsoleCommand(options: BenchOptions): Promise<void> {
  const { benchConsole, describeConsoleBench, requireCheapConsole } = await import("./benchConsole.js");
  const print = printer(options.json);
  const { cell, seconds } = options;
  const result = await benchConsole({ cell, seconds, onProgress: print });
  for (const line of describeConsoleBench(result)) print(line);
  writeJson(options.json, result);
  requireCheapConsole(result);
}

/** Counts the wrist camera's frames while the policy runs, as in use. */
async function benchCamera(options: BenchOptions): Promise<void> {
  const print = printer(options.json);
  await withRunningPolicy(options, async (daemon, signal) => {
    const name = pictureCamera(daemon.cell.policy!);
    const { stream } = daemon.camera(name)!;
    const before = { ...stream.counters };
    const startNs = daemon.clock.nowNs();
    await sleepMs(daemon.clock, options.seconds * 1000, signal);
    const seconds = Number(daemon.clock.nowNs() - startNs) / 1e9;
    const count = (key: keyof typeof before) => stream.counters[key] - before[key];
    const received = count("receivedCount");
    const lost = count("lostCount");
    const result = {
      camera: name,
      seconds,
      receivedCount: received,
      rateHz: received / seconds,
      lostCount: lost,
      expectedCount: seconds * daemon.cell.cameras[name]!.rateHz,
      deliveredShare: received / (seconds * daemon.cell.cameras[name]!.rateHz),
      repeatedCount: count("repeatedCount"),
      lateCount: count("lateCount"),
      mismatchedCount: count("mismatchedCount"),
      corruptCount: count("corruptCount"),
    };
    print(
      `${name}: ${received} frames in ${seconds.toFixed(1)} s, ${result.rateHz.toFixed(2)} Hz, ${(100 * result.deliveredShare).toFixed(3)} % delivered`,
    );
    print(
      `  gaps in the stamps ${lost}, repeated ${result.repeatedCount}, late ${result.lateCount}, mismatched ${result.mismatchedCount}, corrupt ${result.corruptCount}`,
    );
    writeJson(options.json, result);
  });
}

async function benchPolicy(options: BenchOptions): Promise<void> {
  const print = printer(options.json);
  await withRunningPolicy(options, async (daemon, signal) => {
    const records = await collectSteps(daemon.policy!, daemon.clock, options.seconds, signal);
    const result = summariseSteps(records);
    for (const line of describePolicyBench(result)) print(line);
    const robots = policyRobots(daemon.cell.policy!);
    const found = await Promise.all(robots.map((robot) => daemon.servo(robot).statistics()));
    for (const [place, { ticks, missed, latenessUs }] of found.entries()) {
      const missedTicks = Object.values(missed).reduce((sum, count) => sum + count, 0);
      print(
        `servo of ${robots[place]} meanwhile: ${ticks} ticks, ${missedTicks} missed and counted, lateness p99 ${latenessUs.p99.toFixed(0)} us, max ${latenessUs.max.toFixed(0)} us`,
      );
    }
    const servos = Object.fromEntries(robots.map((robot, place) => [robot, found[place]]));
    writeJson(options.json, { ...result, servo: found[0], servos });
  });
}

type Work = Parameters<typeof withDaemon<void>>[1];

/** Brings the cell up with its policy moving the arm, so that everything loads the machine as in use. */
async function withRunningPolicy(options: BenchOptions, work: Work): Promise<void> {
  await withDaemon(
    { cellFile: options.cell, logLevel: "warn", policy: true, logToStderr: true },
    async (daemon, signal) => {
      const policy = daemon.cell.policy!;
      const { manifest } = await loadBundle(policy.bundle);
      await enableOrFail(daemon);
      await goTo(daemon, policyRobots(policy), manifest.start, policy.approachSpeedScale, signal);
      await daemon.policy!.start();
      await sleepMs(daemon.clock, 2000, signal);
      await work(daemon, signal);
      if (signal.aborted)
        throw new CerebellumError("CHECK_FAILED", "The measurement was interrupted", "Let it run to its end");
      await daemon.policy!.stop();
    },
  );
}
