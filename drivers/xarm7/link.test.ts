/** Who may write when, over a real socket against a scripted controller that answers late, wrongly, in pieces or never. */
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Clock, sleepMs } from "../../core/clock.js";
import { SimClock } from "../../core/simClock.js";
import { systemClock } from "../../launch/systemClock.js";
import { COMMAND_SILENCE_MS, CommandLink, SERVO_IN_FLIGHT_MAX, SERVO_REPLY_EXPIRY_MS } from "./link.js";
import {
  bytesOfFrame,
  type CommandRequest,
  CommandStream,
  decodeRequest,
  encodeReply,
} from "./protocol/index.js";

const setpoint = new Float64Array(7);
const never = new AbortController().signal;

/** Notes every request; a test sends the answers. */
class Stub {
  readonly requests: CommandRequest[] = [];
  socket!: Socket;
  readonly #server: Server;

  constructor() {
    this.#server = createServer((socket) => {
      this.socket = socket.setNoDelay(true);
      socket.on("error", () => {});
      const stream = new CommandStream((...frame) => {
        const decoded = decodeRequest(bytesOfFrame(...frame));
        if (decoded.kind === "frame") this.requests.push(decoded.value);
      });
      socket.on("data", (chunk) => stream.push(chunk));
    });
  }

  async listen(): Promise<number> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  async close(): Promise<void> {
    this.socket?.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async got(count: number): Promise<void> {
    for (let i = 0; i < 500 && this.requests.length < count; i++) await sleepMs(systemClock, 2);
    expect(this.requests.length).toBe(count);
  }

  names(): (string | undefined)[] {
    return this.requests.map((request) => request.name);
  }

  reply(index: number, values: number[] = [], stateByte = 0, protocolId?: number): void {
    this.socket.write(this.replyBytes(index, values, stateByte, protocolId));
  }

  replyBytes(index: number, values: number[] = [], stateByte = 0, protocolId?: number): Uint8Array {
    const request = this.requests[index]!;
    return encodeReply(
      request.transactionId,
      protocolId ?? request.protocolId,
      request.name!,
      stateByte,
      values,
    );
  }
}

let stub: Stub;
let links: CommandLink[] = [];
beforeEach(() => {
  stub = new Stub();
});
afterEach(async () => {
  for (const link of links) link.close();
  links = [];
  await stub.close();
});

async function connected(clock: Clock = systemClock) {
  const servoReplies: number[] = [];
  const closed: string[] = [];
  const link = new CommandLink(clock, {
    onServoReply: (stateByte) => servoReplies.push(stateByte),
    onClosed: (reason) => closed.push(reason),
  });
  links.push(link);
  await link.connect("127.0.0.1", await stub.listen(), 1000, never);
  for (let i = 0; i < 500 && stub.socket === undefined; i++) await sleepMs(systemClock, 2);
  return { link, servoReplies, closed };
}

