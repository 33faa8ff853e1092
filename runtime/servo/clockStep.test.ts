import { describe, expect, it } from "vitest";
import { HOME, peerOf, ServoBench } from "./testing.js";

/** Setpoints of a motion during which the epoch clock is stepped by each of these [ms]. */
async function setpoints(stepsMs: readonly number[]): Promise<{ sent: unknown; triggers: unknown }> {
  const bench = new ServoBench();
  await bench.toHolding();
  const peer = peerOf(1);
  const epoch = bench.lease(peer);
  for (let round = 0; round < 6; round++) {
    bench.command(
      peer,
      epoch,
      HOME.map((value) => value + 0.1 * (round + 1)),
    );
    await bench.run(100);
    const stepMs = stepsMs[round];
    if (stepMs !== undefined) bench.clock.stepEpoch(stepMs);
    await bench.run(100);
  }
  return { sent: bench.driver.sent, triggers: bench.servo.statistics().triggers };
}

describe("a step of the epoch clock", () => {
  it("changes nothing in what the servo sends or watches", async () => {
    const undisturbed = await setpoints([]);
    const stepped = await setpoints([25, -25, 3_600_000, -7_200_000, 0.5]);
    expect((undisturbed.sent as unknown[]).length).toBeGreaterThan(250);
    expect(stepped).toEqual(undisturbed);
  });
});
