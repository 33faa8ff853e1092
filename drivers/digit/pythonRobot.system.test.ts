/** A robot written in Python from the wire's description alone: it must understand us, and we it, over real sockets. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, expect, it } from "vitest";
import { z } from "zod";
import { sleepMs } from "../../core/clock.js";
import { zstdDecompressor } from "../../episodes/import/zstd.js";
import { Random } from "../../lab/world/random.js";
import { systemClock } from "../../launch/systemClock.js";
import { ROOT } from "../../test/support/cell.js";
import { createCommand, type FallbackMode, MOTORS, OBSERVATION_FIELDS } from "./protocol/index.js";
import { DigitUdpLink } from "./udpLink.js";

const PYTHON = join(ROOT, ".ros2/venv/bin/python");
const SEED = 20_230_301;
const LAYOUTS = 15;
const COMMANDS = 40;

const missing = missingPackage();
if (missing !== undefined) console.warn(`Digit's wire is not compared with another one's: ${missing}`);

const Numbers = z.record(z.string(), z.array(z.number()));
const Said = z.object({
  missing: z.array(z.string()),
  constants: Numbers,
  messages: z.array(Numbers),
});

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

it.skipIf(missing !== undefined)("every layout is read, and every command understood", async () => {
  const observationPort = await freePort();
  const robot = new Peer(
    spawn(PYTHON, [join(ROOT, "test/support/artlRobot.py"), `${observationPort}`, `${SEED}`]),
  );
  const { port } = z.object({ port: z.int() }).parse(await robot.line());
  const link = new DigitUdpLink({
    clock: systemClock,
    host: "127.0.0.1",
    commandPort: port,
    observationPort,
    inflate: await zstdDecompressor(),
  });
  closers.push(() => link.close());
  await link.open(new AbortController().signal);
  const seen: Float64Array[] = [];
  link.onObservation(({ values }) => seen.push(values.slice()));

  for (let layout = 0; layout < LAYOUTS; layout++) {
    seen.length = 0;
    const said = Said.parse(await robot.ask("another"));
    await until(() => seen.length === said.messages.length);
    expect(link.missing.toSorted(), `layout ${layout}`).toEqual(said.missing);
    for (const [index, motor] of MOTORS.entries()) {
      expect(link.limits?.torqueNm[index]).toBe(said.constants[`${motor}.torque_limit`]?.[0]);
      expect(link.limits?.dampingNmSPerRad[index]).toBe(said.constants[`${motor}.damping_limit`]?.[0]);
      expect(link.limits?.velocityRadPerS[index]).toBe(said.constants[`${motor}.velocity_limit`]?.[0]);
    }
    for (const [message, values] of said.messages.entries())
      for (const { name, at, rows } of OBSERVATION_FIELDS)
        expect(
          [...seen[message]!.subarray(at, at + rows)],
          `layout ${layout}, message ${message}: ${name}`,
        ).toEqual(values[name] ?? Array.from({ length: rows }, () => Number.NaN));
  }
  expect(link.counters).toMatchObject({ corrupt: 0, reordered: 0, observations: LAYOUTS * 8 });

  const random = new Random(SEED);
  const number = () => random.uniform(-200, 200);
  const sent = Array.from({ length: COMMANDS }, (_, index) => {
    const command = createCommand();
    for (const vector of [command.torqueNm, command.velocityRadPerS, command.dampingNmSPerRad])
      for (let motor = 0; motor < vector.length; motor++) vector[motor] = number();
    command.fallback = (index % 3) as FallbackMode;
    command.apply = index % 2 === 0;
    expect(link.send(command)).toBe(true);
    return command;
  });
  const heard = z.array(z.record(z.string(), z.number())).parse(await robot.ask("commands"));
  expect(heard).toHaveLength(COMMANDS);
  for (const [index, { torqueNm, velocityRadPerS, dampingNmSPerRad, fallback, apply }] of sent.entries())
    expect(heard[index]).toEqual({
      ...Object.fromEntries(
        MOTORS.flatMap((motor, at) => [
          [`${motor}.torque`, torqueNm[at]],
          [`${motor}.velocity`, velocityRadPerS[at]],
          [`${motor}.damping`, dampingNmSPerRad[at]],
        ]),
      ),
      fallback_opmode: fallback,
      apply_command: apply ? 1 : 0,
    });
});

class Peer {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stderr!.on("data", (text) => console.error(String(text)));
    this.#lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    const ended = new Promise((resolve) => child.once("close", resolve));
    closers.push(() => {
      child.stdin!.end();
      return ended;
    });
  }

  async line(): Promise<unknown> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("the robot ended");
    return JSON.parse(value);
  }

  ask(question: string): Promise<unknown> {
    this.#child.stdin!.write(`${question}\n`);
    return this.line();
  }
}

async function freePort(): Promise<number> {
  const taken = createSocket("udp4");
  await new Promise<void>((done) => taken.bind(0, "127.0.0.1", done));
  const { port } = taken.address();
  await new Promise<void>((done) => taken.close(() => done()));
  return port;
}

async function until(holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1000 && !holds(); turn++) await sleepMs(systemClock, 2);
  expect(holds()).toBe(true);
}

function missingPackage(): string | undefined {
  if (!existsSync(PYTHON)) return "there is no .ros2/venv";
  try {
    execFileSync(PYTHON, ["-c", "import zstandard"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "Python of .ros2/venv lacks zstandard";
  }
}
