/**
 * A hundred thousand frames that a client never sends: whatever comes, parts hear well-formed messages only, clients
 * get refusals or are closed, nothing moves but by a message that says so, and nothing is kept.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ClientMessage } from "../../core/gateway/client.js";
import { GatewayRequest } from "../../core/gateway/requests.js";
import { ServerMessage } from "../../core/gateway/server.js";
import { SimClock } from "../../core/simClock.js";
import { PoseMessage } from "../../core/teleop/pose.js";
import { chance } from "../../test/support/episodes/delays.js";
import { frame, VALID } from "../../test/support/gateway/frames.js";
import { soon, TestGateway } from "../../test/support/gateway.js";
import { Hub, type HubConnection } from "./hub.js";
import type { HubSocket } from "./hubClient.js";
import { done, type GatewayPart, type RequestHandlers } from "./part.js";

const FRAMES = 100_000;
const SOCKET_FRAMES = 4000;
const SEED = 8443;
/** What a hundred thousand frames may leave behind; one kept frame in ten would be more. */
const GROWTH_MIB_MAX = 16;

/** Most frames cost an error on both sides, and nobody reads where it came from: that is half the time. */
const stackTraceLimit = Error.stackTraceLimit;
beforeAll(() => {
  Error.stackTraceLimit = 0;
});
afterAll(() => {
  Error.stackTraceLimit = stackTraceLimit;
});

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
const heapMiB = () => {
  collect();
  return process.memoryUsage().heapUsed / 2 ** 20;
};

/** Parses again whatever it hears, and keeps only counts. */
class Witness {
  readonly heard: Record<string, number> = {};
  readonly illFormed: string[] = [];
  #frame: string | undefined;
  /** Of the present frame; undefined until somebody asks. */
  #isPoseFrame: boolean | undefined;
  open = 0;

  /** The present frame, when it is text. */
  set frame(frame: string | undefined) {
    this.#frame = frame;
    this.#isPoseFrame = undefined;
  }

  readonly part: GatewayPart = {
    onClient: () => this.#note("client", ++this.open > 0),
    onClosed: () => this.#note("closed", --this.open >= 0),
    onPose: ({ pose }) => this.#note("pose", PoseMessage.safeParse(pose).success && this.#isPose()),
    onSubscribe: (_client, wanted) => this.#note("subscribe", ClientMessage.safeParse(wanted).success),
    onLink: (_client, link) => this.#note("link", ClientMessage.safeParse(link).success),
    onMalformed: (_client, why) => this.#note("malformed", why.length > 0 && !this.#isPose()),
    requests: new Proxy({} as RequestHandlers, {
      get: (_target, name) =>
        typeof name === "string" && name !== "then"
          ? async (request: GatewayRequest) => {
              this.#note("request", GatewayRequest.safeParse(request).success && request.do === name);
              return done("done");
            }
          : undefined,
    }),
  };

  #isPose(): boolean {
    this.#isPoseFrame ??= this.#frame !== undefined && parsedOf(this.#frame)?.kind === "pose";
    return this.#isPoseFrame;
  }

  #note(what: string, isRight: boolean): void {
    this.heard[what] = (this.heard[what] ?? 0) + 1;
    if (!isRight) this.illFormed.push(what);
  }
}

/** What the hub sends: only what a client may be told, and every message of it well-formed. */
class Peer implements HubSocket {
  readonly bufferedBytes = 0;
  isOpen = true;
  readonly told: Record<string, number>;
  readonly broken: string[];

  constructor(told: Record<string, number>, broken: string[]) {
    this.told = told;
    this.broken = broken;
  }

  sendText(text: string): void {
    const parsed = ServerMessage.safeParse(JSON.parse(text));
    if (!parsed.success) this.broken.push(text.slice(0, 200));
    else this.told[parsed.data.kind] = (this.told[parsed.data.kind] ?? 0) + 1;
  }
  sendBytes(): void {
    this.broken.push("bytes");
  }
  ping(): void {}
  close(): void {
    this.isOpen = false;
  }
  terminate(): void {
    this.isOpen = false;
  }
}

