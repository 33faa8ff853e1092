/** The gateway's port and peers that take their time, or the gateway's. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { CLOSE_CODES } from "../../core/gateway/client.js";
import { SimClock } from "../../core/simClock.js";
import { systemClock } from "../../launch/systemClock.js";
import { askPort } from "../../test/support/gateway/http.js";
import { givenUp } from "../../test/support/gateway/lingeringPeer.js";
import { soon, TestGateway } from "../../test/support/gateway.js";
import { CertificateKeeper } from "./certificate.js";
import type { SERVER_LIMITS } from "./httpLimits.js";
import { GatewayServer } from "./server.js";

let gateway: TestGateway | undefined;
const start = async (...options: Parameters<typeof TestGateway.start>) => {
  gateway = await TestGateway.start(...options);
  return gateway;
};
afterEach(async () => {
  await gateway?.close();
  gateway = undefined;
});
let pages: string;
let alone: GatewayServer | undefined;
beforeEach(() => {
  pages = mkdtempSync(join(tmpdir(), "cerebellum-pages-"));
});
afterEach(async () => {
  await alone?.close();
  alone = undefined;
  rmSync(pages, { recursive: true, force: true });
});

/** The port without its gateway, with limits that nobody has to wait for. @returns the port */
async function startAlone(limits: Partial<typeof SERVER_LIMITS>): Promise<number> {
  const names = { hostnames: ["localhost"], addresses: ["127.0.0.1"] };
  const keeper = new CertificateKeeper({
    folder: pages,
    clock: systemClock,
    random: randomBytes,
    log: () => {},
  });
  alone = new GatewayServer({
    host: "127.0.0.1",
    port: 0,
    tls: keeper.current(names),
    names: () => names,
    pages,
    clock: systemClock,
    log: () => {},
    authenticate: () => undefined,
    pair: () => ({ ok: false, code: "NOT_AUTHORISED", happened: "nobody pairs", remedy: "none" }),
    limits,
  });
  return alone.listen();
}

const ask = (path: string, options?: { tls: boolean }) => askPort(gateway!.port, path, options);

describe("peers that are refused", () => {
  it("again and again do not fill the log", async () => {
    await start({ clock: new SimClock() });
    for (let round = 0; round < 3; round++)
      await Promise.all(Array.from({ length: 20 }, () => gateway!.open({}, "/wss").closed));
    await gateway!.client();
    expect(gateway!.ofKind("log").filter(({ event }) => event === "upgradeRefused").length).toBe(20);
  });

  it("and do not hang up keep no connection for it", async () => {
    await start();
    await givenUp(gateway!.port, "/wss");
  });
});

