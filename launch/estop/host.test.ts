import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { SimClock } from "../../core/simClock.js";
import { systemClock } from "../systemClock.js";
import { EstopConfig } from "./config.js";
import { EstopHost } from "./host.js";
import type { EstopSetup } from "./messages.js";

const log = pino({ level: "silent" });
const start = (setup: EstopSetup, gone: string[] = []) =>
  EstopHost.start({ setup, clock: systemClock, log, onStop: () => {}, onGone: (why) => gone.push(why) });

describe("e-stop host", () => {
  it("knows its sources at once, and lets nothing be enabled while a required one is missing", async () => {
    const gone: string[] = [];
    const estop = EstopConfig.parse({
      line: { path: "/nowhere/button" },
      input: { device: "/nowhere/keys", required: false },
    });
    const host = await start({ estop, sockets: {} }, gone);
    expect(host.whyNotEnable()).toMatch(/^Nothing is enabled: stop source line: /);
    expect(host.whyNotEnable()).not.toMatch(/input/);
    expect(host.diagnostics()).toMatchObject([
      { name: "estop: input", level: "warn", values: { state: "absent", required: "no" } },
      { name: "estop: line", level: "error", values: { state: "absent", required: "yes" } },
    ]);
    await host.close();
    expect(gone).toEqual([]);
  });

  it("takes a worker that says nothing any more for gone", async () => {
    const gone: string[] = [];
    const clock = new SimClock();
    const estop = EstopConfig.parse({ line: { path: "/nowhere/button" } });
    const host = await EstopHost.start({
      setup: { estop, sockets: {} },
      clock,
      log,
      onStop: () => {},
      onGone: (why) => gone.push(why),
    });
    // The worker tells once a real second; a simulated one passes at once.
    for (let look = 0; look < 20 && gone.length === 0; look++) {
      await clock.advance(1000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(gone).toEqual(["it said nothing for 5 s"]);
    const closing = host.close();
    await new Promise((resolve) => setTimeout(resolve, 200));
    await clock.advance(2000);
    await closing;
    expect(gone).toHaveLength(1);
  });

  it("says that its worker is gone, so that the daemon can end", async () => {
    const gone: string[] = [];
    await expect(start({ estop: {} as EstopConfig, sockets: {} }, gone)).rejects.toMatchObject({
      code: "TIMED_OUT",
      message: expect.stringMatching(/did not start/),
    });
    expect(gone).toHaveLength(1);
  });
});
