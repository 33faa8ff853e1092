/**
 * A whole cell in the lab, without a policy: what a death of each process does, every way to stop, every signal. One
 * daemon serves many cases, because its start is what takes time; the cases build on each other in their order.
 */
import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { command, ROOT, Running, STATE_HOME, writeCell } from "../../test/support/cell.js";
import { type NotifySocket, openNotifySocket } from "../../test/support/notifySocket.js";
import { askDaemon } from "../control/client.js";
import { runFolder } from "../runFolder.js";
import { systemClock } from "../systemClock.js";

const folder = mkdtempSync(join(tmpdir(), "supervision-"));
const button = join(folder, "button");
let name = "";
let file = "";
let up: Running;
let systemd: NotifySocket;
let writer = -1;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const childPid = (child: string) =>
  Number(readFileSync(join(runFolder(name).folder, `${child}.pid`), "utf8"));
const ask = (verb: "reset" | "enable") =>
  askDaemon(runFolder(name).controlSocket, { do: verb }, systemClock, 30_000).then(
    ({ message }) => ({ code: 0, text: message }),
    (thrown: Error) => ({ code: 1, text: thrown.message }),
  );

interface Status {
  readonly items: readonly {
    name: string;
    level: string;
    message: string;
    values: Record<string, string | number>;
  }[];
}
async function item(which: string) {
  const { status } = await askDaemon(runFolder(name).controlSocket, { do: "status" }, systemClock);
  return (status as unknown as Status).items.find((one) => one.name === which)!;
}
async function until(
  what: string,
  condition: () => Promise<boolean> | boolean,
  withinMs = 20_000,
): Promise<void> {
  const limitMs = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > limitMs) throw new Error(`never happened: ${what}\n${up.text}`);
    await pause(50);
  }
}
const servoIs = (state: string) =>
  until(`servo ${state}`, async () => (await item("servo: arm")).values.state === state);

async function start(env: NodeJS.ProcessEnv = {}): Promise<void> {
  up = new Running(["up", file, "--no-policy"], env);
  await up.until(/the cell is up/, 60);
}

async function enable(): Promise<void> {
  await ask("reset");
  expect((await ask("enable")).text).toMatch(/holding/);
  await servoIs("holding");
}

