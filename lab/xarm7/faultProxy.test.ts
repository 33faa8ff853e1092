/** The cable itself, over real loopback sockets: what fault scripts rely on when they say that something went wrong. */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sleepMs } from "../../core/clock.js";
import { encodeReply, encodeRequest, MESSAGES } from "../../drivers/xarm7/protocol/index.js";
import { systemClock } from "../../launch/systemClock.js";
import { FaultProxy } from "./faultProxy.js";
import { changeOf } from "./frameChanges.js";

const frame = (transactionId: number) => Buffer.from(encodeRequest(transactionId, 3, "getState"));
const reply = (transactionId: number) => Buffer.from(encodeReply(transactionId, 3, "getState", 0, [2]));
/** Waits for what must come; what must not come has had the time of a round trip. */
const until = async (condition: () => boolean) => {
  for (let tries = 0; tries < 1000 && !condition(); tries++) await sleepMs(systemClock, 5);
  expect(condition()).toBe(true);
};
const roundTrip = async () => {
  const index = ends.length;
  const other = await client();
  other.socket.write(frame(0x55));
  await until(() => (received[index]?.length ?? 0) > 0);
};

let cable: FaultProxy;
let controller: Server;
/** What came to the controller, by connection, and its ends of them. */
let received: Buffer[];
let ends: Socket[];
const clients: Socket[] = [];

beforeEach(async () => {
  received = [];
  ends = [];
  controller = createServer((socket) => {
    const index = ends.push(socket) - 1;
    received.push(Buffer.alloc(0));
    socket.on("error", () => {});
    socket.on("data", (chunk) => (received[index] = Buffer.concat([received[index]!, chunk])));
  });
  controller.listen(0, "127.0.0.1");
  await once(controller, "listening");
  cable = new FaultProxy("command", systemClock);
  await cable.start((controller.address() as { port: number }).port);
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await cable.close();
  controller.close();
});

async function client(): Promise<{ socket: Socket; heard: () => Buffer }> {
  const socket = connect({ port: cable.port, host: "127.0.0.1", noDelay: true });
  clients.push(socket);
  let heard = Buffer.alloc(0);
  socket.on("error", () => {});
  socket.on("data", (chunk) => (heard = Buffer.concat([heard, chunk])));
  await once(socket, "connect");
  return { socket, heard: () => heard };
}

describe("a cable", () => {
  it("passes frames on, whole and in both directions", async () => {
    const { socket, heard } = await client();
    const seen: number[] = [];
    cable.onRequest = (bytes) => seen.push(bytes.length);
    const both = Buffer.concat([frame(1), frame(2)]);
    socket.write(both);
    await until(() => received[0]?.equals(both) === true);
    expect(seen).toEqual([7, 7]);
    ends[0]!.write(reply(1));
    await until(() => heard().equals(reply(1)));
  });

  it("delivers what was written while it was pulled, also after an orderly end", async () => {
    const { socket } = await client();
    cable.treat("requests", { do: "hold" });
    await until(() => ends.length === 1);
    socket.write(frame(1));
    socket.end();
    await until(() => socket.writableFinished);
    expect(received[0]).toHaveLength(0);
    cable.treat("requests", { do: "pass" });
    await until(() => received[0]!.equals(frame(1)));
  });

  it("loses what was written while it was pulled when its owner resets the connection", async () => {
    const { socket } = await client();
    cable.treat("requests", { do: "hold" });
    await until(() => ends.length === 1);
    let isHeld = false;
    cable.onRequest = () => (isHeld = true);
    socket.write(frame(1));
    await until(() => isHeld);
    socket.resetAndDestroy();
    await once(socket, "close");
    await sleepMs(systemClock, 50);
    cable.treat("requests", { do: "pass" });
    await roundTrip();
    expect(received[0]).toHaveLength(0);
  });

  it("changes the replies that are meant, and only so many", async () => {
    const { heard } = await client();
    const { register } = MESSAGES.getState;
    const change = changeOf("command", "wrongTransaction", { register, count: 1 });
    cable.treat("replies", { do: "change", change });
    await until(() => ends.length === 1);
    ends[0]!.write(Buffer.concat([Buffer.from(encodeReply(7, 3, "clearError", 0)), reply(8), reply(9)]));
    await until(() => heard().length === 26);
    const ids = [0, 8, 17].map((offset) => heard().readUInt16BE(offset));
    expect(ids).toEqual([7, 0x8008, 9]);
  });

  it("takes a connection silently, and serves it later", async () => {
    await cable.welcome("silent");
    const { socket } = await client();
    socket.write(frame(1));
    await until(() => cable.clientCount === 1);
    expect(ends).toHaveLength(0);
    await cable.welcome("serve");
    await until(() => received[0]?.equals(frame(1)) === true);
  });

  it("refuses connections, and listens at the same port again", async () => {
    const { port } = cable;
    await cable.welcome("refuse");
    const refused = connect(port, "127.0.0.1");
    const [error] = (await once(refused, "error")) as [NodeJS.ErrnoException];
    expect(error.code).toBe("ECONNREFUSED");
    await cable.welcome("serve");
    expect(cable.port).toBe(port);
    await client();
    await until(() => ends.length === 1);
  });

  it("says which change a port does not have", () => {
    expect(() => changeOf("command", "frozen")).toThrow(/command frames have no change "frozen"/);
  });
});
