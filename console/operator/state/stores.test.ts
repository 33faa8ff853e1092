import { describe, expect, it } from "vitest";
import { fakeTelemetry } from "../../../test/support/console/fakeCell.js";
import { PageSimClock } from "../../../test/support/console/pageSimClock.js";
import { CameraPainter } from "./cameraPainter.js";
import { HISTORY_S, HISTORY_SAMPLES, History, jointKey } from "./history.js";
import { STOP_ANSWER_MS_MAX, StopButton } from "./stopButton.js";
import { HIDDEN, mergeWants, Wants } from "./subscription.js";

describe("history", () => {
  const key = jointKey("arm", "sentRad", 0);
  const filled = (count: number, hz: number) => {
    const history = new History();
    for (let index = 0; index < count; index++) history.add(index / hz, fakeTelemetry(index / hz, 0));
    return history;
  };

  it("gives the newest half minute, oldest first, in seconds before now", () => {
    const [time, sent] = filled(2000, 30).read([key], 1999 / 30, []);
    expect(time!.at(-1)).toBeCloseTo(0, 9);
    expect(time![0]).toBeGreaterThanOrEqual(-HISTORY_S - 1e-9);
    expect(Math.abs(time!.length - (HISTORY_S * 30 + 1))).toBeLessThanOrEqual(1);
    expect([...time!]).toEqual([...time!].sort((a, b) => a - b));
    expect(sent!.at(-1)).toBe(fakeTelemetry(1999 / 30, 0).robots.arm!.sentRad[0]);
  });

  it("never holds more than its size, and names what it never saw as not a number", () => {
    const history = filled(3 * HISTORY_SAMPLES, 1000);
    expect(history.count).toBe(HISTORY_SAMPLES);
    const [time, nothing] = history.read(["nothing/of/it"], 3.071, []);
    expect(time!.length).toBe(HISTORY_SAMPLES);
    expect(nothing!.every(Number.isNaN)).toBe(true);
  });

  it("a robot that is gone leaves a gap, not its last value", () => {
    const history = filled(3, 1);
    history.add(3, { ...fakeTelemetry(3, 0), robots: {} });
    const [, sent] = history.read([key], 3, []);
    expect(sent!.at(-1)).toBeNaN();
    expect(sent!.at(-2)).not.toBeNaN();
  });

  it("a time in which nothing came is a gap, not a line across it", () => {
    const history = filled(10, 5);
    history.add(12, fakeTelemetry(12, 0));
    const [time, sent] = history.read([key], 12, []);
    expect(sent!.at(-1)).not.toBeNaN();
    expect(sent!.at(-2)).toBeNaN();
    expect(sent!.at(-3)).not.toBeNaN();
    expect(time!.at(-2)).toBeGreaterThan(time!.at(-3)!);
    expect(time!.at(-2)).toBeLessThan(time!.at(-1)!);
  });

  it("a copy stands still while the history goes on", () => {
    const history = filled(100, 30);
    const copy = history.copy();
    const before = copy.read([key], 99 / 30, []).map((row) => [...row]);
    for (let index = 100; index < 3 * HISTORY_SAMPLES; index++)
      history.add(index / 30, fakeTelemetry(index / 30, 0));
    expect(copy.read([key], 99 / 30, []).map((row) => [...row])).toEqual(before);
    expect(before[0]!.length).toBe(100);
  });

  it("writes into the same memory again", () => {
    const history = filled(100, 10);
    const out: Float64Array[] = [];
    history.read([key], 9.9, out);
    const [first, second] = out;
    history.read([key], 9.9, out);
    expect(out[0]).toBe(first);
    expect(out[1]).toBe(second);
  });
});

describe("what a page wants", () => {
  it("is the most that any part wants", () => {
    expect(
      mergeWants([
        { telemetryHz: 25 },
        { telemetryHz: 30, cameras: [{ camera: "wrist", rateHz: 5 }] },
        {
          cameras: [
            { camera: "wrist", rateHz: 10 },
            { camera: "scene", rateHz: 5 },
          ],
        },
      ]),
    ).toEqual({
      telemetryHz: 30,
      teleop: true,
      events: true,
      cameras: [
        { camera: "wrist", rateHz: 10 },
        { camera: "scene", rateHz: 5 },
      ],
    });
  });

  it("is nothing that flows while it is hidden, and is said only when it changes", () => {
    const said: unknown[] = [];
    const wants = new Wants((subscription) => said.push(subscription));
    const end = wants.add({ telemetryHz: 25 });
    wants.add({ telemetryHz: 25 });
    expect(said.length).toBe(1);
    wants.setVisible(false);
    expect(said.at(-1)).toEqual(HIDDEN);
    end();
    wants.add({ cameras: [{ camera: "wrist", rateHz: 10 }] });
    expect(said.length).toBe(2);
    wants.setVisible(true);
    expect(said.at(-1)).toMatchObject({ telemetryHz: 25, cameras: [{ camera: "wrist" }] });
  });
});

