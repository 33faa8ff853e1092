/** The gateway's port: TLS or plain by the first byte, pages, Host and Origin, pairing, and peers that take their time. */
import type { X509Certificate } from "node:crypto";
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { CLOSE_CODES } from "../../core/gateway/client.js";
import { SimClock } from "../../core/simClock.js";
import { givenUp } from "../../test/support/gateway/lingeringPeer.js";
import { soon, TestGateway } from "../../test/support/gateway.js";
import type { HttpRequest } from "./part.js";

let gateway: TestGateway | undefined;
const start = async (...options: Parameters<typeof TestGateway.start>) => {
  gateway = await TestGateway.start(...options);
  return gateway;
};
afterEach(async () => {
  await gateway?.close();
  gateway = undefined;
});

interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Any address on this port, as a browser or whoever wants to be one would ask; certificates are looked at elsewhere. */
function ask(
  path: string,
  {
    tls = false,
    host = "127.0.0.1",
    headers = {},
    method = "GET",
    body,
  }: Partial<{
    tls: boolean;
    host: string;
    headers: Record<string, string>;
    method: string;
    body: string;
  }> = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const options = { host, port: gateway!.port, path, method, headers, timeout: 5000 };
    const take = (response: import("node:http").IncomingMessage) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () =>
        resolve({
          status: response.statusCode!,
          headers: response.headers,
          body: Buffer.concat(chunks).toString(),
        }),
      );
      response.on("error", reject);
    };
    const request = tls
      ? httpsRequest({ ...options, agent: new Agent({ rejectUnauthorized: false }) }, take)
      : httpRequest({ ...options, agent: false }, take);
    request.once("error", reject);
    request.end(body);
  });
}

const lanAddress = Object.values(networkInterfaces())
  .flatMap((list) => list ?? [])
  .find(({ family, internal }) => family === "IPv4" && !internal)?.address;

describe("pages", () => {
  it("come plain and by TLS from the same port, with headers that keep strangers out", async () => {
    await start();
    for (const tls of [false, true]) {
      const { status, headers, body } = await ask("/", { tls });
      expect(status).toBe(200);
      expect(body).toContain("<title>console");
      expect(headers["content-type"]).toBe("text/html; charset=utf-8");
      expect(headers["cache-control"]).toBe("no-cache");
      const policy = headers["content-security-policy"] as string;
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("script-src 'self';");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).toContain(`ws://127.0.0.1:${gateway!.port}`);
      expect(headers).toMatchObject({
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "x-frame-options": "DENY",
      });
      expect(headers["access-control-allow-origin"]).toBeUndefined();
    }
  });

  it("are kept by the browser: what is named by its content for ever, the rest until it changes", async () => {
    await start();
    const asset = await ask("/assets/main-abc123.js");
    expect(asset.headers).toMatchObject({
      "cache-control": "public, max-age=31536000, immutable",
      "content-type": "text/javascript; charset=utf-8",
    });
    const { headers } = await ask("/");
    const again = await ask("/", { headers: { "if-none-match": headers.etag as string } });
    expect(again).toMatchObject({ status: 304, body: "" });
    expect((await ask("/", { method: "HEAD" })).body).toBe("");
  });

  it.each([
    "/../state/devices.json",
    "/%2e%2e/state/devices.json",
    "/..%2fstate%2fdevices.json",
    "/assets/..%2f..%2fstate/devices.json",
    "//etc/passwd",
    "/.env",
    "/assets/.hidden.js",
    "/index.html%00.png",
    "//evil.example",
    "/\\\\evil.example",
    "/assets/",
    "/assets/none.js",
    "/index.exe",
    "/assets\\..\\index.html",
  ])("are nothing else of this computer: %s", async (path) => {
    await start();
    await gateway!.token();
    const { status, body } = await ask(path);
    expect(status).toBe(404);
    expect(body).not.toMatch(/tokenSha256|root:/);
  });

  it.each(["/%", "/%ff", "/%E0%A4%A", "http://evil.example/"])(
    "an address that cannot be read: %s",
    async (path) => {
      await start();
      expect((await ask(path)).status).toBe(400);
    },
  );

  it("a folder without its slash is led to it; only GET and HEAD are answered", async () => {
    await start();
    expect(await ask("/xr")).toMatchObject({ status: 308, headers: { location: "/xr/" } });
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"])
      expect((await ask("/", { method })).status).toBe(405);
    expect((await ask("/health")).body).toBe('{"ok":true}');
  });

  it("that are not built are said to be missing", async () => {
    await start({ setup: { pages: join("/", "nowhere") } });
    expect(await ask("/")).toMatchObject({ status: 503, body: expect.stringMatching(/not built/) });
  });
});

