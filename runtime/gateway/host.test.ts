/** The daemon's side with threads that a test plays: what the built one does not do on demand. */
import { afterEach, describe, expect, it } from "vitest";
import { SimClock } from "../../core/simClock.js";
import { soon } from "../../test/support/gateway.js";
import { GatewayHost } from "./host.js";
import { pass, testSetup } from "./partTesting.js";

/** Says that it is ready and that it lives, as the real one does; the first event that it is told hangs it for good. */
const HANGS = new URL(
  `data:text/javascript,${encodeURIComponent(`
    import { parentPort } from "node:worker_threads";
    const ready = { kind: "ready", port: 1, addresses: [], fingerprint: null, certificateDaysLeft: null };
    const counts = { poses: 9, droppedPoses: 1, malformed: 2, refused: 3, closed: 4 };
    parentPort.postMessage(ready);
    parentPort.on("message", ({ kind }) => {
      if (kind === "state") parentPort.postMessage({ kind: "alive", counts });
      if (kind === "event") for (;;);
      if (kind === "close") parentPort.close();
    });`)}`,
);

let host: GatewayHost;
afterEach(() => host.close());

describe("the gateway's host", () => {
  it("ends a thread that hangs and starts another; one that has little to say stays", async () => {
    const clock = new SimClock();
    const logged: string[] = [];
    host = new GatewayHost({
      entry: HANGS,
      clock,
      setup: testSetup(),
      restart: { delayMs: 20, take: () => true },
      log: (level, event, text) => logged.push(`${level} ${event}: ${text}`),
      answer: async () => "done",
      onStopped: () => {},
      onRecord: () => {},
      onVelocity: () => {},
    });
    await host.start();
    for (let second = 0; second < 30; second += 5) {
      host.state({ policy: null, recorder: null, activity: "", cameras: {} });
      await new Promise((resolve) => setTimeout(resolve, 20));
      await pass(clock, 5000);
    }
    expect(host.status()).toMatchObject({ state: "up", restarts: 0 });
    expect(host.diagnostics()[0]!.values).toMatchObject({ poses: 9, droppedPoses: 1, malformed: 2 });
    host.event({ epochMs: 0, level: "info", source: "test", text: "", remedy: "" });
    await pass(clock, 11_000);
    await soon(() => (host.status().state === "restarting" ? true : undefined));
    expect(logged.join("\n")).toMatch(/error gatewayDied: The gateway's thread said nothing for 10 s/);
    await pass(clock, 100);
    await soon(() => (host.status().state === "up" ? true : undefined));
    expect(host.status().restarts).toBe(1);
  });
});
