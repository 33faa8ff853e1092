import { createServer } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { serveMetrics } from "./server.js";

const warnings: string[] = [];
const log = { warn: (_fields: unknown, text: string) => void warnings.push(text) } as never;
let close: (() => Promise<void>) | undefined;

async function serve(render: () => Promise<string> = async () => "figures 1\n"): Promise<string> {
  const server = await serveMetrics({ host: "127.0.0.1", port: 0 }, render, log);
  close = () => server.close();
  return `http://127.0.0.1:${server.port}`;
}

describe("the metrics server", () => {
  afterEach(async () => {
    await close?.();
    close = undefined;
  });

  it("answers GET /metrics with what is true at that moment", async () => {
    let count = 0;
    const url = await serve(async () => `figures ${++count}\n`);
    for (const path of ["/metrics", "/metrics?name=x"]) {
      const response = await fetch(url + path);
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
      expect(await response.text()).toBe(`figures ${count}\n`);
    }
    expect(count).toBe(2);
    expect((await fetch(`${url}/metrics`, { method: "HEAD" })).status).toBe(200);
    expect(count).toBe(2);
  });

  it.each(["/", "/metrics/", "/metricsx", "/../metrics/..", "/%6detrics"])("knows no %s", async (path) => {
    expect((await fetch((await serve()) + path)).status).toBe(404);
  });

  it.each(["POST", "PUT", "DELETE", "OPTIONS"])("refuses %s", async (method) => {
    const response = await fetch(`${await serve()}/metrics`, { method });
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe("GET, HEAD");
  });

  it("says that it failed, without the reason, and goes on", async () => {
    const url = await serve(() => Promise.reject(new Error("secret")));
    const response = await fetch(`${url}/metrics`);
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain("secret");
    expect(warnings.at(-1)).toContain("secret");
    expect((await fetch(`${url}/metrics`)).status).toBe(500);
  });

  it("names the field when the port is taken", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as { port: number };
    await expect(serveMetrics({ host: "127.0.0.1", port }, async () => "", log)).rejects.toMatchObject({
      code: "PORT_IN_USE",
      happened: expect.stringContaining(`metrics.port ${port} cannot be listened on: another program`),
      remedy: expect.stringContaining("`metrics` in the cell file"),
    });
    other.close();
  });
});
