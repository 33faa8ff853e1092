/**
 * Stops over ROS, from the call of an rclpy client to the emulated wire: `npm run ros-stop -- [--rounds N] [--json FILE]`.
 * A whole daemon of the lab's cell; its main thread serves ROS, so nothing is promised here, only measured.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { addNs, type MonotonicNs, msToNs, sleepMs } from "../../core/clock.js";
import { Random } from "../../lab/world/random.js";
import { enableOrFail, withDaemon } from "../../launch/commands/running.js";
import { type SampleSummary, summariseMs } from "../../launch/commands/statistics.js";
import type { Daemon } from "../../launch/daemon/daemon.js";
import { framesOf, judgeStop } from "../../launch/rig/wire.js";
import type { ServoClient } from "../../runtime/servo/api.js";
import { ROOT, writeCell } from "../support/cell.js";

const KINDS = ["topic", "stop_now", "stop"] as const;
const FAR_RAD = 0.6;
const SPEED_SCALE = 0.4;
const CRUISE_MS = 420;
const REST_MS = 350;

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "20" }, json: { type: "string" } },
});
const folder = mkdtempSync(join(tmpdir(), "cerebellum-ros-stop-"));
const cellFile = await writeCell(folder, (cell) => {
  delete cell.policy;
});
try {
  await withDaemon({ cellFile, logLevel: "error", policy: false }, measure);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function measure(daemon: Daemon): Promise<void> {
  const stopper = spawn("python3", [join(ROOT, "test/campaigns/stopper.py")], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: stopper.stdout })[Symbol.asyncIterator]();
  const next = async () => JSON.parse((await lines.next()).value as string) as { atNs?: string };
  await next();
  const commander = await daemon.connectCommander("arm", "ros stop");
  const random = new Random(1);
  const samplesMs = new Map(KINDS.map((kind) => [kind, [] as number[]]));
  for (let round = 0; round < Number(values.rounds); round++)
    for (const kind of KINDS) {
      await daemon.supervisor.reset();
      await enableOrFail(daemon);
      await daemon.lab!.ask({ do: "wire", clear: true, form: "times", since: 0 });
      const [, { atNs }] = await Promise.all([
        cruise(daemon, commander),
        sleepMs(daemon.clock, CRUISE_MS + random.uniform() * 40).then(() => {
          stopper.stdin.write(`${kind}\n`);
          return next();
        }),
      ]);
      await sleepMs(daemon.clock, REST_MS);
      const { wire } = await daemon.lab!.ask({ do: "wire", clear: false, form: "records", since: 0 });
      const judged = judgeStop(framesOf(wire!), BigInt(atNs!));
      if (judged !== undefined) samplesMs.get(kind)!.push(judged.reactionMs);
    }
  stopper.stdin.end();
  await commander.close();
  const result: Record<string, SampleSummary | undefined> = {};
  for (const [kind, samples] of samplesMs) {
    const summary = summariseMs(samples);
    result[kind] = summary;
    console.log(
      `${kind}: ${samples.length} stops, p50 ${summary?.p50Ms.toFixed(1)} ms, max ${summary?.maxMs.toFixed(1)} ms to the wire`,
    );
  }
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(result, undefined, 2)}\n`);
  if (Object.values(result).some((summary) => summary === undefined)) process.exitCode = 1;
}

/** Towards a far target at constant speed until the lease is lost. */
async function cruise(daemon: Daemon, commander: ServoClient): Promise<void> {
  const lease = await commander.acquireLease("ros stop");
  const from = commander.latest()!.positionRad;
  const positionRad = [...from];
  positionRad[0] = from[0]! > 0 ? -FAR_RAD : FAR_RAD;
  while (!lease.lost.aborted) {
    const expiresNs: MonotonicNs = addNs(daemon.clock.nowNs(), msToNs(500));
    lease.command({ positionRad, expiresNs, speedScale: SPEED_SCALE });
    await sleepMs(daemon.clock, 40, lease.lost);
  }
}