describe("the hub under a hundred thousand frames", () => {
  it("passes nothing ill-formed on, moves nothing, keeps nothing", async () => {
    const clock = new SimClock();
    const witness = new Witness();
    let stops = 0;
    const hub = new Hub({
      clock,
      log: () => {},
      welcome: {
        cell: "fuzz",
        software: "",
        robots: [],
        cameras: [],
        hasPolicy: false,
        hasRecorder: false,
        hasLab: true,
        defaultTask: "t",
      },
      authenticate: (token) => (token === "good" ? { device: "fuzz", role: "operator" } : undefined),
      isPaired: () => true,
      stop: () => void stops++,
      onClients: () => {},
    });
    hub.setParts([witness.part]);
    const told: Record<string, number> = {};
    const broken: string[] = [];
    const random = chance(SEED);
    const hello = JSON.stringify({
      kind: "hello",
      protocol: 1,
      token: "good",
      client: "program",
      name: "fuzz",
    });
    let peer: Peer | undefined;
    let connection: HubConnection | undefined;
    let wellFormedStops = 0;
    let beforeMiB = 0;
    for (let count = 0; count < FRAMES; count++) {
      // The first thousand fill caches and compile.
      if (count === 1000) beforeMiB = heapMiB();
      if (peer?.isOpen !== true || connection === undefined) {
        connection?.closed("closed by the hub");
        peer = new Peer(told, broken);
        connection = hub.accept(peer, "127.0.0.1");
        // Now and then the frames come to a peer that has not said hello.
        witness.frame = undefined;
        if (random() < 0.95) connection.text(hello);
      }
      const next = frame(random);
      witness.frame = typeof next === "string" ? next : undefined;
      if (typeof next === "string" && isStop(next)) wellFormedStops++;
      if (typeof next === "string") connection.text(next);
      else connection.binary();
      // Slow enough for most of them to be read, with bursts that are not.
      if (count % 4 === 0) {
        await clock.advance(80);
        for (let turn = 0; turn < 8; turn++) await Promise.resolve();
      }
    }
    connection?.closed("end");
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();

    expect(witness.illFormed).toEqual([]);
    expect(broken).toEqual([]);
    expect(Object.keys(told).sort()).toEqual(["answer", "pong", "refusal", "refused", "welcome"]);
    // Something of everything has come through: the frames are no mere noise.
    for (const what of ["client", "closed", "pose", "subscribe", "link", "malformed", "request"])
      expect(witness.heard[what]).toBeGreaterThan(100);
    // Stops are the only thing that a damaged message may cause: any doubt ends in one.
    expect(stops).toBeGreaterThan(0);
    expect(stops).toBeLessThanOrEqual(wellFormedStops);
    expect(witness.open).toBe(0);
    expect(hub.clients).toEqual([]);
    expect(heapMiB() - beforeMiB).toBeLessThan(GROWTH_MIB_MAX);
  }, 240_000);
});

function parsedOf(text: string): ClientMessage | undefined {
  try {
    const parsed = ClientMessage.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

/** JSON that calls itself a stop. */
function isStop(text: string): boolean {
  try {
    return text.includes("stop") && (JSON.parse(text) as { kind?: unknown } | null)?.kind === "stop";
  } catch {
    return false;
  }
}

describe("a whole gateway under thousands of frames on real sockets", () => {
  it("answers, refuses or closes, asks the daemon nothing that was not asked, and serves the next", async () => {
    const witness = new Witness();
    const gateway = await TestGateway.start({ factories: [() => witness.part] });
    try {
      const token = await gateway.token();
      const random = chance(SEED + 1);
      const outcomes: Record<string, number> = {};
      for (let sent = 0; sent < SOCKET_FRAMES; ) {
        const client = gateway.open();
        await client.opened;
        client.hello(token, "fuzz");
        for (let burst = 0; burst < 40 && client.socket.readyState === client.socket.OPEN; burst++, sent++) {
          // Stops are counted above; here they would only slow the servo that a test plays.
          const next = random() < 0.2 ? JSON.stringify(VALID[4]) : frame(random);
          client.socket.send(next, { binary: typeof next !== "string", fin: random() < 0.95 });
          if (burst % 8 === 0) await new Promise((resolve) => setImmediate(resolve));
        }
        client.socket.close();
        const { code } = await client.closed;
        outcomes[code] = (outcomes[code] ?? 0) + 1;
        expect(client.binaries).toEqual([]);
      }
      // 4400 malformed, 1002 and 1007 broken frames and text, 1005 and 1006 ended by this side, 4429 too fast.
      expect(
        Object.keys(outcomes).filter(
          (code) => !["4400", "1002", "1005", "1006", "1007", "4429"].includes(code),
        ),
      ).toEqual([]);
      expect(witness.illFormed.filter((what) => what !== "pose")).toEqual([]);
      await soon(() => (witness.open === 0 ? true : undefined));
      expect(gateway.servo.leases).toBe(0);
      const next = await gateway.client("operator", "next");
      next.send({ kind: "ping", id: 1, clientTimeMs: 0 });
      await next.next("pong");
    } finally {
      await gateway.close();
    }
  }, 240_000);
});
