/** The hub alone, with sockets that a test plays: what takes too long or a flood to show on real ones. */
import { beforeEach, describe, expect, it } from "vitest";
import { asMonotonicNs } from "../../core/clock.js";
import { CLOSE_CODES } from "../../core/gateway/client.js";
import { SimClock } from "../../core/simClock.js";
import { VALID } from "../../test/support/gateway/frames.js";
import { Hub } from "./hub.js";
import type { HubSocket } from "./hubClient.js";
import { FLOOD } from "./refusals.js";

class FakeSocket implements HubSocket {
  bufferedBytes = 0;
  readonly sent: string[] = [];
  code: number | undefined;
  sendText(text: string): void {
    this.sent.push(text);
  }
  sendBytes(): void {}
  ping(): void {}
  close(code: number): void {
    this.code ??= code;
  }
  terminate(): void {
    this.code ??= 1006;
  }
}

let clock: SimClock;
let hub: Hub;
let logged: string[];
let heard: string[];

beforeEach(() => {
  clock = new SimClock();
  logged = [];
  heard = [];
  hub = new Hub({
    clock,
    log: (_level, event, text) => logged.push(`${event} ${text}`),
    welcome: {
      cell: "test",
      software: "",
      robots: [],
      cameras: [],
      hasPolicy: false,
      hasRecorder: false,
      hasLab: true,
      defaultTask: "t",
    },
    authenticate: (token) => (token === "good" ? { device: "tester", role: "operator" } : undefined),
    isPaired: () => true,
    stop: () => {},
    onClients: () => {},
  });
  hub.setParts([
    {
      onClient: ({ name }) => void heard.push(`+${name}`),
      onClosed: ({ name }) => void heard.push(`-${name}`),
      onPose: ({ client }) => void heard.push(`pose ${client.name}`),
    },
  ]);
});

function open(address = "10.0.0.1") {
  const socket = new FakeSocket();
  return { socket, connection: hub.accept(socket, address) };
}
const HELLO = JSON.stringify({ kind: "hello", protocol: 1, token: "good", client: "program", name: "a" });
const tracker = (name: string) =>
  hub.addClient({
    name,
    role: "operator",
    kind: "ros",
    bufferedBytes: 0,
    closed: new AbortController().signal,
    send: () => {},
    offer: () => false,
  });

describe("the hub", () => {
  it("counts pings like messages: who sends them without end is closed", () => {
    const { socket, connection } = open();
    connection.text(HELLO);
    for (let count = 0; count < FLOOD.burst - 2; count++) connection.alive();
    expect(socket.code).toBeUndefined();
    for (let count = 0; count < 2; count++) connection.alive();
    expect(socket.code).toBe(CLOSE_CODES.tooFast);
    expect(heard).toEqual(["+program a", "-program a"]);
  });

  it("lets nobody in once it has said goodbye: nothing would end what he engages", () => {
    open().connection.text(HELLO);
    hub.close();
    heard.length = 0;
    const { socket, connection } = open();
    connection.text(HELLO);
    expect(socket.code).toBe(CLOSE_CODES.shuttingDown);
    const pose = VALID[0]!;
    if (pose.kind !== "pose") throw new Error("not a pose");
    const late = tracker("ros vive");
    hub.deliverPose({ client: late, pose: pose.pose, receivedNs: asMonotonicNs(0n) });
    expect(heard).toEqual([]);
    expect(hub.clients).toEqual([]);
  });

  it("does not let strangers fill the log, and says how much it kept to itself", async () => {
    const hammer = () => {
      for (let count = 0; count < 1000; count++) {
        const { connection } = open();
        connection.text("{nonsense");
        connection.closed("closed");
      }
    };
    hammer();
    expect(logged.length).toBeGreaterThan(3);
    expect(logged.length).toBeLessThan(40);
    await clock.advance(60_000);
    logged.length = 0;
    hammer();
    expect(logged[0]).toMatch(/9\d\d more/);
    // Who is known is told of as ever.
    open().connection.text(HELLO);
    expect(logged.at(-1)).toMatch(/clientConnected program a/);
  });
});
