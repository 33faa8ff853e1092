/** The lab's control socket: good requests in order, bad ones answered without harm. */
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CerebellumError } from "../../core/errors.js";
import { LabClient } from "./client.js";
import type { LabRequest } from "./protocol.js";
import { LabControlServer } from "./server.js";

let folder: string;
let path: string;
let server: LabControlServer;
let handled: LabRequest[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "lab-control-"));
  path = join(folder, "lab.sock");
  handled = [];
  server = new LabControlServer(async (request) => {
    handled.push(request);
    if (request.do === "pose") throw new CerebellumError("LAB_REFUSED", "The arm is enabled", "Disable it");
    if (request.do === "snapshot") throw new Error("lens cap");
    // The first answer takes longer than the second: order must hold all the same.
    if (request.do === "armFault") for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
    return request.do === "ports" ? { ports: { command: 18502 } } : {};
  });
  await server.listen(path);
});
afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

/** Sends bytes and collects what comes back until `lines` answers are there or the socket closes. */
function exchange(bytes: string | Buffer, lines: number): Promise<{ answers: unknown[]; closed: boolean }> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    let text = "";
    const finish = (closed: boolean) => {
      socket.destroy();
      resolve({
        answers: text
          .split("\n")
          .slice(0, -1)
          .map((line) => JSON.parse(line)),
        closed,
      });
    };
    // Closed with unread bytes, the kernel says "reset".
    socket.on("error", (error: NodeJS.ErrnoException) => error.code !== "ECONNRESET" && reject(error));
    socket.on("data", (chunk) => {
      text += String(chunk);
      if (text.split("\n").length > lines) finish(false);
    });
    socket.on("close", () => finish(true));
    socket.write(bytes);
  });
}

describe("the control socket", () => {
  it("answers in order, however long each takes", async () => {
    const client = await LabClient.connect(path);
    const [first, second] = await Promise.all([
      client.ask({ do: "armFault", errorCode: 31 }),
      client.ask({ do: "ports" }),
    ]);
    expect(first).toEqual({ ok: true });
    expect(second).toEqual({ ok: true, ports: { command: 18502 } });
    expect(handled.map((request) => request.do)).toEqual(["armFault", "ports"]);
    client.close();
  });

  it("fills in what a request leaves out", async () => {
    await exchange('{"do":"scene","seed":4}\n', 1);
    expect(handled).toEqual([{ do: "scene", seed: 4, light: "training" }]);
  });

  it.each([
    ["no JSON", "hello"],
    ["an unknown request", '{"do":"explode"}'],
    ["a missing field", '{"do":"scene"}'],
    ["a field too many", '{"do":"truth","extra":1}'],
    ["six joints", '{"do":"pose","positionRad":[0,0,0,0,0,0]}'],
    ["a number out of range", '{"do":"armFault","errorCode":300}'],
    ["null", "null"],
  ])("refuses %s with a remedy and goes on", async (_, line) => {
    const { answers } = await exchange(`${line}\n{"do":"ports"}\n`, 2);
    expect(answers[0]).toMatchObject({ ok: false, error: expect.any(String), remedy: expect.any(String) });
    expect(answers[1]).toMatchObject({ ok: true });
    expect(handled).toEqual([{ do: "ports" }]);
  });

  it("passes on the lab's own refusals, and says so when the lab itself failed", async () => {
    const client = await LabClient.connect(path);
    await expect(client.ask({ do: "pose", positionRad: [0, 0, 0, 0, 0, 0, 0] })).rejects.toMatchObject({
      code: "LAB_REFUSED",
      happened: "The arm is enabled",
      remedy: "Disable it",
    });
    await expect(client.ask({ do: "snapshot", camera: "wrist", file: "x.png" })).rejects.toThrow(/lens cap/);
    client.close();
  });

  it("takes a request that arrives in pieces and closes on a line without end", async () => {
    const socket = connect(path);
    const answered = new Promise((resolve) => socket.once("data", (chunk) => resolve(String(chunk))));
    for (const letter of '{"do":"truth"}') {
      socket.write(letter);
      await new Promise(setImmediate);
    }
    socket.write("\n");
    expect(await answered).toBe('{"ok":true}\n');
    socket.destroy();
    expect(await exchange(Buffer.alloc(200_000, "x"), 1)).toEqual({ answers: [], closed: true });
  });

  it("tells a waiting client that the lab ended", async () => {
    const client = await LabClient.connect(path);
    await client.ask({ do: "truth" });
    const asked = client.ask({ do: "armFault", errorCode: 1 });
    await server.close();
    await expect(asked).rejects.toMatchObject({ code: "LAB_REFUSED", happened: "The lab ended" });
    await expect(LabClient.connect(path)).rejects.toMatchObject({ code: "LAB_REFUSED" });
  });
});
