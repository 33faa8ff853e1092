/** A real servo process that writes its black box, ended in every way there is, and what `why` makes of it. */

import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { addNs, msToNs } from "../../core/clock.js";
import { repositoryRootUrl } from "../../core/entry.js";
import type { EmulatorPorts } from "../../lab/xarm7/emulator.js";
import { Explanation } from "../../runtime/servo/blackBox/explanation.js";
import { explanationText } from "../../runtime/servo/blackBox/text.js";
import { command, writeCell } from "../../test/support/cell.js";
import { HOME_RAD, JsonProcess, ServoRig, until } from "../../test/support/servoRig.js";
import { loadCell } from "../cell/load.js";
import { explainRobot } from "../commands/why.js";
import { blackBoxFolder, makeRunFolder } from "../runFolder.js";
import { systemClock } from "../systemClock.js";

let emulator: JsonProcess;
let rig: ServoRig;
const timers: NodeJS.Timeout[] = [];

const why = (count?: number) => Explanation.parse(explainRobot("arm", blackBoxFolder(rig.socketPath), count));
const text = (explanation = why()) => explanationText(explanation);

/** Enabled, and led by a policy that gives a target five times a second. */
async function follow(): Promise<void> {
  await rig.supervisor.enable();
  await rig.inState("holding");
  const commander = await rig.connect("commander", "policy");
  const lease = await commander.acquireLease("policy");
  const home = [...rig.supervisor.latest()!.positionRad];
  let count = 0;
  const lead = () => {
    if (lease.lost.aborted) return;
    count++;
    lease.command({
      positionRad: home.map((value, joint) => value + 0.15 * Math.sin(count / 8 + joint)),
      expiresNs: addNs(systemClock.nowNs(), msToNs(900)),
      inputAgeMs: 55,
    });
  };
  lead();
  timers.push(setInterval(lead, 200));
  await until("motion", () => rig.supervisor.latest()!.commandSeq >= 4);
}

/** Processes of their own can be killed; the rig's clients live here. */
function startVictim() {
  const url = (path: string) => JSON.stringify(new URL(path, repositoryRootUrl()).href);
  const script = `
    import { connectServo } from ${url("dist/runtime/servo/link/client.js")};
    import { systemClock as clock } from ${url("dist/launch/systemClock.js")};
    const options = { role: "commander", name: "victim", clock };
    const servo = await connectServo(${JSON.stringify(rig.socketPath)}, options);
    const lease = await servo.acquireLease("victim");
    while (servo.latest() === undefined) await clock.sleepUntil(clock.nowNs() + 1000000n);
    const home = [...servo.latest().positionRad];
    for (let count = 1; ; count++) {
      lease.command({ positionRad: home.map((v) => v + 0.02 * count), expiresNs: clock.nowNs() + 900000000n });
      await clock.sleepUntil(clock.nowNs() + 200000000n);
    }`;
  return spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: "ignore" });
}

beforeEach(async () => {
  emulator = new JsonProcess("xarm7EmulatorMain.js", [JSON.stringify({ positionRad: HOME_RAD })]);
  const { ports } = (await emulator.read()) as { ports: EmulatorPorts };
  rig = new ServoRig(ports);
  expect((await rig.start()).ready).toMatchObject({ ready: true });
  await rig.connectSupervisor("daemon");
});

afterEach(async () => {
  for (const timer of timers.splice(0)) clearInterval(timer);
  await rig.close();
  emulator.process.kill("SIGKILL");
});

const kill = async () => {
  rig.servo.process.kill("SIGKILL");
  await rig.servo.exited;
};