describe("the stop button", () => {
  function rig(isConnected = true, robots = ["arm"]) {
    const clock = new PageSimClock();
    const order: string[] = [];
    const stop = new StopButton(
      clock,
      (reason) => {
        order.push(reason);
        return isConnected;
      },
      () => order.push("let go"),
    );
    const tell = (state: string) => {
      const telemetry = fakeTelemetry(0, 0);
      telemetry.robots.arm!.state = state;
      stop.take(telemetry, robots);
    };
    return { clock, order, stop, tell };
  }

  it("lets go of the page's own sources, then sends; it is acknowledged by the arm's state only", () => {
    const { clock, order, stop, tell } = rig();
    stop.press("key");
    expect(order).toEqual(["let go", "key"]);
    tell("following");
    expect(stop.report.current.kind).toBe("sent");
    clock.advance(38);
    tell("stopping");
    expect(stop.report.current).toEqual({ kind: "acknowledged", afterMs: 38 });
    tell("stopped");
    tell("connected");
    expect(stop.report.current.kind).toBe("none");
  });

  it("says that nothing confirms it, and takes a late confirmation", () => {
    const { clock, stop, tell } = rig();
    stop.press("key");
    clock.advance(STOP_ANSWER_MS_MAX + 1);
    expect(stop.report.current.kind).toBe("unanswered");
    tell("stopped");
    expect(stop.report.current.kind).toBe("acknowledged");
  });

  it("is not confirmed by a robot that the daemon does not reach, nor while one of them tells nothing", () => {
    const { stop, tell } = rig();
    stop.press("key");
    tell("disconnected");
    expect(stop.report.current.kind).toBe("sent");
    tell("stopped");
    expect(stop.report.current.kind).toBe("acknowledged");
    const two = rig(true, ["arm", "other"]);
    two.stop.press("key");
    two.tell("stopped");
    expect(two.stop.report.current.kind).toBe("sent");
  });

  it("says that it was not sent, and that it never was when the connection is back", () => {
    const { clock, stop, tell } = rig(false);
    stop.press("key");
    clock.advance(5000);
    expect(stop.report.current.kind).toBe("unsent");
    tell("following");
    tell("stopped");
    expect(stop.report.current.kind).toBe("missed");
  });

  it("every press is sent", () => {
    const { order, stop } = rig();
    for (let i = 0; i < 3; i++) stop.press("again");
    expect(order.filter((one) => one === "again").length).toBe(3);
  });
});

describe("a camera's pictures", () => {
  const frame = (sequence: number) => ({
    cameraIndex: 0,
    sequence,
    captureEpochMs: 0,
    ageMs: 20,
    jpeg: new Uint8Array([sequence & 255]),
  });
  const settle = () => new Promise((resolve) => setImmediate(resolve));

  function rig() {
    const clock = new PageSimClock();
    const drawn: number[] = [];
    const waiting: (() => void)[] = [];
    let isOpen = 0;
    const painter = new CameraPainter({
      nowMs: () => clock.nowMs(),
      decode: (jpeg) =>
        new Promise<{ id: number; width: number; height: number; close(): void }>((resolve, reject) => {
          waiting.push(() => {
            if (jpeg[0] === 66) reject(new Error("damaged"));
            else {
              isOpen++;
              resolve({ id: jpeg[0]!, width: 4, height: 3, close: () => isOpen-- });
            }
          });
        }),
      draw: ({ id }) => drawn.push(id),
    });
    return { clock, drawn, painter, decodeNext: () => waiting.shift()?.(), open: () => isOpen };
  }

  it("while one is decoded only the newest waits, and every bitmap is closed", async () => {
    const { drawn, painter, decodeNext, open } = rig();
    for (const sequence of [1, 2, 3, 4, 5]) painter.take(frame(sequence));
    decodeNext();
    await settle();
    decodeNext();
    await settle();
    expect(drawn).toEqual([1, 5]);
    expect(painter.skipped).toBe(3);
    expect(open()).toBe(0);
  });

  it("older ones than seen are never drawn, also where numbers begin again at zero", async () => {
    const { drawn, painter, decodeNext } = rig();
    for (const sequence of [0xffffffff, 0xfffffffe, 0]) {
      painter.take(frame(sequence));
      decodeNext();
      await settle();
    }
    expect(drawn).toEqual([255, 0]);
  });

  it("ages by the page's clock from the age that it came with, and a damaged one ages the former", async () => {
    const { clock, painter, decodeNext } = rig();
    expect(painter.ageMs()).toBeUndefined();
    painter.take(frame(1));
    decodeNext();
    await settle();
    clock.advance(300);
    expect(painter.ageMs()).toBe(320);
    painter.take(frame(66));
    decodeNext();
    await settle();
    expect(painter.ageMs()).toBe(320);
    expect(painter.skipped).toBe(1);
  });
});