beforeAll(async () => {
  process.env.ROS_DOMAIN_ID = String(101 + (process.pid % 100));
  execFileSync("mkfifo", [button]);
  systemd = await openNotifySocket(join(folder, "notify"));
  file = await writeCell(folder, (cell) => {
    name = cell.name;
    // Little to render: nobody looks.
    Object.assign(cell.cameras.wrist!, { widthPx: 64, heightPx: 48, rateHz: 5 });
    delete cell.policy;
    cell.estop = { line: { path: button } };
  });
  await start({ NOTIFY_SOCKET: systemd.address, WATCHDOG_USEC: "3000000" });
});
afterAll(async () => {
  up.process.kill("SIGKILL");
  systemd.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("a running cell", () => {
  it("tells systemd that it is ready and alive", async () => {
    await until("pings", () => systemd.messages.filter((one) => one === "WATCHDOG=1").length >= 2);
    expect(systemd.messages[0]).toBe("READY=1");
  });

  it("enables nothing before the required stop source is there", async () => {
    const { code, text } = await ask("enable");
    expect(code).toBe(1);
    expect(text).toMatch(/Nothing is enabled: stop source line: not open yet/);
    writer = openSync(button, "w");
    await until("the source", async () => (await item("estop: line")).values.state === "live");
    expect((await ask("enable")).text).toMatch(/holding/);
  });

  it("stops at a line, latched, with the source in the reason", async () => {
    await servoIs("holding");
    writeSync(writer, "red button\n");
    await servoIs("stopped");
    expect(up.text).toContain(`stop of category 1: e-stop: line: ${button} said \\"red button\\"`);
    expect((await ask("enable")).code).toBe(1);
  });

  it("stops when the required source goes, and enables again when it is back", async () => {
    await enable();
    closeSync(writer);
    await servoIs("stopped");
    expect(up.text).toContain(`e-stop: line: ${button}: it ended`);
    await ask("reset");
    expect((await ask("enable")).text).toMatch(/stop source line: .*it ended/);
    writer = openSync(button, "w");
    await until("the source", async () => (await item("estop: line")).values.state === "live");
    await enable();
  });

  it("starts a killed servo process again, stopped; only reset and enable lead on", async () => {
    const before = childPid("servo-arm");
    process.kill(before, "SIGKILL");
    await up.until(/the servo process of arm runs again, stopped/, 20);
    await servoIs("stopped");
    expect(childPid("servo-arm")).not.toBe(before);
    expect(await item("servo: arm")).toMatchObject({ values: { restarts: 1 } });
    expect(up.text).toMatch(/the servo process of arm failed: it ended with signal SIGKILL/);
    expect((await ask("enable")).text).toMatch(/stopped/);
    await enable();
  });

  it("ends one that hangs, and starts it again; systemd is not pinged meanwhile", async () => {
    process.kill(childPid("servo-arm"), "SIGSTOP");
    await up.until(/it did not tick for 3 s and was ended/, 20);
    expect(up.text).toMatch(/systemd is not pinged: the servo of arm does not tick/);
    await until("the restart", async () => (await item("servo: arm")).values.restarts === 2);
    await servoIs("stopped");
  });

  it("leaves it down after too many deaths; a reset starts it once more", async () => {
    process.kill(childPid("servo-arm"), "SIGKILL");
    await until("the third restart", async () => (await item("servo: arm")).values.restarts === 3);
    process.kill(childPid("servo-arm"), "SIGKILL");
    await up.until(/it was started 3 times within 60 s and stays down/, 20);
    expect(await item("servo: arm")).toMatchObject({
      level: "error",
      message: expect.stringMatching(/stays down/),
    });
    const stopped = await command("stop", "--cell", file);
    expect(stopped.code).toBe(1);
    expect(stopped.text).toMatch(/daemon: NOT STOPPED: arm: The servo process does not answer/);
    expect((await ask("reset")).text).toMatch(/nothing is enabled/);
    await enable();
  });

  it("is stopped from the command line while its daemon hangs", async () => {
    up.process.kill("SIGSTOP");
    const { code, text } = await command("stop", "--cell", file);
    up.process.kill("SIGCONT");
    expect(text).toMatch(/servo arm: stopped/);
    expect(text).toMatch(/daemon: NOT STOPPED: did not answer/);
    expect(code).toBe(0);
    await servoIs("stopped");
  });

  it("writes its log to a file too", () => {
    expect(readFileSync(join(STATE_HOME, "cerebellum", name, "daemon.log"), "utf8")).toContain(
      '"event":"servoDown"',
    );
  });

  it("holds when its daemon is killed; the next one ends what was left and starts stopped", async () => {
    await enable();
    const orphan = childPid("servo-arm");
    up.process.kill("SIGKILL");
    await up.finished;
    await start();
    expect(up.text).toMatch(new RegExp(`ending process ${orphan}, left by a former daemon`));
    expect(up.text).toMatch(/did not end in order: the robots start stopped/);
    expect(() => process.kill(orphan, 0)).toThrow();
    await servoIs("stopped");
    expect((await ask("enable")).code).toBe(1);
    closeSync(writer);
    writer = openSync(button, "w");
    await until("the source", async () => (await item("estop: line")).values.state === "live");
    await enable();
  });

  it("ends in order when its terminal goes, and again at a second signal", async () => {
    up.process.kill("SIGHUP");
    up.process.kill("SIGTERM");
    const { code, text } = await up.finished;
    expect(code, text).toBe(0);
    expect(text).toMatch(/"event":"servo.end"/);
  });

  it("starts as usual after that, and ends with the error when its lab dies", async () => {
    await start();
    expect(up.text).not.toMatch(/start stopped/);
    process.kill(childPid("lab"), "SIGKILL");
    const { code, text } = await up.finished;
    expect(code).toBe(1);
    expect(text).toMatch(/NOT_RUNNING: The lab process ended with signal SIGKILL/);
  });

  it("ends at once when it is told to while it starts", async () => {
    up = new Running(["up", file, "--no-policy"]);
    await up.until(/starting the simulated lab/, 30);
    up.process.kill("SIGTERM");
    expect((await up.finished).code).toBe(0);
    closeSync(writer);
  });
});

it("a run folder that cannot be made is refused with what to do", async () => {
  const { code, text } = await new Running(["up", file, "--no-policy"], { XDG_RUNTIME_DIR: "/dev/null" })
    .finished;
  expect(code).toBe(1);
  expect(text).toMatch(
    /The run folder \/dev\/null\/cerebellum\/\S+ cannot be written: ENOTDIR.*XDG_RUNTIME_DIR/s,
  );
});

it("the launcher sends a stop on its shortest way", async () => {
  expect(readFileSync(join(ROOT, "cerebellum"), "utf8")).toMatch(/stop\)[^;]*stopMain\.js/s);
  const { code, text } = await command("stop", "--cell", file);
  expect(code).toBe(1);
  expect(text).toMatch(/NOT_RUNNING: No cell of/);
});
