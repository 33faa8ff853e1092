/** The gateway's port: pages, Host and Origin, pairing, and what parts serve. */
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { SimClock } from "../../core/simClock.js";
import { type AskOptions, askPort, certificateOf } from "../../test/support/gateway/http.js";
import { TestGateway } from "../../test/support/gateway.js";
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
const ask = (path: string, options?: Partial<AskOptions>) => askPort(gateway!.port, path, options);

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
    const certificate = await certificateOf(gateway!.port);
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
