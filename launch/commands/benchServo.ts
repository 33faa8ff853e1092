/**
 * `bench servo`: lateness, command latency, misses and memory of a real servo process, beside a C loop that shows what
 * this computer can do; once with real-time priority where permitted, once without. It fails when a tick is neither run
 * nor counted as missed; how late is too late is for `npm run bench` to say.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { CerebellumError } from "../../core/errors.js";
import { ServoConfig } from "../../runtime/servo/config.js";
import { type AllocationResult, measureAllocation } from "../timing/allocation.js";
import { compileReference } from "../timing/reference.js";
import { describePass } from "./describePass.js";
import type { LoopPass } from "./loopPass.js";
import { runServoPass } from "./servoPass.js";

/** Following takes far longer a tick, because the limiter looks ahead. */
const ALLOCATION_TICKS = { holding: 1_000_000, following: 250_000 } as const;

/** The pass with real-time priority, or the one without where it is refused; then the other one, if any. */
export interface ServoBenchResult extends LoopPass {
  readonly normalPriority?: LoopPass;
  readonly allocation: Readonly<Record<"holding" | "following", AllocationResult>>;
}

/** @throws CerebellumError CHECK_FAILED when ticks are missing that nobody counted */
export async function benchServo(options: { seconds: number }): Promise<ServoBenchResult> {
  const referenceProgram = await compileReference();
  const { realtimePriority } = ServoConfig.parse({});
  const pass = (priority: number) =>
    runServoPass({ ...options, realtimePriority: priority, referenceProgram });
  const first = await pass(realtimePriority);
  const second = first.realtimePriority > 0 ? await pass(0) : undefined;
  for (const { silentMissCount } of [first, second].filter((one) => one !== undefined)) {
    if (silentMissCount !== 0)
      throw new CerebellumError(
        "CHECK_FAILED",
        `${silentMissCount} servo ticks are neither run nor counted as missed`,
        "This is a defect of the servo loop; keep the JSON result and report it",
      );
  }
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const allocation = {
    holding: await measureAllocation({ ticks: ALLOCATION_TICKS.holding, what: "holding", collect }),
    following: await measureAllocation({ ticks: ALLOCATION_TICKS.following, what: "following", collect }),
  };
  return { ...first, ...(second === undefined ? {} : { normalPriority: second }), allocation };
}

export function describeServoBench(result: ServoBenchResult): string[] {
  const { allocation, normalPriority } = result;
  return [
    ...describePass(result),
    ...(normalPriority === undefined ? [] : describePass(normalPriority)),
    "servo's tick alone, without device, sockets or clients:",
    ...Object.entries(allocation).map(
      ([what, { ticks, heapGrowthBytes, bytesPerTick }]) =>
        `  ${what}: ${ticks} ticks grow the heap by ${heapGrowthBytes} bytes, ${bytesPerTick.toFixed(1)} bytes a tick become garbage`,
    ),
  ];
}