describe("peers that take their time", () => {
  const closedAfter = (socket: ReturnType<typeof connect>) =>
    new Promise<string>((resolve) => {
      socket.once("close", () => resolve("closed"));
      socket.once("error", () => {});
    });

  it("say nothing: they are closed after five seconds", async () => {
    const clock = new SimClock();
    await start({ clock });
    const socket = connect(gateway!.port, "127.0.0.1");
    await new Promise((resolve) => socket.once("connect", resolve));
    await ask("/health");
    await clock.advance(4900);
    expect(socket.destroyed).toBe(false);
    const closed = closedAfter(socket);
    socket.resume();
    await clock.advance(200);
    expect(await closed).toBe("closed");
  });

  it("send their headers drop by drop, or never end the TLS handshake: Node's limits end them", async () => {
    const port = await startAlone({ headersMsMax: 400, handshakeMsMax: 400, limitsLookMs: 50 });
    const sockets = ["GET / HTTP/1.1\r\n", Buffer.from([0x16, 3, 1])].map((first) => {
      const socket = connect(port, "127.0.0.1");
      socket.resume();
      socket.write(first);
      return socket;
    });
    const drops = setInterval(() => sockets[0]!.write("X-Drop: 1\r\n"), 20);
    expect(await Promise.all(sockets.map(closedAfter))).toEqual(["closed", "closed"]);
    clearInterval(drops);
  });

  it("do not take what they have asked for: they are given up, and what they were owed", async () => {
    // More than the kernel's buffers take.
    const bytes = 16 * 2 ** 20;
    writeFileSync(join(pages, "large.txt"), Buffer.alloc(bytes));
    const port = await startAlone({ stalledMsMax: 400 });
    const socket = connect(port, "127.0.0.1");
    let taken = 0;
    socket.pause();
    socket.write("GET /large.txt HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const closed = closedAfter(socket);
    socket.on("data", (chunk: Buffer) => {
      taken += chunk.length;
    });
    socket.resume();
    expect(await closed).toBe("closed");
    expect(taken).toBeGreaterThan(0);
    expect(taken).toBeLessThan(bytes);
    expect((await askPort(port, "/health")).status).toBe(200);
  });

  it("are not given up as a WebSocket on which nothing happens", async () => {
    const port = await startAlone({ stalledMsMax: 100 });
    alone!.serveUpgrade("/quiet", { protocols: [], bytesMax: 100, accept: () => {} });
    const socket = new WebSocket(`ws://127.0.0.1:${port}/quiet`);
    await new Promise((resolve) => socket.once("open", resolve));
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(socket.readyState).toBe(WebSocket.OPEN);
    socket.terminate();
  });

  it("open connections without end: no more than a hundred of one computer", async () => {
    await start();
    const sockets = Array.from({ length: 160 }, () => connect(gateway!.port, "127.0.0.1"));
    let closed = 0;
    for (const socket of sockets) {
      socket.resume();
      socket.once("error", () => {});
      socket.once("close", () => closed++);
    }
    await soon(() => (closed >= 32 ? true : undefined));
    expect(closed).toBe(32);
    for (const socket of sockets) socket.destroy();
    await soon(() => (closed === 160 ? true : undefined));
    expect((await ask("/health")).status).toBe(200);
  });

  it("ask without end: the rest is refused before anything is read for it, and WebSockets go on", async () => {
    const clock = new SimClock();
    await start({ clock });
    const friend = await gateway!.client();
    const asked = async (count: number) => {
      const statuses: number[] = [];
      for (let done = 0; done < count; done += 40)
        statuses.push(
          ...(await Promise.all(Array.from({ length: 40 }, () => ask("/")))).map(({ status }) => status),
        );
      return statuses.filter((status) => status === 429).length;
    };
    expect(await asked(600)).toBeLessThan(40);
    expect(await asked(200)).toBe(200);
    expect(await friend.request({ do: "enable" })).toMatchObject({ kind: "answer" });
    await clock.advance(1000);
    expect(await asked(80)).toBe(0);
  });

  it("send headers without end: they are closed at 8 kB", async () => {
    await start();
    const socket = connect(gateway!.port, "127.0.0.1");
    socket.resume();
    const closed = closedAfter(socket);
    socket.write(`GET / HTTP/1.1\r\nX-Long: ${"x".repeat(20_000)}\r\n\r\n`);
    expect(await closed).toBe("closed");
  });

  it.each([
    ["random bytes", Buffer.from(Array.from({ length: 500 }, (_, index) => (index * 37) % 256))],
    ["a request that is none", Buffer.from("\r\n\r\nGET\r\n\r\n")],
    [
      "two lengths",
      Buffer.from(
        "POST /api/pair HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 9\r\n\r\nabc",
      ),
    ],
    [
      "a length and chunks",
      Buffer.from(
        "POST /api/pair HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
      ),
    ],
    [
      "a WebSocket with a bad key",
      Buffer.from(
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n",
      ),
    ],
    ["a tunnel", Buffer.from("CONNECT evil.example:80 HTTP/1.1\r\nHost: localhost\r\n\r\n")],
  ])("send %s: that connection ends, the next is served", async (_what, bytes) => {
    await start();
    const socket = connect(gateway!.port, "127.0.0.1");
    socket.resume();
    const closed = closedAfter(socket);
    socket.write(bytes);
    expect(await closed).toBe("closed");
    expect((await ask("/health")).status).toBe(200);
  });

  it("send WebSocket frames that are none: unmasked, reserved bits, bad UTF-8", async () => {
    await start();
    for (const frame of [
      [0x81, 0x01, 0x41],
      [0xf1, 0x81, 1, 2, 3, 4, 0x41],
      [0x81, 0x81, 0, 0, 0, 0, 0xff],
      [0x83, 0x80, 0, 0, 0, 0],
      [0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0],
      [0x89, 0xfe, 0x01, 0x00, 0, 0, 0, 0],
    ]) {
      const client = await gateway!.client();
      const raw = (client.socket as unknown as { _socket: import("node:net").Socket })._socket;
      raw.write(Buffer.from(frame));
      expect([1002, 1006, 1007, 1009]).toContain((await client.closed).code);
    }
    expect(gateway!.servo.stops).toEqual([]);
    expect(Object.values(CLOSE_CODES)).not.toContain(1002);
  });
});
