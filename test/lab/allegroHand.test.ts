/**
 * The emulated hand as a process with a pseudo-terminal: what a serial port's user sees of it, and python-can as a client
 * that shares nothing with our codec. Timing figures belong to the benches: here only the order and the grid count.
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { constants, existsSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ReadStream } from "node:tty";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { entryUrl, repositoryRootUrl } from "../../core/entry.js";
import { setPeriod, setTorque, systemOn } from "../../drivers/allegro/protocol/index.js";
import type { CanFrame } from "../../drivers/can/frame.js";
import { SlcanReader, slcanOpening, slcanText } from "../../drivers/can/slcan.js";

const python =
  process.env.CEREBELLUM_PYTHON ?? fileURLToPath(new URL(".ros2/venv/bin/python", repositoryRootUrl()));
const script = fileURLToPath(new URL("test/lab/allegroPythonCan.py", repositoryRootUrl()));
const main = fileURLToPath(entryUrl("../../launch/processes/allegroEmulatorMain.js", import.meta.url));
const POSE_IDS = [0x80, 0x84, 0x88, 0x8c];

let folder: string;
let children: ChildProcessWithoutNullStreams[] = [];
let terminals: Terminal[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cerebellum-hand-"));
});
afterEach(() => {
  for (const terminal of terminals) terminal.close();
  for (const child of children) child.kill("SIGKILL");
  [children, terminals] = [[], []];
  rmSync(folder, { recursive: true });
});

/** The emulator's process; answers are read one by one. */
class Emulator {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<number | null>;
  readonly #lines: AsyncIterator<string>;

  constructor(options: Record<string, unknown>) {
    this.child = spawn(process.execPath, [main, JSON.stringify(options)], { stdio: "pipe" });
    children.push(this.child);
    this.ended = new Promise((resolve) => this.child.once("exit", resolve));
    this.#lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  async said(): Promise<Record<string, unknown>> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error("the emulator ended early");
    return JSON.parse(value);
  }

  ask(command: Record<string, unknown>): Promise<Record<string, unknown>> {
    this.child.stdin.write(`${JSON.stringify(command)}\n`);
    return this.said();
  }
}

/** A program that has the port open. */
class Terminal {
  readonly frames: CanFrame[] = [];
  readonly gone: Promise<void>;
  readonly #file: number;
  readonly #stream: ReadStream;