describe("slow requests", () => {
  it("go one at a time, in order, with rising ids", async () => {
    const { link } = await connected();
    const first = link.request("getState", [], 1000);
    const second = link.request("getErrorCodes", [], 1000);
    await stub.got(1);
    await sleepMs(systemClock, 20);
    expect(stub.names()).toEqual(["getState"]);
    stub.reply(0, [2]);
    expect((await first).values).toEqual([2]);
    await stub.got(2);
    stub.reply(1, [31, 0]);
    expect((await second).values).toEqual([31, 0]);
    expect(stub.requests.map((request) => request.transactionId)).toEqual([1, 2]);
  });

  it("take a reply that comes byte by byte", async () => {
    const { link } = await connected();
    const first = link.request("getState", [], 1000);
    await stub.got(1);
    for (const byte of stub.replyBytes(0, [2])) {
      stub.socket.write(Uint8Array.of(byte));
      await sleepMs(systemClock, 2);
    }
    expect((await first).values).toEqual([2]);
  });

  it("give up after their time, and a late reply is dropped by its id", async () => {
    const { link } = await connected();
    await expect(link.request("getState", [], 30)).rejects.toMatchObject({ code: "LINK_SILENT" });
    const second = link.request("getState", [], 1000);
    await stub.got(2);
    stub.reply(0, [4]);
    stub.reply(1, [2]);
    expect((await second).values).toEqual([2]);
    expect(link.late).toBe(1);
  });

  it("refuse a reply with another protocol id or register", async () => {
    const { link } = await connected();
    link.protocolId = 3;
    const first = link.request("getState", [], 1000);
    await stub.got(1);
    stub.reply(0, [2], 0, 2);
    await expect(first).rejects.toMatchObject({ code: "WIRE_CORRUPT" });
    const second = link.request("getState", [], 1000);
    await stub.got(2);
    stub.socket.write(encodeReply(2, 3, "getErrorCodes", 0, [0, 0]));
    await expect(second).rejects.toMatchObject({ code: "WIRE_CORRUPT" });
    expect(link.corrupt).toBe(2);
  });

  it("are bounded in number", async () => {
    const { link } = await connected();
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, () => link.request("getState", [], 20)),
    );
    expect(results.every((result) => result.status === "rejected")).toBe(true);
    expect(stub.requests.length).toBeLessThanOrEqual(17);
  });

  it("all end when the controller closes or sends what is no frame", async () => {
    const { link, closed } = await connected();
    const pending = [link.request("getState", [], 1000), link.request("getErrorCodes", [], 1000)];
    const ended = Promise.allSettled(pending);
    await stub.got(1);
    stub.socket.write("HTTP/1.1 400 Bad Request\r\n\r\n");
    for (const result of await ended)
      expect(result).toMatchObject({ status: "rejected", reason: { code: "LINK_CLOSED" } });
    expect(closed).toHaveLength(1);
    expect(link.isOpen).toBe(false);
    expect(link.sendServo(setpoint)).toBe("closed");
    expect(link.sendNow("setState", [4])).toBe(false);
    await expect(link.request("getState", [], 10)).rejects.toMatchObject({ code: "LINK_CLOSED" });
  });
});

describe("setpoints", () => {
  it("do not wait for replies, up to a bound; a missing reply frees its place after a while", async () => {
    const clock = new SimClock();
    const { link, servoReplies } = await connected(clock);
    for (let i = 0; i < SERVO_IN_FLIGHT_MAX; i++) expect(link.sendServo(setpoint)).toBe("sent");
    expect(link.sendServo(setpoint)).toBe("busy");
    await stub.got(SERVO_IN_FLIGHT_MAX);
    stub.reply(1);
    for (let i = 0; i < 100 && servoReplies.length === 0; i++) await sleepMs(systemClock, 2);
    expect(link.sendServo(setpoint)).toBe("sent");
    expect(link.sendServo(setpoint)).toBe("busy");
    await clock.advance(SERVO_REPLY_EXPIRY_MS);
    expect(link.sendServo(setpoint)).toBe("sent");
    expect(link).toMatchObject({ sent: 5, replied: 1, unanswered: 1 });
    stub.reply(0);
    for (let i = 0; i < 100 && link.late === 0; i++) await sleepMs(systemClock, 2);
    expect(link).toMatchObject({ replied: 1, late: 1 });
  });

  it("go before slow requests, which start right after a setpoint's reply", async () => {
    const clock = new SimClock();
    const { link } = await connected(clock);
    link.sendServo(setpoint);
    const slow = link.request("getState", [], 1000);
    await clock.advance(4);
    expect(link.sendServo(setpoint)).toBe("sent");
    await stub.got(2);
    expect(stub.names()).toEqual(["moveServoJoint", "moveServoJoint"]);
    stub.reply(0);
    stub.reply(1);
    await stub.got(3);
    expect(stub.names()[2]).toBe("getState");
    expect(link.sendServo(setpoint)).toBe("busy");
    stub.reply(2, [1]);
    await slow;
    expect(link.sendServo(setpoint)).toBe("sent");
  });

  it("do not hold back slow requests once they have ended", async () => {
    const clock = new SimClock();
    const { link } = await connected(clock);
    link.sendServo(setpoint);
    void link.request("getState", [], 1000).catch(() => {});
    await stub.got(1);
    link.endStream();
    await stub.got(2);
    link.sendServo(setpoint);
    void link.request("getErrorCodes", [], 1000).catch(() => {});
    stub.reply(1, [2]);
    await clock.advance(100);
    await stub.got(3);
    expect(stub.names()[2]).toBe("getErrorCodes");
  });

  it("carry the state byte of their reply, also between feedback frames", async () => {
    const { link, servoReplies } = await connected();
    link.sendServo(setpoint);
    await stub.got(1);
    const feedback = Buffer.from(
      "0001000300 0f ff0002 17 0001 00 0000000000000005".replaceAll(" ", ""),
      "hex",
    );
    stub.socket.write(Buffer.concat([feedback, stub.replyBytes(0, [], 0x50)]));
    for (let i = 0; i < 100 && servoReplies.length === 0; i++) await sleepMs(systemClock, 2);
    expect(servoReplies).toEqual([0x50]);
  });
});

