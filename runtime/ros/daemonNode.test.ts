import { describe, expect, it } from "vitest";
import { SimClock } from "../../core/simClock.js";
import type { DiagnosticItem, Supervisor } from "../supervisor.js";
import { flattenParameters, startDaemonNode } from "./daemonNode.js";
import { FakeRos } from "./testing.js";

const item: DiagnosticItem = {
  name: "servo: arm",
  hardwareId: "arm",
  level: "warn",
  message: "late",
  values: { latenessP99Us: 120, state: "holding" },
};

function start() {
  const clock = new SimClock();
  const ros = new FakeRos();
  const calls: string[] = [];
  const answer = (call: string) => {
    calls.push(call);
    return Promise.resolve({ success: true, message: call });
  };
  const supervisor: Supervisor = {
    enable: () => answer("enable"),
    stop: (category, reason) => answer(`stop ${category} ${reason}`),
    reset: () => answer("reset"),
    teach: async () => ({ success: true, message: "" }),
    startPolicy: (bundle) => answer(`start ${bundle}`),
    stopPolicy: () => answer("stopPolicy"),
    diagnostics: () => Promise.resolve([item]),
  };
  const daemon = startDaemonNode(ros, {
    clock,
    supervisor,
    cell: { name: "lab", robots: { arm: { servo: { rateHz: 250 } } } },
    sources: () => [{ ...item, name: "camera: wrist", level: "stale" }],
    onInactive: () => calls.push("inactive"),
    onShutdown: () => calls.push("shutdown"),
  });
  const call = (name: string, request: object = {}) => ros.node.handlers.get(`/cerebellum/${name}`)!(request);
  return { clock, ros, calls, daemon, call };
}

describe("daemon node", () => {
  it("comes up active and mirrors the cell as parameters", () => {
    const { daemon, ros } = start();
    expect(daemon.lifecycle()).toBe("active");
    expect(Object.fromEntries(ros.node.parameters)).toEqual({ name: "lab", "robots.arm.servo.rateHz": 250 });
  });

  it("publishes diagnostics once a second until closed", async () => {
    const { clock, daemon, ros } = start();
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    await clock.advance(3500);
    expect(ros.node.on("/diagnostics")).toHaveLength(4);
    expect(ros.node.on("/diagnostics")[0]!.message).toMatchObject({
      status: [
        {
          level: 1,
          name: "servo: arm",
          hardware_id: "arm",
          values: [
            { key: "latenessP99Us", value: "120" },
            { key: "state", value: "holding" },
          ],
        },
        { level: 3, name: "camera: wrist" },
      ],
    });
    daemon.close();
    await clock.advance(3000);
    expect(ros.node.on("/diagnostics")).toHaveLength(4);
  });

  it("passes every service on to the supervisor and answers with its outcome", async () => {
    const { calls, call } = start();
    expect(await call("enable")).toEqual({ success: true, message: "enable" });
    await call("stop", { category: 1, reason: "test" });
    await call("stop", { category: 9, reason: "" });
    await call("stop_now");
    await call("reset");
    await call("start_policy", { bundle: "" });
    await call("start_policy", { bundle: "other" });
    await call("stop_policy");
    expect(calls).toEqual([
      "enable",
      "stop 1 test",
      "stop 2 stop service, request not understood",
      "stop 2 stop_now service",
      "reset",
      "start undefined",
      "start other",
      "stopPolicy",
    ]);
  });

  it("stops at any message on its stop topic, also while inactive", async () => {
    const { ros, calls } = start();
    ros.node.listeners.get("/cerebellum/stop")!({});
    expect(calls).toEqual(["stop 2 message on /cerebellum/stop"]);
    ros.state = "inactive";
    ros.node.listeners.get("/cerebellum/stop")!({});
    expect(calls).toHaveLength(2);
  });

  it("starts nothing while inactive, but stops", async () => {
    const { ros, calls, call } = start();
    ros.callbacks!.onDeactivate();
    ros.state = "inactive";
    expect(calls).toEqual(["inactive", "stopPolicy"]);
    for (const name of ["enable", "start_policy"]) {
      expect(await call(name, { bundle: "" })).toMatchObject({ success: false, message: /not active/ });
    }
    await call("stop_now");
    expect(calls.at(-1)).toBe("stop 2 stop_now service");
  });

  it("stops the robots before the daemon on the shutdown transition", async () => {
    const { ros, calls } = start();
    ros.callbacks!.onShutdown();
    await Promise.resolve();
    await Promise.resolve();
    expect(calls).toEqual(["inactive", "stop 2 lifecycle shutdown of /cerebellum", "shutdown"]);
  });
});

describe("flattened parameters", () => {
  it("keeps lists of one plain type, numbers other lists, and leaves out what is empty", () => {
    const flat = flattenParameters({
      a: { b: [1, 2], c: true },
      list: [{ x: 1 }, { x: 2 }],
      mixed: [1, "two"],
      none: undefined,
      empty: [],
    });
    expect(Object.fromEntries(flat)).toEqual({
      "a.b": [1, 2],
      "a.c": true,
      "list.0.x": 1,
      "list.1.x": 2,
      "mixed.0": 1,
      "mixed.1": "two",
    });
  });
});