  constructor(path: string) {
    this.#file = openSync(path, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
    this.#stream = new ReadStream(this.#file);
    const reader = new SlcanReader({
      onFrame: (frame) => this.frames.push({ ...frame, data: frame.data.slice() }),
      onRefused: () => {},
      onErrors: () => {},
      onBusState: () => {},
    });
    this.#stream.on("data", (bytes: Buffer) => reader.push(bytes));
    this.#stream.on("error", () => {});
    this.gone = new Promise((resolve) => this.#stream.once("close", () => resolve()));
    terminals.push(this);
  }

  say(text: string): void {
    writeSync(this.#file, text);
  }

  async until(condition: () => boolean, what: string): Promise<void> {
    const startMs = performance.now();
    while (!condition()) {
      if (performance.now() - startMs > 30_000) throw new Error(`${what}: not within 30 s`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  close(): void {
    this.#stream.destroy();
  }
}

const POSES = slcanText(setPeriod({ jointMs: 3, imuMs: 0, temperatureMs: 0 }));

describe("the emulated hand's process", () => {
  it("streams positions of all fingers in order, in the period that was asked for", async () => {
    const path = join(folder, "hand");
    const emulator = new Emulator({ path });
    expect(await emulator.said()).toEqual({ path });
    const terminal = new Terminal(path);
    terminal.say(slcanOpening(1_000_000));
    const startMs = performance.now();
    terminal.say(POSES);
    await terminal.until(() => terminal.frames.length >= 4 * 300, "300 sets of positions");
    const elapsedMs = performance.now() - startMs;
    expect(terminal.frames.map(({ id }) => id)).toEqual(terminal.frames.map((_, k) => POSE_IDS[k % 4]));
    // Never faster than asked for; on a busy machine pauses are left out, which the hand counts.
    const { counters, periodMs } = await emulator.ask({ do: "status" });
    const { skippedPeriods } = counters as { skippedPeriods: number };
    expect(periodMs).toEqual({ joint: 3, imu: 0, temperature: 0 });
    expect(3 * (300 - 1)).toBeLessThanOrEqual(elapsedMs + 20);
    expect(3 * (terminal.frames.length / 4 + skippedPeriods + 10)).toBeGreaterThan(elapsedMs / 2);
  });

  it("ends on SIGTERM and takes its port along; a file in its place is refused", async () => {
    const path = join(folder, "hand");
    const emulator = new Emulator({ path, plant: "ideal" });
    await emulator.said();
    expect(existsSync(path)).toBe(true);
    emulator.child.kill("SIGTERM");
    expect(await emulator.ended).toBe(0);
    expect(existsSync(path)).toBe(false);
    const refused = new Emulator({ path: script, plant: "ideal" });
    expect(await refused.said()).toMatchObject({ error: { code: "PORT_IN_USE" } });
    expect(await refused.ended).toBe(1);
    expect(existsSync(script)).toBe(true);
  });

  it("an adapter that is pulled is gone for who had it open, and comes back closed, the hand still pulling", async () => {
    const path = join(folder, "hand");
    const emulator = new Emulator({ path, plant: "ideal" });
    await emulator.said();
    const first = new Terminal(path);
    first.say(
      `${slcanOpening(1_000_000)}${slcanText(systemOn())}${slcanText(setTorque(0, [90, 0, 0, 0]))}${POSES}`,
    );
    await first.until(() => first.frames.length >= 4, "positions");
    expect(await emulator.ask({ do: "fault", fault: { isUnplugged: {} } })).toEqual({ ok: true });
    await first.gone;
    expect(existsSync(path)).toBe(false);
    expect(await emulator.ask({ do: "status" })).toMatchObject({ isOn: true, isLimp: false });
    await emulator.ask({ do: "fault", fault: { ends: { what: ["isUnplugged"] } } });
    await first.until(() => existsSync(path), "the port is back");
    const second = new Terminal(path);
    expect(await emulator.ask({ do: "status" })).toMatchObject({ isAdapterOpen: false });
    second.say(slcanOpening(1_000_000));
    await second.until(() => second.frames.length >= 4, "positions");
  });

  it("answers what it cannot do with an error, and goes on", async () => {
    const emulator = new Emulator({ model: "v5b", side: "left" });
    await emulator.said();
    expect(await emulator.ask({ do: "fault", fault: { looses: {} } })).toMatchObject({ ok: false });
    expect(await emulator.ask({ do: "log" })).toMatchObject({ ok: true, next: 0, records: [] });
  });
});

describe("python-can 4.6.1 against the emulated hand", () => {
  it.skipIf(!existsSync(python) && !process.env.CI)(
    "reads who it is and where it stands, switches it on, moves it and switches it off",
    async () => {
      const path = join(folder, "hand");
      const emulator = new Emulator({ path, plant: "ideal" });
      await emulator.said();
      const client = spawn(python, ["-u", script, path], { stdio: "pipe" });
      children.push(client);
      let complaints = "";
      client.stderr.on("data", (chunk) => (complaints += String(chunk)));
      const said: Record<string, unknown>[] = [];
      for await (const line of createInterface({ input: client.stdout })) said.push(JSON.parse(line));
      expect(said.filter(({ ok }) => ok === false)).toEqual([]);
      expect(said.at(-1), complaints).toEqual({ done: true });
      expect(said).toHaveLength(8);
      const status = await emulator.ask({ do: "status" });
      expect(status).toMatchObject({ isOn: false, isLimp: true, isAdapterOpen: false, framesRefused: 0 });
      expect(status.limp).toBeDefined();
      expect(status.counters).toMatchObject({ malformed: 0, unknown: 0, neverSent: 0, torqueWhileOff: 0 });
    },
  );
});
