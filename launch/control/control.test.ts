import { mkdtempSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, describe, expect, it } from "vitest";
import { CerebellumError } from "../../core/errors.js";
import { systemClock } from "../systemClock.js";
import { askDaemon } from "./client.js";
import { serveControl } from "./server.js";

const socketPath = join(mkdtempSync(join(tmpdir(), "control-")), "daemon.sock");
let close: (() => Promise<void>) | undefined;
afterEach(async () => {
  await close?.();
  close = undefined;
});

/** Sends raw text and resolves with the first line that comes back. */
const sendRaw = (text: string) =>
  new Promise<string>((resolve) => {
    const socket = connect(socketPath, () => socket.write(text));
    createInterface({ input: socket }).once("line", (line) => {
      socket.destroy();
      resolve(line);
    });
  });

describe("control socket", () => {
  it("hands a valid request over and brings the answer back", async () => {
    close = await serveControl(socketPath, async (request) => ({ ok: true, message: request.do }));
    expect(await askDaemon(socketPath, { do: "status" }, systemClock)).toEqual({
      ok: true,
      message: "status",
    });
  });

  it("carries an error with its code and remedy to the one who asked", async () => {
    close = await serveControl(socketPath, async () => {
      throw new CerebellumError("DEVICE_FAULT", "The arm reports C31", "Clear the way, then reset");
    });
    await expect(askDaemon(socketPath, { do: "enable" }, systemClock)).rejects.toMatchObject({
      code: "DEVICE_FAULT",
      remedy: "Clear the way, then reset",
    });
  });

  it.each([
    ["no JSON", "hello\n"],
    ["an unknown request", '{"do":"jump"}\n'],
    ["a wrong category", '{"do":"stop","category":7,"reason":""}\n'],
    ["an extra key", '{"do":"status","force":true}\n'],
    ["an endless line", "x".repeat(10_000)],
  ])("refuses %s and goes on", async (_name, text) => {
    close = await serveControl(socketPath, async () => ({ ok: true, message: "fine" }));
    expect(JSON.parse(await sendRaw(text))).toMatchObject({ ok: false, code: "CONFIG_INVALID" });
    expect(await askDaemon(socketPath, { do: "status" }, systemClock)).toMatchObject({ message: "fine" });
  });

  it("answers in order, also when requests come in one piece", async () => {
    const seen: string[] = [];
    close = await serveControl(socketPath, async (request) => ({
      ok: true,
      message: `${seen.push(request.do)}`,
    }));
    const answers: string[] = [];
    await new Promise<void>((resolve) => {
      const socket = connect(socketPath, () =>
        socket.write('{"do":"enable"}\n{"do":"reset"}\n{"do":"status"}\n'),
      );
      createInterface({ input: socket }).on("line", (line) => {
        answers.push(JSON.parse(line).message);
        if (answers.length === 3) {
          socket.destroy();
          resolve();
        }
      });
    });
    expect(seen).toEqual(["enable", "reset", "status"]);
    expect(answers).toEqual(["1", "2", "3"]);
  });

  it("says how to start the daemon when none runs", async () => {
    await expect(askDaemon(`${socketPath}.none`, { do: "status" }, systemClock)).rejects.toMatchObject({
      code: "NOT_RUNNING",
    });
  });
});
