/** Worker threads that end in ways in which the real one should not. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { systemClock } from "../../launch/systemClock.js";
import { PolicyHost } from "./host.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "host-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A worker that says it is ready, and does `onStart` when it is told to start. */
function hostOf(onStart: string, onDefect: (defect: Error) => void): PolicyHost {
  const entry = join(folder, "worker.mjs");
  writeFileSync(
    entry,
    `import { parentPort } from "node:worker_threads";
    parentPort.postMessage({ kind: "ready", policy: "test", task: "t", precision: "fp32", rejected: [], rateHz: 5, manifestSha256: "", engine: {}, loadMs: 1, command: null });
    parentPort.on("message", ({ requestId, kind }) => {
      if (kind === "start") { ${onStart} }
      else parentPort.postMessage({ kind: "answer", requestId });
      if (kind === "close") parentPort.close();
    });`,
  );
  return new PolicyHost({
    entry: pathToFileURL(entry),
    clock: systemClock,
    name: "test",
    socketPaths: [""],
    bundleDirectory: "",
    camera: {
      widthPx: 8,
      heightPx: 8,
      encoding: "rgb8",
      fovYDeg: 42,
      mount: { parentFrame: "flange", positionM: [0, 0, 0], quatXyzw: [0, 0, 0, 1] },
    },
    frameAgeMsMax: 150,
    approachSpeedScale: 0.3,
    intraOpThreads: 1,
    onDefect,
  });
}

it.each([
  ["throws", 'throw new Error("boom");', /Policy worker failed: boom/, "boom"],
  ["rejects", 'void Promise.reject(new Error("late boom"));', /Policy worker failed: late boom/, "late boom"],
  [
    "runs out of memory",
    "const kept = []; for (;;) kept.push(new Array(1e6).fill(kept.length + 0.5));",
    /Policy worker failed: .*memory/,
    "memory",
  ],
  ["ends by itself", "process.exit(3);", /Policy worker ended by itself/, undefined],
])(
  "a worker that %s leaves the policy failed, and the daemon running",
  async (_name, onStart, happened, defect) => {
    const defects: string[] = [];
    const host = hostOf(onStart, ({ message }) => defects.push(message));
    const phases: string[] = [];
    host.onPhase(({ phase }) => phases.push(phase));
    await host.configure();
    await expect(host.start()).rejects.toMatchObject({
      code: "NOT_RUNNING",
      message: expect.stringMatching(happened),
    });
    expect(host.crashed).toBe(true);
    expect(host.status()).toMatchObject({
      phase: "failed",
      failure: { remedy: expect.stringMatching(/policy start/) },
    });
    expect(phases).toEqual(["ready", "failed"]);
    if (defect !== undefined) expect(defects.join()).toContain(defect);
    // Neither a stop nor the end of the daemon waits for the dead.
    await host.stop();
    await host.close();
  },
);