describe("Host and Origin", () => {
  it.each(["evil.example", "evil.example:8443", "localhost.evil.example", "a b"])(
    "a name that somebody has made to mean this computer is not answered: %j",
    async (host) => {
      await start();
      const token = await gateway!.token();
      expect((await ask("/", { headers: { host } })).status).toBe(421);
      const paired = await ask("/api/pair", {
        method: "POST",
        headers: { host, "content-type": "application/json" },
        body: JSON.stringify({ code: await gateway!.code(), name: "x" }),
      });
      expect(paired.status).toBe(421);
      const client = gateway!.open({ host });
      expect((await client.closed).code).toBe(421);
      expect(token).toBeDefined();
    },
  );

  it.each(["localhost", "[::1]:1", "192.168.7.7:8443"])("but %s is", async (host) => {
    await start();
    expect((await ask("/", { headers: { host } })).status).toBe(200);
  });

  it("a further name of the cell file is answered, and stands in the certificate", async () => {
    await start({ gateway: { hostnames: ["arm.lab.example.org", "10.9.8.7"] } });
    expect((await ask("/", { headers: { host: "arm.lab.example.org:8443" } })).status).toBe(200);
    const certificate = await served();
    expect(certificate.checkHost("arm.lab.example.org")).toBeDefined();
    expect(certificate.checkIP("10.9.8.7")).toBeDefined();
  });

  it.each(["http://evil.example", "null", "https://127.0.0.1:1", "file://"])(
    "a page of %s may neither connect nor pair",
    async (origin) => {
      await start();
      const client = gateway!.open({ origin });
      expect((await client.closed).code).toBe(403);
      const code = await gateway!.code();
      const refused = await ask("/api/pair", {
        method: "POST",
        headers: { origin, "content-type": "application/json" },
        body: JSON.stringify({ code, name: "x" }),
      });
      expect(refused.status).toBe(403);
      // The code is still good: nothing was tried with it.
      expect(await gateway!.pair(code)).toMatchObject({ ok: true });
    },
  );

  it("its own page may", async () => {
    await start();
    const client = gateway!.open({ origin: gateway!.origin });
    await client.opened;
    client.hello(await gateway!.token());
    await client.next("welcome");
  });

  it("no WebSocket on another path", async () => {
    await start();
    expect((await gateway!.open({}, "/wss").closed).code).toBe(404);
  });

  it("whoever is refused again and again does not fill the log", async () => {
    await start({ clock: new SimClock() });
    for (let round = 0; round < 3; round++)
      await Promise.all(Array.from({ length: 20 }, () => gateway!.open({}, "/wss").closed));
    await gateway!.client();
    expect(gateway!.ofKind("log").filter(({ event }) => event === "upgradeRefused").length).toBe(20);
  });

  it("whoever is refused and does not hang up keeps no connection for it", async () => {
    await start();
    await givenUp(gateway!.port, "/wss");
  });
});

/** The certificate that the port shows. */
function served(host = "127.0.0.1"): Promise<X509Certificate> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host, port: gateway!.port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerX509Certificate()!);
      socket.destroy();
    });
    socket.once("error", reject);
  });
}

