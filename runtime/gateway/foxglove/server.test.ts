/** The Foxglove server's own port and peers that only take its places. */
import { connect, type Socket } from "node:net";
import { afterEach, expect, it } from "vitest";
import { soon } from "../../../test/support/gateway.js";
import { SERVER_LIMITS } from "../httpLimits.js";
import { FoxgloveServer } from "./server.js";

let server: FoxgloveServer;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server.close();
});

it("closes connections that say nothing, or never end their request: others need the place", async () => {
  server = new FoxgloveServer({
    host: "127.0.0.1",
    port: 0,
    name: "test",
    sessionId: "1",
    channels: [],
    authenticate: () => undefined,
    nowMs: () => 0,
    onWanted: () => {},
    latched: () => [],
    limits: { ...SERVER_LIMITS, headersMsMax: 200, requestMsMax: 200, limitsLookMs: 50 },
  });
  const port = await server.listen();
  let closed = 0;
  for (const first of ["", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"]) {
    const socket = connect(port, "127.0.0.1");
    sockets.push(socket);
    socket.resume();
    socket.on("error", () => {});
    socket.once("close", () => closed++);
    socket.write(first);
  }
  expect(await soon(() => (closed === 3 ? closed : undefined), 3)).toBe(3);
});
