import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CerebellumError } from "../../core/errors.js";
import { SimClock } from "../../core/simClock.js";
import { FakeServo } from "../../runtime/ros/testing.js";
import { NO_STATISTICS } from "../../runtime/servo/link/schema.js";
import { type LinkHandler, LinkServer } from "../../runtime/servo/link/server.js";
import { serveControl } from "../control/server.js";
import { type RunFolder, runFolderAt } from "../runFolder.js";
import { systemClock } from "../systemClock.js";
import { allStopped, stopDirectly } from "./direct.js";

let run: RunFolder;
const undo: (() => unknown)[] = [];

beforeEach(() => {
  const base = mkdtempSync(join(tmpdir(), "direct-"));
  run = runFolderAt(join(base, "my_cell"));
  mkdirSync(run.folder);
  undo.push(() => rmSync(base, { recursive: true, force: true }));
});
afterEach(async () => {
  for (const one of undo.splice(0).reverse()) await one();
});

async function serveServo(robot: string, stop: LinkHandler["stop"]): Promise<void> {
  const refuse = () => {
    throw new Error("not expected");
  };
  const server = new LinkServer({
    info: () => new FakeServo(new SimClock(), [0, 0, 0, 0, 0, 0, 0]).info,
    statistics: () => NO_STATISTICS,
    heard: () => {},
    gone: () => {},
    troubled: () => {},
    acquireLease: refuse,
    releaseLease: refuse,
    revokeLease: refuse,
    command: refuse,
    setpoints: refuse,
    gripper: refuse,
    enable: refuse,
    reset: refuse,
    teach: refuse,
    stop,
  });
  await server.listen(run.servoSocket(robot));
  undo.push(() => server.close());
}

/** Takes connections and never says anything, as a process that hangs. */
async function serveSilence(path: string): Promise<void> {
  const sockets = new Set<{ destroy(): void }>();
  const server: Server = createServer((socket) => void sockets.add(socket.on("error", () => {})));
  await new Promise<void>((resolve) => server.listen(path, resolve));
  undo.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
}

const stop = (clock: SimClock | typeof systemClock = systemClock) =>
  stopDirectly([run], { category: 1, reason: "test", clock });

/** Lets real sockets work, then the simulated time run out. */
async function overdue(clock: SimClock): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 300));
  await clock.advance(6000);
}

describe("a direct stop", () => {
  it("asks every servo and the daemon, and brings back what they say", async () => {
    const asked: string[] = [];
    await serveServo(
      "left",
      async (category, reason, by) => void asked.push(`left ${category} ${reason} ${by}`),
    );
    await serveServo("right", async (category) => void asked.push(`right ${category}`));
    undo.push(
      await serveControl(run.controlSocket, async (request) => {
        asked.push(`daemon ${JSON.stringify(request)}`);
        return { ok: true, message: "left: stopped; right: stopped" };
      }),
    );
    const parts = await stop();
    expect(asked.sort()).toEqual([
      'daemon {"do":"stop","category":1,"reason":"test"}',
      "left 1 test stop command",
      "right 1",
    ]);
    expect(parts.map(({ cell, part, answer }) => `${cell} ${part} ${answer.kind}`)).toEqual([
      "my_cell servo left stopped",
      "my_cell servo right stopped",
      "my_cell daemon stopped",
    ]);
    expect(allStopped(parts)).toBe(true);
  });

  it("does without a daemon that hangs", async () => {
    const clock = new SimClock();
    await serveServo("arm", async () => {});
    await serveSilence(run.controlSocket);
    const stopping = stop(clock);
    await overdue(clock);
    const parts = await stopping;
    expect(parts.at(-1)!.answer).toEqual({ kind: "failed", message: "did not answer within 3000 ms" });
    expect(allStopped(parts)).toBe(true);
  });

  it("fails where a servo hangs, whatever the others say", async () => {
    const clock = new SimClock();
    await serveServo("left", async () => {});
    await serveSilence(run.servoSocket("right"));
    const stopping = stop(clock);
    await overdue(clock);
    const parts = await stopping;
    expect(parts[1]!.answer).toMatchObject({ kind: "failed", message: "did not answer within 5000 ms" });
    expect(allStopped(parts)).toBe(false);
  });

  it("fails with the servo's own words", async () => {
    await serveServo("arm", async () => {
      throw new CerebellumError("DEVICE_UNREACHABLE", "The arm does not answer", "Use the red button");
    });
    const parts = await stop();
    expect(parts[0]!.answer).toEqual({
      kind: "failed",
      message: "The arm does not answer. Use the red button.",
    });
    expect(allStopped(parts)).toBe(false);
  });

  it("fails with what the daemon could not stop", async () => {
    await serveServo("left", async () => {});
    undo.push(
      await serveControl(run.controlSocket, async () => {
        throw new CerebellumError(
          "DEVICE_REFUSED",
          "right: the servo process does not answer",
          "See its log",
        );
      }),
    );
    expect(allStopped(await stop())).toBe(false);
  });

  it("passes over socket files that dead processes left", async () => {
    writeFileSync(run.servoSocket("old"), "");
    const parts = await stop();
    expect(parts.map(({ answer }) => answer.kind)).toEqual(["absent", "absent"]);
  });

  it("fails where something else answers on the socket", async () => {
    const server = createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    await new Promise<void>((resolve) => server.listen(run.servoSocket("arm"), resolve));
    undo.push(() => server.close());
    const [part] = await stop();
    expect(part!.answer.kind).toBe("failed");
  });
});