describe("TLS", () => {
  it("with a certificate that is trusted once it is known, for WebSockets too", async () => {
    await start();
    const certificate = await served();
    const { fingerprint } = gateway!.ofKind("ready")[0]!;
    expect(certificate.fingerprint256).toBe(fingerprint);
    const socket = new WebSocket(`wss://localhost:${gateway!.port}/ws`, { ca: certificate.toString() });
    await new Promise<void>((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("error", reject);
    });
    socket.terminate();
  });

  it("never in an old version", async () => {
    await start();
    const refused = new Promise<string>((resolve) => {
      const socket = connectTls(
        {
          host: "127.0.0.1",
          port: gateway!.port,
          rejectUnauthorized: false,
          minVersion: "TLSv1",
          maxVersion: "TLSv1.1",
          ciphers: "DEFAULT@SECLEVEL=0",
        },
        () => resolve("connected"),
      );
      socket.once("error", (error) => resolve(error.message));
    });
    expect(await refused).not.toBe("connected");
  });

  it("with a new certificate once the old one expires, without a restart", async () => {
    const clock = new SimClock(1_000_000_000n, BigInt(Date.now()) * 1_000_000n);
    await start({ clock });
    const first = await served();
    clock.stepEpoch(398 * 86_400_000);
    await clock.advance(61_000);
    const next = await served();
    expect(next.fingerprint256).not.toBe(first.fingerprint256);
    expect(Date.parse(next.validTo)).toBeGreaterThan(Number(clock.epochNs() / 1_000_000n));
    await soon(() => gateway!.ofKind("ready").find(({ fingerprint }) => fingerprint === next.fingerprint256));
    expect(
      gateway!
        .ofKind("log")
        .map(({ text }) => text)
        .join("\n"),
    ).toMatch(/has expired/);
  });

  it("that is nonsense after its first byte costs only that connection", async () => {
    await start();
    await new Promise<void>((resolve) => {
      const socket = connect(gateway!.port, "127.0.0.1", () =>
        socket.write(Buffer.from([0x16, 3, 1, 255, 255, 9, 9])),
      );
      socket.resume();
      socket.once("close", () => resolve());
      socket.once("error", () => {});
      setTimeout(() => socket.end(), 100);
    });
    expect((await ask("/health", { tls: true })).status).toBe(200);
  });

  it.skipIf(lanAddress === undefined)(
    "is the only way over a network: plain HTTP is led to it or refused",
    async () => {
      await start({ gateway: { host: "0.0.0.0" } });
      const host = lanAddress!;
      const led = await ask("/xr/?a=1", { host });
      expect(led).toMatchObject({
        status: 308,
        headers: { location: `https://${host}:${gateway!.port}/xr/?a=1` },
      });
      const code = await gateway!.code();
      const paired = await ask("/api/pair", {
        host,
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ code, name: "x" }),
      });
      expect(paired.status).toBe(403);
      const socket = new WebSocket(`ws://${host}:${gateway!.port}/ws`);
      const status = await new Promise((resolve) => {
        socket.once("unexpected-response", (_request, response) => resolve(response.statusCode));
        socket.once("open", () => resolve("open"));
        socket.once("error", () => {});
      });
      socket.terminate();
      expect(status).toBe(403);
      expect((await ask("/", { host, tls: true })).status).toBe(200);
      expect((await served(host)).checkIP(host)).toBe(host);
      expect(gateway!.ofKind("ready")[0]!.addresses[0]).toBe(`https://${host}:${gateway!.port}`);
    },
  );
});

