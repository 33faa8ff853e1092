/** Each source for real: a FIFO, a pseudo-terminal, a program, the bytes of an input device, a broker. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Aedes } from "aedes";
import { connectAsync } from "mqtt";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { EstopConfig } from "./config.js";
import { sourcesOf } from "./sources.js";

let folder: string;
let ended: AbortController;
let fifo: string;
const listening: Promise<string>[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "estop-"));
  fifo = join(folder, "button");
  execFileSync("mkfifo", [fifo]);
  ended = new AbortController();
});
afterEach(async () => {
  ended.abort();
  await Promise.all(listening.splice(0));
  rmSync(folder, { recursive: true, force: true });
});

const until = async (what: string, condition: () => boolean) => {
  for (let turn = 0; turn < 1000 && !condition(); turn++)
    await new Promise((resolve) => setTimeout(resolve, 5));
  if (!condition()) throw new Error(`never happened: ${what}`);
};

function listen(config: object) {
  const [{ source }] = sourcesOf(EstopConfig.parse(config)) as [ReturnType<typeof sourcesOf>[number]];
  const heard = {
    live: false,
    held: false,
    stops: [] as string[],
    failures: [] as string[],
    end: undefined as string | undefined,
  };
  const run = source.listen(
    {
      live: () => {
        heard.live = true;
      },
      stop: async (what) => {
        heard.stops.push(what);
        return heard.failures;
      },
      held: (isHeld) => {
        heard.held = isHeld;
      },
    },
    ended.signal,
  );
  listening.push(run);
  void run.then((why) => {
    heard.end = why;
  });
  return heard;
}

describe("lines", () => {
  it("of a FIFO stop, and it is not live before somebody can write to it", async () => {
    const heard = listen({ line: { path: fifo } });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(heard.live).toBe(false);
    const writer = openSync(fifo, "w");
    await until("live", () => heard.live);
    writeSync(writer, "press");
    writeSync(writer, "ed \u001b[2J\nagain\n");
    await until("two lines", () => heard.stops.length === 2);
    expect(heard.stops).toEqual([`${fifo} said "pressed ?[2J"`, `${fifo} said "again"`]);
    closeSync(writer);
    await until("the end", () => heard.end !== undefined);
    expect(heard.end).toBe(`${fifo}: it ended`);
  });

  it("of a terminal line stop; pulling it out ends the source", async () => {
    const script = [
      "import os, pty, sys, tty",
      "main, end = pty.openpty()",
      "tty.setraw(end)",
      "print(os.ttyname(end), flush=True)",
      "for line in sys.stdin: os.write(main, line.encode())",
    ].join("\n");
    const port: ChildProcess = spawn("python3", ["-c", script], { stdio: ["pipe", "pipe", "inherit"] });
    const path = await new Promise<string>((resolve) =>
      port.stdout!.once("data", (text) => resolve(String(text).trim())),
    );
    const heard = listen({ line: { path } });
    await until("live", () => heard.live);
    port.stdin!.write("button 1\n");
    await until("the line", () => heard.stops.length === 1);
    expect(heard.stops[0]).toBe(`${path} said "button 1"`);
    port.kill("SIGKILL");
    await until("the end", () => heard.end !== undefined);
  });

  it("of a program stop, as those of gpiomon would, and so does its end", async () => {
    const heard = listen({ line: { command: ["sh", "-c", "echo edge; exit 3"] } });
    await until("the end", () => heard.end !== undefined);
    expect(heard.stops).toEqual(['sh said "edge"']);
    expect(heard.end).toBe("sh: it ended with exit code 3");
  });

  it.each([
    [
      "a file that is not there",
      { path: "/nowhere/button" },
      /nowhere.*(not exist|No such file|cannot open)/i,
    ],
    ["a program that is not there", { command: ["no-such-program"] }, /no-such-program/],
  ])("says what is wrong with %s", async (_name, line, message) => {
    const heard = listen({ line });
    await until("the end", () => heard.end !== undefined);
    expect(heard.end).toMatch(message);
  });
});

describe("an input device", () => {
  const event = (type: number, code: number, value: number) => {
    const bytes = Buffer.alloc(24);
    bytes.writeUInt16LE(type, 16);
    bytes.writeUInt16LE(code, 18);
    bytes.writeInt32LE(value, 20);
    return bytes;
  };

  it("stops at its key, is held while that is down, and passes over other keys", async () => {
    const heard = listen({ input: { device: fifo, key: "KEY_ESC" } });
    const writer = openSync(fifo, "w");
    await until("live", () => heard.live);
    writeSync(writer, Buffer.concat([event(1, 57, 1), event(1, 57, 0), event(1, 1, 1), event(0, 0, 0)]));
    await until("held", () => heard.held);
    expect(heard.stops).toEqual([`key 1 of ${fifo} was pressed`]);
    writeSync(writer, event(1, 1, 0));
    await until("let go", () => !heard.held);
    closeSync(writer);
    await until("the end", () => heard.end !== undefined);
    expect(heard.stops).toHaveLength(1);
  });

  it("stops at any key, where any is meant", async () => {
    const heard = listen({ input: { device: fifo } });
    const writer = openSync(fifo, "w");
    writeSync(writer, event(1, 0x120, 1));
    await until("the stop", () => heard.stops.length === 1);
    closeSync(writer);
  });
});

describe("an MQTT broker", () => {
  let broker: Aedes;
  let server: Server;
  let url: string;
  const sockets = new Set<Socket>();

  beforeEach(async () => {
    broker = await Aedes.createBroker();
    broker.authenticate = (_client, username, password, done) =>
      done(null, username !== "robot" || String(password) === "secret");
    server = createServer((socket) => {
      sockets.add(socket);
      broker.handle(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `mqtt://127.0.0.1:${(server.address() as { port: number }).port}`;
  });
  const stopBroker = async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => broker.close(() => resolve()));
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  afterEach(stopBroker);

  it("stops at any message on the topic, and at no other", async () => {
    const heard = listen({ mqtt: { url, topic: "cell/stop" } });
    await until("live", () => heard.live);
    const phone = await connectAsync(url);
    await phone.publishAsync("cell/other", "no");
    await phone.publishAsync("cell/stop", "");
    await phone.publishAsync("cell/stop", "now", { qos: 1 });
    await until("two stops", () => heard.stops.length === 2);
    expect(heard.stops[1]).toBe('message on cell/stop: "now"');
    await phone.endAsync();
  });

  it("stops at once where a message is retained", async () => {
    const phone = await connectAsync(url);
    await phone.publishAsync("cell/stop", "stay", { retain: true, qos: 1 });
    const heard = listen({ mqtt: { url, topic: "cell/stop" } });
    await until("the stop", () => heard.stops.length === 1);
    await phone.endAsync();
  });

  it("ends when the broker goes, with why", async () => {
    const heard = listen({ mqtt: { url, topic: "cell/stop" } });
    await until("live", () => heard.live);
    await stopBroker();
    await until("the end", () => heard.end !== undefined);
    expect(heard.end).toMatch(/connection to the broker ended/);
  });

  it("takes name and password, and says that it was refused", async () => {
    const passwordFile = join(folder, "password");
    writeFileSync(passwordFile, "secret\n");
    const right = listen({ mqtt: { url, topic: "cell/stop", username: "robot", passwordFile } });
    await until("live", () => right.live);
    const wrong = listen({ mqtt: { url, topic: "cell/stop", username: "robot" } });
    await until("the end", () => wrong.end !== undefined);
    expect(wrong.end).toMatch(/not authorized|auth/i);
    expect(wrong.live).toBe(false);
  });
});

describe("the page", () => {
  let port: number;
  const at = (path: string) => `http://127.0.0.1:${port}${path}`;
  beforeEach(async () => {
    const probe = createServer();
    await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
    port = (probe.address() as { port: number }).port;
    await new Promise<void>((resolve) => probe.close(() => resolve()));
  });

  it("shows a button, and stops at its request", async () => {
    const heard = listen({ page: { port } });
    await until("live", () => heard.live);
    const page = await fetch(at("/"));
    expect(page.status).toBe(200);
    expect(await page.text()).toContain('<button id="stop"');
    expect(heard.stops).toEqual([]);
    const answer = await fetch(at("/stop"), { method: "POST", headers: { origin: at("") } });
    expect([answer.status, await answer.text()]).toEqual([200, "stopped\n"]);
    expect(heard.stops).toEqual(["asked for by 127.0.0.1"]);
  });

  it("says what could not be stopped", async () => {
    const heard = listen({ page: { port } });
    await until("live", () => heard.live);
    heard.failures.push("arm: the servo does not answer");
    const answer = await fetch(at("/stop"), { method: "POST" });
    expect([answer.status, await answer.text()]).toEqual([502, "arm: the servo does not answer.\n"]);
  });

  it.each([
    ["a page of another site", "/stop", { method: "POST", headers: { origin: "http://evil.example" } }, 403],
    ["a page without a name", "/stop", { method: "POST", headers: { origin: "null" } }, 403],
    ["a link", "/stop", { method: "GET" }, 405],
    ["another path", "/reset", { method: "POST" }, 404],
  ])("does not stop for %s", async (_who, path, request, status) => {
    const heard = listen({ page: { port } });
    await until("live", () => heard.live);
    expect((await fetch(at(path), request)).status).toBe(status);
    expect(heard.stops).toEqual([]);
  });

  it("ends with the field's name when the port is taken", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(port, "127.0.0.1", resolve));
    const heard = listen({ page: { port } });
    await until("the end", () => heard.end !== undefined);
    expect(heard.end).toMatch(/estop\.page cannot listen on 127\.0\.0\.1:\d+: another program/);
    expect(heard.live).toBe(false);
    await new Promise<void>((resolve) => other.close(() => resolve()));
  });
});

it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
  "%s to everybody does not look like a button",
  async (signal) => {
    const heard = listen({ line: { path: fifo } });
    const writer = openSync(fifo, "w");
    await until("live", () => heard.live);
    process.kill(readerOf(fifo), signal);
    writeSync(writer, "still there\n");
    await until("the line", () => heard.stops.length === 1);
    expect(heard.end).toBeUndefined();
    closeSync(writer);
  },
);

/** The process of ours that has the file open as its descriptor 3. */
function readerOf(path: string): number {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const reader = pids.find((pid) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/3`) === path && readlinkSync(`/proc/${pid}/exe`).endsWith("cat");
    } catch {
      return false;
    }
  });
  return Number(reader);
}

it("a reader dies with the one who started it, so that no press is lost to it", async () => {
  const heard = listen({ line: { path: fifo } });
  const writer = openSync(fifo, "w");
  await until("live", () => heard.live);
  ended.abort();
  await until("the end", () => heard.end !== undefined);
  closeSync(writer);
  const next = spawn("cat", [fifo], { stdio: ["ignore", "pipe", "inherit"] });
  const again = openSync(fifo, "w");
  writeSync(again, "for the next\n");
  closeSync(again);
  const text = await new Promise<string>((resolve) =>
    next.stdout.once("data", (got) => resolve(String(got))),
  );
  expect(text).toBe("for the next\n");
});
