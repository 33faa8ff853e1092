import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

/** They look at the whole of their process, the heap for instance, or put something of their own in its place. */
const ALONE = [
  "launch/timing/allocation.test.ts",
  "launch/timing/digitWire.test.ts",
  "launch/timing/legTick.test.ts",
  "console/xr/cameraPicture.test.ts",
  "console/operator/state/operatorApp.test.ts",
];

/** Minutes of computing, in simulated time or in none: whatever runs beside them only makes them slower. */
const SIMULATED = [
  "calibration/*.system.test.ts",
  "kinematics/**/*.system.test.ts",
  "lab/digit/*.system.test.ts",
  "launch/{demonstrator,tasks}/*.system.test.ts",
  "test/endtoend/exports.test.ts",
];

/** Many unit tests wait for a socket or a process half of their time; vitest by itself would leave a core free. */
const UNIT_WORKERS = Math.max(2, availableParallelism() - 1);
/** Another number of workers wants another turn. */
const UNIT_SEQUENCE = { groupOrder: 1 };
const SIMULATED_SEQUENCE = { groupOrder: 2 };

/**
 * `unit` runs beside the sources in any order, many files in one process: nothing of ours keeps state in a module, and
 * loading ONNX Runtime, MuJoCo and zod anew for each of 300 files took longer than half of the tests. `alone` has a
 * process for each file. `system` starts real processes, so one file at a time; those of its tests that only compute are
 * `simulated`, a file for each core. `faults` runs the fault scripts of lab/faults against real servo processes, a few at a
 * time.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: [
            "{core,kinematics,drivers,policies,episodes,calibration,runtime,launch,lab,console}/**/*.test.{ts,tsx}",
            "test/*.test.ts",
            "test/bench/*.test.ts",
            // In simulated time, unlike the others of its folder.
            "test/faults/allegroScripts.test.ts",
            "test/faults/digitScripts.test.ts",
          ],
          exclude: ["**/*.system.test.ts", "**/node_modules/**", "dist/**", ...ALONE],
          isolate: false,
          maxWorkers: UNIT_WORKERS,
          sequence: UNIT_SEQUENCE,
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: "alone",
          include: ALONE,
          maxWorkers: UNIT_WORKERS,
          sequence: UNIT_SEQUENCE,
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: "faults",
          include: ["test/faults/**/*.test.ts"],
          exclude: ["**/*.system.test.ts", "**/node_modules/**", "dist/**"],
          /** Each script mostly waits; more at once would make the servos late on two cores. */
          maxConcurrency: 3,
          testTimeout: 240_000,
        },
      },
      {
        test: {
          name: "system",
          include: ["**/*.system.test.ts", "test/{lab,endtoend}/**/*.test.ts"],
          exclude: ["**/node_modules/**", "dist/**", ...SIMULATED],
          fileParallelism: false,
          /** Each may be a whole lab, with threads of real-time priority: five at once keep two cores from all the rest. */
          maxConcurrency: 2,
          testTimeout: 180_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: "simulated",
          include: SIMULATED,
          exclude: ["**/node_modules/**", "dist/**"],
          maxWorkers: availableParallelism(),
          sequence: SIMULATED_SEQUENCE,
          testTimeout: 180_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