describe("a controller that owes replies", () => {
  it.each([
    ["none come", () => {}],
    ["foreign ones come", () => stub.socket.write(encodeReply(0x7001, 2, "moveServoJoint", 0))],
  ])("is given up after its time when %s", async (_which, answer) => {
    const clock = new SimClock();
    const { link, closed } = await connected(clock);
    for (let ms = 0; ms < COMMAND_SILENCE_MS; ms += 10) {
      expect(link.sendServo(setpoint), `at ${ms} ms`).not.toBe("closed");
      answer();
      await clock.advance(10);
    }
    expect(link.sendServo(setpoint)).toBe("closed");
    expect(closed).toEqual([expect.stringContaining("no good reply")]);
  });

  it("is not given up for a single lost reply, nor for one that was lost before a pause", async () => {
    const clock = new SimClock();
    const { link, servoReplies } = await connected(clock);
    const before = stub.requests.length;
    link.sendServo(setpoint);
    for (let sent = 1; sent < 200; sent++) {
      await clock.advance(4);
      link.sendServo(setpoint);
      await stub.got(before + sent + 1);
      stub.reply(before + sent);
      for (let i = 0; i < 100 && servoReplies.length < sent; i++) await sleepMs(systemClock, 1);
    }
    link.sendServo(setpoint);
    link.endStream();
    await clock.advance(10 * COMMAND_SILENCE_MS);
    expect(link.sendServo(setpoint)).toBe("sent");
  });

  it("gets nothing of what was written, once the connection was given up", async () => {
    const clock = new SimClock();
    const { link } = await connected(clock);
    const ended = new Promise<Error | undefined>((resolve) => {
      stub.socket.once("error", resolve);
      stub.socket.once("end", () => resolve(undefined));
    });
    link.sendServo(setpoint);
    await stub.got(1);
    await clock.advance(COMMAND_SILENCE_MS);
    link.sendServo(setpoint);
    expect(await ended, "a reset, not an orderly end").toMatchObject({ code: "ECONNRESET" });
  });
});

it("a stop is written although a slow request and setpoints are out", async () => {
  const clock = new SimClock();
  const { link } = await connected(clock);
  void link.request("motionEnable", [8, 1], 5000).catch(() => {});
  void link.request("getState", [], 5000).catch(() => {});
  await stub.got(1);
  expect(link.sendNow("setState", [4])).toBe(true);
  await stub.got(2);
  expect(stub.names()).toEqual(["motionEnable", "setState"]);
});

describe("connecting", () => {
  const events = { onServoReply: () => {}, onClosed: () => {} };

  it("fails at once where nothing listens, and when it is cancelled", async () => {
    const port = await stub.listen();
    await stub.close();
    const link = new CommandLink(systemClock, events);
    await expect(link.connect("127.0.0.1", port, 1000, never)).rejects.toMatchObject({
      code: "DEVICE_UNREACHABLE",
      happened: expect.stringContaining(`127.0.0.1:${port}`),
    });
    stub = new Stub();
    const cancelled = new AbortController();
    cancelled.abort();
    await expect(
      link.connect("127.0.0.1", await stub.listen(), 1000, cancelled.signal),
    ).rejects.toMatchObject({ code: "DEVICE_UNREACHABLE" });
  });

  it("starts again with id 1 and protocol id 2", async () => {
    const { link } = await connected();
    link.protocolId = 3;
    void link.request("getState", [], 1000).catch(() => {});
    await stub.got(1);
    link.close();
    await stub.close();
    stub = new Stub();
    await link.connect("127.0.0.1", await stub.listen(), 1000, never);
    void link.request("getVersion", [], 1000).catch(() => {});
    await stub.got(1);
    expect(stub.requests[0]).toMatchObject({ transactionId: 1, protocolId: 2 });
  });
});
