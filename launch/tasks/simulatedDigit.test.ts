/** The wires without sockets carry what the real ones carry: the links live, control is taken, a cut is a cut. */
import { afterEach, describe, expect, it } from "vitest";
import { createCommand } from "../../drivers/digit/protocol/index.js";
import { IdealBody } from "../../lab/digit/idealBody.js";
import { COMMAND_TIMEOUT_MS } from "../../lab/digit/specs.js";
import { SimulatedDigit } from "./simulatedDigit.js";

const command = createCommand();
command.dampingNmSPerRad.fill(5);

describe("a Digit in simulated time", () => {
  let digit: SimulatedDigit;
  const run = async (ms: number) => {
    for (let passed = 0; passed < ms; passed++) {
      await digit.tick();
      digit.udp.send(command);
    }
  };
  /** Moves time on until a promise of the links is settled. */
  const settled = async <T>(promise: Promise<T>): Promise<T> => {
    let isOver = false;
    const over = promise.finally(() => {
      isOver = true;
    });
    over.catch(() => {});
    while (!isOver) await run(1);
    return over;
  };
  const open = async () => {
    digit = new SimulatedDigit({ body: new IdealBody() });
    await digit.udp.open(new AbortController().signal);
    await settled(digit.json.open(new AbortController().signal));
    await run(20);
  };
  afterEach(() => digit.close());

  it("is live within a few milliseconds, with nothing missing", async () => {
    await open();
    expect(digit.udp.state).toBe("live");
    expect(digit.udp.missing).toEqual([]);
    expect(digit.udp.limits!.torqueNm[3]).toBeCloseTo(231.31695, 6);
    const before = digit.udp.counters.observations;
    await run(10);
    expect(digit.udp.counters.observations).toBe(before + 10);
    expect(digit.udp.receivedMs).toBe(digit.clock.nowMs());
  });

  it("gives control as the real one does, and the commands act", async () => {
    await open();
    await settled(digit.json.takeControl(new AbortController().signal));
    expect(digit.emulator.robot.mode).toBe("low-level-api");
    command.apply = true;
    await run(5);
    command.apply = false;
    expect(digit.emulator.robot.motorLog.spans.at(-1)).toMatchObject({ cause: "command", effect: "damping" });
  });

  it("falls back by itself when the link is cut, and the link is silent soon after", async () => {
    await open();
    await settled(digit.json.takeControl(new AbortController().signal));
    const cutMs = digit.emulator.robot.nowMs;
    digit.network.isCut = true;
    await run(200);
    const { atMs, mode, why } = digit.emulator.robot.modeChanges.at(-1)!;
    expect({ mode, why }).toEqual({ mode: "damping", why: "timeout" });
    expect(atMs - cutMs).toBeGreaterThanOrEqual(COMMAND_TIMEOUT_MS);
    expect(atMs - cutMs).toBeLessThanOrEqual(COMMAND_TIMEOUT_MS + 2);
    expect(digit.udp.state).toBe("silent");
  });
});
