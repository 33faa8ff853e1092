import { describe, expect, it } from "vitest";
import { HOME, PERIOD_MS, peerOf, ServoBench, SUPERVISOR } from "./testing.js";

const policy = peerOf(1);

async function holding(changes = {}): Promise<ServoBench> {
  const bench = new ServoBench(changes);
  await bench.toHolding();
  return bench;
}

describe("teach mode", () => {
  it("ends streaming before the device is set free, and sends nothing to a free arm", async () => {
    const bench = await holding();
    const callsBefore = bench.driver.calls.length;
    await bench.servo.teach(true);
    expect(bench.driver.calls.slice(callsBefore)).toEqual(["deactivate 2", "teach on"]);
    const sentBefore = bench.driver.sent.length;
    await bench.run(400);
    expect(bench.last.state).toBe("teaching");
    expect(bench.driver.sent).toHaveLength(sentBefore);
  });

  it("shows the measured pose as what was sent, so that a recording holds the motion of the hand", async () => {
    const bench = await holding();
    await bench.servo.teach(true);
    await bench.run(bench.config.teach.settleMs + PERIOD_MS);
    bench.driver.moveByHand(0.3);
    await bench.run(8);
    expect(bench.last.state).toBe("teaching");
    expect([...bench.last.sentRad]).toEqual([...bench.last.positionRad]);
    expect(bench.last.positionRad[1]).toBeCloseTo(HOME[1]! + 0.3, 9);
  });

  it("is refused while somebody commands, and while the arm still moves", async () => {
    const bench = await holding();
    const epoch = bench.lease(policy);
    await expect(bench.servo.teach(true)).rejects.toThrow(/following/);
    bench.command(
      policy,
      epoch,
      HOME.map((value) => value + 0.5),
    );
    await bench.run(200);
    bench.servo.revokeLease(SUPERVISOR, "test");
    await expect(bench.servo.teach(true)).rejects.toThrow(/still moves/);
    await bench.run(600);
    await bench.servo.teach(true);
    expect(bench.servo.state).toBe("teaching");
  });

  it("is refused without a supervisor", async () => {
    const bench = await holding();
    bench.supervised = false;
    await bench.run(bench.config.supervisorSilenceMsMax + PERIOD_MS);
    await expect(bench.servo.teach(true)).rejects.toThrow(/nobody could stop/);
    expect(bench.driver.calls).not.toContain("teach on");
  });

  it.each(["stopped", "faulted"] as const)("is refused when %s", async (state) => {
    const bench = await holding();
    if (state === "stopped") {
      void bench.servo.stop(2, "test");
      await bench.run(200);
    } else bench.driver.fault("FAKE_COLLISION");
    await bench.run(8);
    expect(bench.servo.state).toBe(state);
    await expect(bench.servo.teach(true)).rejects.toThrow(state);
  });

  it("ends only when the arm stands still, and is not enabled after", async () => {
    const bench = await holding();
    await bench.servo.teach(true);
    await bench.run(bench.config.teach.settleMs);
    bench.driver.turnByHand(0.5);
    await bench.run(8);
    await expect(bench.servo.teach(false)).rejects.toThrow(/being moved/);
    bench.driver.turnByHand(0);
    await bench.run(240);
    await bench.servo.teach(false);
    await bench.run(8);
    expect(bench.last.state).toBe("connected");
    expect(bench.driver.calls.at(-1)).toBe("teach off");
  });

  it("does not end by what was seen before a stall of the loop", async () => {
    const bench = await holding();
    await bench.servo.teach(true);
    await bench.run(bench.config.teach.settleMs);
    bench.driver.turnByHand(0.5);
    await expect(bench.servo.teach(false)).rejects.toThrow(/being moved/);
    bench.driver.turnByHand(0);
    bench.driver.reports = false;
    await bench.clock.advance(bench.config.stateAgeMsMax + PERIOD_MS);
    await expect(bench.servo.teach(false)).rejects.toThrow(/ms old/);
    expect(bench.driver.calls).not.toContain("teach off");
  });

  it("starts again from where the hand has left the arm", async () => {
    const bench = await holding();
    await bench.servo.teach(true);
    await bench.run(bench.config.teach.settleMs + PERIOD_MS);
    bench.driver.moveByHand(0.4);
    await bench.run(400);
    await bench.servo.teach(false);
    const sentBefore = bench.driver.sent.length;
    await bench.servo.enable();
    await bench.run(40);
    const sent = bench.driver.sent.slice(sentBefore);
    expect(sent.length).toBeGreaterThan(5);
    for (const { positionRad } of sent) expect(positionRad[1]).toBeCloseTo(HOME[1]! + 0.4, 9);
  });

  it("no command from before it runs after it", async () => {
    const bench = await holding();
    const epoch = bench.lease(policy);
    bench.servo.releaseLease(policy, epoch);
    await bench.run(8);
    await bench.servo.teach(true);
    bench.command(policy, epoch, HOME);
    await bench.run(8);
    expect(bench.servo.state).toBe("teaching");
    expect(bench.servo.epoch).toBeGreaterThan(epoch);
  });

  it("a stop makes the device hold at once, and latches", async () => {
    const bench = await holding();
    await bench.servo.teach(true);
    await bench.run(8);
    const callsBefore = bench.driver.calls.length;
    await bench.servo.stop(2, "test");
    expect(bench.driver.calls.slice(callsBefore)).toEqual(["stopNow 2", "deactivate 2"]);
    expect(bench.servo.state).toBe("stopped");
  });

  it("a stop while the device is being set free leaves it held and stopped", async () => {
    const bench = await holding();
    let release = () => {};
    bench.driver.activation = new Promise((resolve) => {
      release = resolve;
    });
    const starting = bench.servo.teach(true);
    await bench.run(8);
    const stopping = bench.servo.stop(2, "test");
    release();
    await expect(starting).rejects.toThrow(/aborted/);
    await stopping;
    await bench.run(8);
    expect(bench.servo.state).toBe("stopped");
    expect(bench.driver.calls.at(-1)).toBe("deactivate 2");
  });

  it("a stop while streaming ends never sets the device free", async () => {
    const bench = await holding();
    let release = () => {};
    bench.driver.deactivation = new Promise((resolve) => {
      release = resolve;
    });
    const starting = bench.servo.teach(true);
    await bench.run(8);
    const stopping = bench.servo.stop(2, "test");
    release();
    await expect(starting).rejects.toThrow(/stopped/);
    await stopping;
    await bench.run(8);
    expect(bench.servo.state).toBe("stopped");
    expect(bench.driver.calls).not.toContain("teach on");
  });

  it("an arm that sinks while the device is being set free is stopped", async () => {
    const bench = await holding();
    let release = () => {};
    bench.driver.activation = new Promise((resolve) => {
      release = resolve;
    });
    const starting = bench.servo.teach(true);
    await bench.run(40);
    bench.driver.moveByHand(bench.config.teach.settleRadMax + 0.01);
    await bench.run(8);
    release();
    await starting;
    await bench.run(8);
    expect(bench.servo.state).toBe("stopped");
    expect(bench.events.map(({ text }) => text).join()).toMatch(/joint 2 moved 0.03/);
  });

  it.each(["connected", "holding"] as const)(
    "is refused while the arm itself moves, whatever was sent to it, when %s",
    async (state) => {
      const bench = new ServoBench();
      if (state === "holding") await bench.toHolding();
      else {
        await bench.servo.connect();
        await bench.run(8);
      }
      bench.driver.turnByHand(2 * bench.config.teach.stillRadPerS);
      await bench.run(8);
      await expect(bench.servo.teach(true)).rejects.toThrow(/still moves/);
      expect(bench.driver.calls).not.toContain("teach on");
      bench.driver.turnByHand(0);
      await bench.run(8);
      await bench.servo.teach(true);
    },
  );

  it("is refused while nobody sees the arm", async () => {
    const bench = await holding();
    bench.driver.reports = false;
    await bench.run(bench.config.stateAgeMsMax + PERIOD_MS);
    await expect(bench.servo.teach(true)).rejects.toThrow(/ms old/);
    expect(bench.driver.calls).not.toContain("teach on");
  });

  it("a device that refuses is left held, and says why", async () => {
    const bench = await holding();
    bench.driver.failWith = new Error("wrong load");
    await expect(bench.servo.teach(true)).rejects.toThrow("wrong load");
    expect(bench.servo.state).toBe("connected");
    expect(bench.driver.calls.at(-1)).toBe("deactivate 2");
  });
});
