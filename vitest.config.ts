import { defineConfig } from "vitest/config";

/**
 * `unit` runs beside the sources in any order; `system` starts real processes, so one file at a time; `faults` runs the
 * fault scripts of lab/faults against real servo processes, a few at a time.
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
          ],
          exclude: ["**/*.system.test.ts", "**/node_modules/**", "dist/**"],
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
          exclude: ["**/node_modules/**", "dist/**"],
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
