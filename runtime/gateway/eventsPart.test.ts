import { describe, expect, it } from "vitest";
import { type EventLine, ServerMessage } from "../../core/gateway/server.js";
import { TRIGGERS } from "../servo/triggers.js";
import { eventsPart } from "./eventsPart.js";
import { FakeClient, partBench, pass, wanting } from "./partTesting.js";

async function started() {
  const bench = partBench();
  const part = await eventsPart(bench.services);
  await pass(bench.clock, 10);
  return { ...bench, part };
}

const lines = (client: FakeClient) => client.sent as EventLine[];

describe("the events part", () => {
  it("tells what the servo did, with the remedy of its trigger or of the device", async () => {
    const { clock, servo, part } = await started();
    const client = new FakeClient();
    part.onSubscribe!(client, wanting({ events: true }));
    servo.tell({ atNs: clock.nowNs(), kind: "stop", text: "arm is far away", trigger: "trackingError" });
    servo.tell({
      atNs: clock.nowNs(),
      kind: "fault",
      text: "C31",
      trigger: "deviceFault",
      fault: {
        code: "XARM_C31",
        deviceCode: 31,
        kind: "device",
        severity: "stop",
        cause: "collision",
        remedy: "Free the arm",
      },
    });
    expect(lines(client)).toMatchObject([
      { source: "arm", level: "error", text: "arm is far away", remedy: TRIGGERS.trackingError.remedy },
      { source: "arm", level: "error", text: "C31", remedy: "Free the arm" },
    ]);
    for (const line of lines(client)) ServerMessage.parse(line);
  });

  it("keeps the newest hundred for whoever connects later, numbered without gaps", async () => {
    const { services, part } = await started();
    for (let i = 0; i < 130; i++) services.event("info", "test", `event ${i}`);
    const late = new FakeClient();
    part.onSubscribe!(late, wanting({ events: true }));
    expect(lines(late).map(({ text }) => text)).toEqual(
      Array.from({ length: 100 }, (_, i) => `event ${i + 30}`),
    );
    expect(lines(late).map(({ id }) => id)).toEqual(Array.from({ length: 100 }, (_, i) => i + 30));
    // A page that only changes its cameras gets them no second time.
    part.onSubscribe!(late, wanting({ events: true }));
    expect(lines(late).length).toBe(100);
  });

  it("takes the same words within a second for one event", async () => {
    const { services, clock, part } = await started();
    const client = new FakeClient();
    part.onSubscribe!(client, wanting({ events: true }));
    for (let i = 0; i < 50; i++) services.event("warn", "hub", "too fast");
    await pass(clock, 1500);
    services.event("warn", "hub", "too fast");
    expect(lines(client).length).toBe(2);
  });

  it("passes on what the main thread says, and its diagnostics as they come", async () => {
    const { fromMain, part } = await started();
    const client = new FakeClient();
    part.onSubscribe!(client, wanting({ events: true }));
    fromMain({
      kind: "event",
      event: { epochMs: 5, level: "info", source: "recorder", text: "recording a/1", remedy: "" },
    });
    const items = [{ name: "servo: arm", level: "ok" as const, message: "holding", values: { epoch: 1 } }];
    const state = { kind: "state" as const, policy: null, recorder: null, activity: "", cameras: {} };
    fromMain({ ...state, diagnostics: items });
    fromMain(state);
    expect(lines(client)).toMatchObject([{ source: "recorder", epochMs: 5 }]);
    expect(client.offered).toEqual([{ kind: "diagnostics", items }]);
    const late = new FakeClient(2);
    part.onSubscribe!(late, wanting({ events: true }));
    expect(late.offered).toEqual([{ kind: "diagnostics", items }]);
  });

  it("listens to a servo that was started again", async () => {
    const { clock, servo, part } = await started();
    const client = new FakeClient();
    part.onSubscribe!(client, wanting({ events: true }));
    servo.crash();
    await pass(clock, 700);
    servo.isDown = false;
    await pass(clock, 1500);
    servo.tell({ atNs: clock.nowNs(), kind: "state", text: "holding" });
    expect(lines(client)).toMatchObject([{ text: "holding", level: "info" }]);
    await part.close!();
    expect(servo.open.length).toBe(0);
  });
});
