import { beforeEach, describe, expect, it } from "vitest";
import type { CameraFrame } from "../../core/gateway/cameraFrame.js";
import { encodeCameraFrame } from "../../core/gateway/cameraFrame.js";
import { SimClock } from "../../core/simClock.js";
import { createPageClock } from "../../launch/headset/pageTime.js";
import { HeadsetWire } from "../../test/support/headsetWire.js";
import { GatewayLink, type LinkState } from "./gatewayLink.js";

const SUBSCRIPTION = { telemetryHz: 5, teleop: true, events: false, cameras: [] };
let clock: SimClock;
let wire: HeadsetWire;
let link: GatewayLink;
let states: LinkState[];
let misfits: string[];

beforeEach(() => {
  clock = new SimClock();
  wire = new HeadsetWire();
  states = [];
  misfits = [];
  link = new GatewayLink({
    origin: "https://robot:8443",
    token: "token",
    client: "console",
    name: "laptop",
    clock: createPageClock(clock),
    openSocket: wire.openSocket,
    onMisfit: (why) => misfits.push(why),
  });
  link.onState((state) => states.push(state));
});

const connect = async (): Promise<void> => {
  link.connect();
  await clock.advance(1);
};
const kinds = () => wire.said.map(({ kind }) => kind);

describe("a connection", () => {
  it("says hello, is welcomed, subscribes and pings, at the address of its origin", async () => {
    link.subscribe(SUBSCRIPTION);
    await connect();
    expect(wire.urls).toEqual(["wss://robot:8443/ws"]);
    expect(kinds().slice(0, 3)).toEqual(["hello", "subscribe", "ping"]);
    expect(states).toEqual(["connecting", "open"]);
    expect(link.welcome?.cell).toBe("test-cell");
  });

  it("measures round trip and clock offset, and tells the gateway", async () => {
    wire.wayMs = 10;
    wire.sleep = (ms) => new Promise((resolve) => createPageClock(clock).after(ms, () => resolve(undefined)));
    wire.serverNowMs = () => clock.nowMs() + 5000;
    await connect();
    await clock.advance(100);
    expect(link.timing?.roundTripMs).toBeCloseTo(20, 3);
    expect(link.timing?.clockOffsetMs).toBeCloseTo(5000, 3);
    expect(wire.said.find(({ kind }) => kind === "link")).toMatchObject({
      roundTripMs: expect.closeTo(20, 3),
    });
  });

  it("comes back after it was lost, with what it had subscribed to, waiting longer each time", async () => {
    link.subscribe(SUBSCRIPTION);
    await connect();
    wire.isReachable = false;
    wire.drop();
    expect(states.at(-1)).toBe("lost");
    await clock.advance(20_000);
    const tries = wire.urls.length;
    expect(tries).toBeGreaterThan(5);
    expect(tries).toBeLessThan(12);
    wire.isReachable = true;
    await clock.advance(5000);
    expect(states.at(-1)).toBe("open");
    expect(kinds().filter((kind) => kind === "subscribe")).toHaveLength(2);
  });

  it("is lost when nothing is heard any more, though nothing closes it", async () => {
    await connect();
    await clock.advance(5000);
    expect(states.at(-1)).toBe("open");
    wire.isMute = true;
    await clock.advance(5000);
    expect(states).toContain("lost");
    wire.isMute = false;
    await clock.advance(20_000);
    expect(states.at(-1)).toBe("open");
  });

  it("tries again when nobody welcomes it", async () => {
    wire.isMute = true;
    await connect();
    await clock.advance(9000);
    expect(wire.urls.length).toBeGreaterThan(1);
  });

  it("that is refused stays refused, with the gateway's words", async () => {
    wire.welcome = { kind: "refused", code: "NOT_AUTHORISED", happened: "unknown", remedy: "pair" };
    await connect();
    wire.drop();
    await clock.advance(60_000);
    expect(states).toEqual(["connecting", "refused"]);
    expect(link.refusal?.remedy).toBe("pair");
    expect(wire.urls).toHaveLength(1);
  });

  it("does not come back after it was closed", async () => {
    await connect();
    link.close();
    await clock.advance(60_000);
    expect(wire.urls).toHaveLength(1);
  });

  it("says what it does not understand, and goes on", async () => {
    await connect();
    wire.tell({ kind: "novelty" } as never);
    expect(misfits[0]).toMatch(/reload the page/);
    expect(link.state).toBe("open");
  });
});

describe("requests", () => {
  it("are answered or refused in the gateway's words", async () => {
    await connect();
    const done = link.request({ do: "enable" });
    wire.answerer = () => ({ code: "X", happened: "It is stopped", remedy: "Reset it" });
    const refused = expect(link.request({ do: "enable" })).rejects.toMatchObject({
      refusal: { happened: "It is stopped" },
    });
    await clock.advance(1);
    expect(await done).toMatchObject({ ok: true });
    await refused;
  });

  it("fail at once without a connection, and when it ends before the answer", async () => {
    await expect(link.request({ do: "enable" })).rejects.toMatchObject({ name: "LINK_CLOSED" });
    await connect();
    wire.isMute = true;
    const open = expect(link.request({ do: "enable" })).rejects.toMatchObject({ name: "LINK_CLOSED" });
    wire.drop();
    await open;
  });
});

describe("what is sent now or not at all", () => {
  it("a stop goes out before the welcome too, and is not kept without a connection", async () => {
    expect(link.stop("test")).toBe(false);
    await connect();
    expect(link.stop("test")).toBe(true);
    expect(wire.said.at(-1)).toEqual({ kind: "stop", reason: "test" });
  });
});

it("camera pictures reach whoever listens; other bytes reach nobody", async () => {
  const frames: CameraFrame[] = [];
  link.onFrame((frame) => frames.push(frame));
  await connect();
  wire.tellBytes(
    encodeCameraFrame({ cameraIndex: 1, sequence: 7, captureEpochMs: 1, ageMs: 2, jpeg: new Uint8Array(9) }),
  );
  wire.tellBytes(new Uint8Array(40));
  expect(frames).toHaveLength(1);
  expect(frames[0]).toMatchObject({ cameraIndex: 1, sequence: 7 });
});