describe("pairing over HTTP", () => {
  const post = (body: string, headers: Record<string, string> = { "content-type": "application/json" }) =>
    ask("/api/pair", { method: "POST", headers, body });

  it("gives a token for a code, once", async () => {
    await start();
    const code = await gateway!.code("observer");
    expect(await gateway!.pair(code, "Tablet 1")).toMatchObject({
      ok: true,
      device: "tablet-1",
      role: "observer",
    });
    expect(await gateway!.pair(code)).toMatchObject({ ok: false, code: "NOT_AUTHORISED" });
  });

  it.each([
    ["{}", 400],
    ["{", 400],
    ["", 400],
    ["null", 400],
    [JSON.stringify({ code: "x", name: "y", role: "operator" }), 400],
    [JSON.stringify({ code: 5, name: "y" }), 400],
    [JSON.stringify({ code: "x".repeat(2000), name: "y" }), 413],
    [JSON.stringify({ code: "AAAAAAAA", name: "y" }), 403],
  ])("refuses %s", async (body, status) => {
    await start();
    expect((await post(body)).status).toBe(status);
  });

  it("takes no form of another page, and no GET", async () => {
    await start();
    const code = await gateway!.code();
    expect((await post(JSON.stringify({ code, name: "x" }), { "content-type": "text/plain" })).status).toBe(
      415,
    );
    expect((await ask(`/api/pair?code=${code}`)).status).toBe(405);
    expect(await gateway!.pair(code)).toMatchObject({ ok: true });
  });

  it("is not guessed: after five wrong codes a minute not even the right one is taken", async () => {
    const clock = new SimClock();
    await start({ clock });
    const code = await gateway!.code();
    const answers = [];
    for (let guess = 0; guess < 100; guess++) answers.push(await gateway!.pair("ZZZZZZZZ"));
    expect(answers.filter((answer) => !answer.ok && /wrong, used/.test(answer.happened))).toHaveLength(5);
    expect(await gateway!.pair(code)).toMatchObject({ ok: false });
    await clock.advance(60_001);
    expect(await gateway!.pair(code)).toMatchObject({ ok: true });
  });
});

describe("what parts serve over HTTP", () => {
  it("goes only to whoever shows a token, with who it is", async () => {
    const asked: HttpRequest[] = [];
    await start({
      factories: [
        ({ serveHttp }) => {
          serveHttp("/api/episodes/", async (request) => {
            asked.push(request);
            if (request.path.endsWith("broken")) throw new Error("a defect");
            return { status: 200, type: "image/png", body: Uint8Array.of(1, 2, 3) };
          });
          return {};
        },
      ],
    });
    const token = await gateway!.token("observer", "tablet");
    const path = "/api/episodes/reach%20block/e1/sheet.png?x=1";
    for (const authorization of ["", "Bearer ", "Bearer x", `Basic ${token}`, `bearer ${token}x`])
      expect((await ask(path, { headers: { authorization } })).status).toBe(401);
    expect(asked).toEqual([]);
    const headers = { authorization: `Bearer ${token}` };
    expect(await ask(path, { headers })).toMatchObject({
      status: 200,
      headers: { "content-type": "image/png", "cache-control": "no-store" },
    });
    expect(asked[0]).toMatchObject({
      method: "GET",
      path: "/api/episodes/reach block/e1/sheet.png",
      device: "tablet",
      role: "observer",
    });
    expect(asked[0]!.query.get("x")).toBe("1");
    expect((await ask("/api/episodes/broken", { headers })).status).toBe(500);
    expect((await ask("/health")).status).toBe(200);
  });

  it("another WebSocket path has its own limits and protocols, and the same checks", async () => {
    const heard: string[] = [];
    await start({
      factories: [
        ({ serveUpgrade }) => {
          serveUpgrade("/mqtt", {
            protocols: ["mqtt"],
            bytesMax: 100,
            accept: (socket, address) => {
              heard.push(`${socket.protocol} from ${address}`);
              socket.on("error", (error) => heard.push(error.message));
            },
          });
          return {};
        },
      ],
    });
    const socket = new WebSocket(`ws://127.0.0.1:${gateway!.port}/mqtt`, ["other", "mqtt"]);
    await new Promise((resolve) => socket.once("open", resolve));
    expect(heard).toEqual(["mqtt from 127.0.0.1"]);
    socket.send("x".repeat(200));
    const code = await new Promise((resolve) => socket.once("close", resolve));
    expect(code).toBe(1009);
    expect((await gateway!.open({ origin: "http://evil.example" }, "/mqtt").closed).code).toBe(403);
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
    await start();
    const sockets = ["GET / HTTP/1.1\r\n", Buffer.from([0x16, 3, 1])].map((first) => {
      const socket = connect(gateway!.port, "127.0.0.1");
      socket.resume();
      socket.write(first);
      return socket;
    });
    const drops = setInterval(() => sockets[0]!.write("X-Drop: 1\r\n"), 200);
    expect(await Promise.all(sockets.map(closedAfter))).toEqual(["closed", "closed"]);
    clearInterval(drops);
  }, 20_000);

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
