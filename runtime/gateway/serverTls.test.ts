/** TLS on the gateway's port: certificates, old versions, and plain HTTP over a network. */
import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import { connect as connectTls } from "node:tls";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { SimClock } from "../../core/simClock.js";
import { type AskOptions, askPort, certificateOf } from "../../test/support/gateway/http.js";
import { soon, TestGateway } from "../../test/support/gateway.js";

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
const served = (host?: string) => certificateOf(gateway!.port, host);

const lanAddress = Object.values(networkInterfaces())
  .flatMap((list) => list ?? [])
  .find(({ family, internal }) => family === "IPv4" && !internal)?.address;

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