describe("why", () => {
  it("explains a servo process killed in motion, from the files alone", async () => {
    await follow();
    await kill();
    const killedMs = systemClock.nowMs();
    const explanation = why();
    expect(explanation.now).toMatchObject({ process: "died", state: "following" });
    const [death] = explanation.incidents;
    expect(death).toMatchObject({ kind: "death", stateBefore: "following" });
    expect(death!.command).toMatchObject({ commander: "policy" });
    expect(death!.command!.inputAgeMs! - death!.command!.ageMs!).toBeCloseTo(55, 0);
    // The files' end lies before the death, by about the writer's pace.
    expect(death!.agoS).toBeGreaterThan(0);
    expect(death!.agoS).toBeLessThan((systemClock.nowMs() - killedMs) / 1000 + 2);
    expect(explanation.record).toMatchObject({ damagedChunks: 0, filesSkipped: [], lostRows: 0 });
    expect(text()).toMatch(/^The servo process of arm ended without a word/);
  });

  it("still explains it when the next process runs, stopped", async () => {
    await follow();
    await kill();
    const next = new ServoRig(portsOf(rig));
    try {
      const { ready } = await next.start({
        socketPath: rig.socketPath,
        startLatched: "the servo process ended",
      });
      expect(ready).toMatchObject({ ready: true });
      await until("its first rows", () => why().now.state === "stopped");
      expect(why().now.process).toBe("running");
      expect(why().incidents[0]).toMatchObject({ kind: "death" });
      expect(text()).toContain("starts stopped: the servo process ended");
    } finally {
      await next.close();
    }
  });

  it("explains a stop by its reason, with the way to rest", async () => {
    await follow();
    await rig.supervisor.stop(2, "operator at the command line");
    await until("it is written", () => why().now.state === "stopped");
    const { incidents, now } = why();
    expect(now.process).toBe("running");
    expect(incidents[0]).toMatchObject({ kind: "stop", trigger: "stopRequested", stateBefore: "following" });
    expect(incidents[0]!.timing.restMs).toBeGreaterThan(0);
    expect(incidents[0]!.timing.restMs!).toBeGreaterThanOrEqual(incidents[0]!.timing.firstTickMs!);
    expect(incidents[0]!.chain.some(({ text: line }) => line.includes("stopping -> stopped"))).toBe(true);
    expect(text()).toContain("operator at the command line");
    await rig.supervisor.reset();
    await rig.supervisor.enable();
    await until("it is written", () => why().incidents[0]!.goneOnAfterMs !== null);
    expect(text()).toContain("Nothing: it went on");
  });

  it("explains a collision in the device's own words", async () => {
    await follow();
    await emulator.ask({ do: "error", code: 31 });
    await rig.inState("faulted");
    await until("it is written", () => why().now.state === "faulted");
    const [incident] = why().incidents;
    expect(incident).toMatchObject({ kind: "fault", trigger: "deviceFault", device: { errorCode: 31 } });
    expect(incident!.fault).toMatchObject({ code: expect.stringContaining("C31"), deviceCode: 31 });
    expect(text()).toContain("Motor currents show a collision");
    expect(text()).toContain("Look for the obstacle");
  });

  it("explains a commander that was killed", async () => {
    await rig.supervisor.enable();
    const victim = startVictim();
    await until("motion", () => rig.supervisor.latest()!.commandSeq >= 3);
    victim.kill("SIGKILL");
    await rig.inState("holding");
    await until("it is written", () => why().incidents.length > 0);
    expect(why().incidents[0]).toMatchObject({ kind: "leaseEnd", trigger: "commanderGone" });
    expect(why().incidents[0]!.command).toMatchObject({ commander: "victim" });
  });

  it("explains a daemon that is gone while the servo process holds on", async () => {
    await follow();
    await rig.supervisor.close();
    await until("it is written", () => why().incidents.length > 0);
    expect(why()).toMatchObject({
      now: { process: "running" },
      incidents: [{ kind: "leaseEnd", trigger: "supervisorGone", command: { commander: "policy" } }],
    });
  });

  it("explains an orderly end", async () => {
    await follow();
    rig.servo.process.kill("SIGTERM");
    expect(await rig.servo.exited).toBe(0);
    expect(why()).toMatchObject({ now: { process: "ended" }, incidents: [{ trigger: "processEnds" }] });
    expect(text()).toContain("the servo process ends (SIGTERM)");
  });

  it("answers at the command line and as JSON while nothing runs, and says so where there is nothing", async () => {
    const folder = mkdtempSync(join(tmpdir(), "why-"));
    const cellFile = await writeCell(folder);
    const cell = loadCell(cellFile);
    const run = makeRunFolder(cell.name);
    try {
      const none = await command("why", "--cell", cellFile);
      expect(none).toMatchObject({ code: 0 });
      expect(none.text).toMatch(/There is no black box of arm/);
      await kill();
      execFileSync("cp", ["-r", blackBoxFolder(rig.socketPath), run.blackBox("arm")]);
      const jsonFile = join(folder, "why.json");
      const { code, text: said } = await command("why", "--cell", cellFile, "--json", jsonFile);
      expect(code).toBe(0);
      expect(said).toMatch(/Nothing has stopped arm/);
      const { robots } = JSON.parse(readFileSync(jsonFile, "utf8")) as { robots: unknown[] };
      expect(Explanation.parse(robots[0])).toMatchObject({ robot: "arm", now: { process: "died" } });
    } finally {
      rmSync(run.folder, { recursive: true, force: true });
      rmSync(folder, { recursive: true });
    }
  });
});

describe("a disk that takes nothing more", () => {
  /** The kernel refuses every byte that makes a file longer than this; sockets and pipes are no files. */
  const fileBytesMax = (limit: string) =>
    execFileSync("prlimit", ["--pid", String(rig.servo.process.pid), `--fsize=${limit}:unlimited`]);

  it("stops the arm; when there is room again, reset and enable go on, and why knows it all", async () => {
    await follow();
    fileBytesMax("0");
    await rig.inState("stopped");
    await expect(rig.supervisor.enable()).rejects.toThrow();
    await rig.supervisor.reset();
    await expect(rig.supervisor.enable()).rejects.toMatchObject({ code: "RECORDING_FAILED" });
    fileBytesMax("unlimited");
    await until("the black box works again", async () => {
      try {
        await rig.supervisor.enable();
        return true;
      } catch {
        return false;
      }
    });
    await rig.inState("holding");
    await until("it is written", () => why().incidents.length > 0);
    const [incident] = why().incidents;
    expect(incident).toMatchObject({ kind: "stop", trigger: "blackBoxFailed" });
    expect(incident!.happened).toMatch(/cannot be written \(EFBIG/);
    expect(incident!.remedies[0]).toMatch(/Make room/);
  });
});

describe("the thread that writes", () => {
  it("runs at normal priority, whatever the servo's own is", () => {
    const { pid } = rig.servo.process;
    const threads = readdirSync(`/proc/${pid}/task`);
    const realtime = threads.filter((thread) => policyOf(`/proc/${pid}/task/${thread}/stat`) !== 0);
    expect(threads.length).toBeGreaterThan(2);
    // The servo's own thread alone, and that only where the system permits it.
    expect([[], [String(pid)]]).toContainEqual(realtime);
  });
});

/** Field 41 of proc(5): 0 is the ordinary scheduler. */
function policyOf(statFile: string): number {
  const text = readFileSync(statFile, "utf8");
  return Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[38]);
}

function portsOf({ config }: ServoRig): EmulatorPorts {
  const { commandPort, reportPorts } = config.xarm7 as { commandPort: number; reportPorts: EmulatorPorts };
  return { ...reportPorts, command: commandPort };
}
