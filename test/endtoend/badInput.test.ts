/** What a person does wrong, or what breaks: a clear error with its remedy, an exit code, and nothing that moves. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LabClient } from "../../lab/control/client.js";
import { askDaemon } from "../../launch/control/client.js";
import { runFolder } from "../../launch/runFolder.js";
import { systemClock } from "../../launch/systemClock.js";
import { type CellDraft, command, freePorts, ROOT, Running, writeCell } from "../support/cell.js";
import { until } from "../support/servoRig.js";

const folder = mkdtempSync(join(tmpdir(), "cerebellum-bad-"));
const bundle = join(ROOT, "policies/bundles/reach-block");

beforeAll(() => {
  process.env.ROS_DOMAIN_ID = String(101 + (process.pid % 100));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs `up` on a changed cell and expects it to end by itself with an error. */
async function refused(change: (cell: CellDraft) => void, ...args: string[]) {
  const { code, text } = await command("up", await writeCell(folder, change), ...args);
  expect(code, text).toBe(1);
  return text;
}

// One after the other: labs side by side keep each other from starting, their threads have real-time priority.
describe("refused before anything is enabled", () => {
  it("a cell file with an unknown key, from `config check` as from `up`", async () => {
    const file = await writeCell(folder, (cell) => {
      cell.robots.arm!.servo.ratehz = 100;
    });
    for (const args of [
      ["config", "check", file],
      ["up", file],
    ]) {
      const { code, text } = await command(...args);
      expect(code).toBe(1);
      expect(text).toMatch(/CONFIG_INVALID.*unknown key; did you mean "rateHz"/s);
    }
  });

  it("impossible limits", async () => {
    const text = await refused((cell) => {
      cell.robots.arm!.servo.toolSpeedMaxMPerS = 5;
    }, "--no-policy");
    expect(text).toMatch(/toolSpeedMaxMPerS/);
  });

  it("a port that somebody else uses", async () => {
    const [port] = await freePorts(1);
    const server = createServer().listen(port, "127.0.0.1");
    const text = await refused((cell) => {
      cell.robots.arm!.xarm7.commandPort = port;
    }, "--no-policy");
    server.close();
    expect(text).toMatch(new RegExp(`PORT_IN_USE.*${port}`, "s"));
  });

  it("an arm that nobody answers for", async () => {
    const text = await refused((cell) => {
      delete cell.lab;
    }, "--no-policy");
    expect(text).toMatch(/DEVICE_UNREACHABLE/);
  });

  it("another model of arm", async () => {
    const text = await refused((cell) => {
      cell.lab!.armVersion = "6,6,XI1305,AC1304,v2.7.1";
    }, "--no-policy");
    expect(text).toMatch(/DEVICE_MISMATCH/);
  });

  it("a version answer that makes no sense", async () => {
    const text = await refused((cell) => {
      cell.lab!.armVersion = "hello";
    }, "--no-policy");
    expect(text).toMatch(/DEVICE_MISMATCH|DEVICE_REFUSED/);
  });

  it("a bundle with a changed file, from `policy verify` as from `up`", async () => {
    const changed = join(folder, "changed");
    cpSync(bundle, changed, { recursive: true });
    const model = join(changed, "controller.onnx");
    const bytes = readFileSync(model);
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(model, bytes);
    const verified = await command("policy", "verify", changed);
    expect(verified.code).toBe(1);
    expect(verified.text).toMatch(/BUNDLE_INVALID.*controller\.onnx/s);
    const text = await refused((cell) => {
      cell.policy!.bundle = changed;
    });
    expect(text).toMatch(/BUNDLE_INVALID/);
  });

  it("a bundle for other joints", async () => {
    const other = join(folder, "other-joints");
    cpSync(bundle, other, { recursive: true });
    const file = join(other, "policy.json");
    writeFileSync(file, readFileSync(file, "utf8").replaceAll('"joint7"', '"wrist"'));
    const text = await refused((cell) => {
      cell.policy!.bundle = other;
    });
    expect(text).toMatch(/BUNDLE_(MISMATCH|INVALID).*wrist/s);
  });

  it("a camera that is mounted otherwise than at training", async () => {
    const text = await refused((cell) => {
      (cell.cameras.wrist!.mount as { positionM: number[] }).positionM = [0.1, 0, 0.025];
    });
    expect(text).toMatch(/BUNDLE_MISMATCH/);
  });

  it("a second daemon for the same cell, and for the same arm under another name", async () => {
    const file = await writeCell(folder);
    const first = new Running(["up", file, "--no-policy"]);
    try {
      await first.until(/the cell is up/);
      const second = await command("up", file, "--no-policy");
      expect(second.code).toBe(1);
      expect(second.text).toMatch(/ALREADY_RUNNING/);
      const text = readFileSync(file, "utf8").replace(/^name: .*$/m, "name: another_name");
      const sameArm = join(folder, "same-arm.yaml");
      writeFileSync(sameArm, text.replace(/^lab:\n(?: .*\n)*/m, ""));
      const third = await command("up", sameArm, "--no-policy");
      expect(third.code).toBe(1);
      expect(third.text).toMatch(/ALREADY_RUNNING/);
    } finally {
      await first.interrupt();
    }
  });
});

/** Cases build on each other where they can: each start of a cell with its policy takes nine seconds. */
describe("while the policy runs", () => {
  let file: string;
  let name: string;
  let up: Running;
  let lab: LabClient;

  const joints = async () => (await lab.ask({ do: "truth" })).truth!.positionRad;
  const jointsAfter = async (ms: number) => {
    await new Promise((resolve) => setTimeout(resolve, ms));
    return joints();
  };
  const distance = (a: readonly number[], b: readonly number[]) =>
    Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));
  const cameraIsBack = async () => {
    const { status } = await askDaemon(runFolder(name).controlSocket, { do: "status" }, systemClock);
    const { items } = status as unknown as { items: { name: string; level: string }[] };
    return items.find((item) => item.name === "camera: wrist")!.level !== "error";
  };

  async function startUp(): Promise<void> {
    file = await writeCell(folder, (cell) => {
      name = cell.name;
    });
    up = new Running(["up", file]);
    await up.until(/first policy step/, 90);
    lab = await LabClient.connect(runFolder(name).labSocket);
  }
  async function endUp(): Promise<void> {
    lab?.close();
    // A test that fails on its way must not leave a cell running beside all that come after it.
    await up?.interrupt();
  }

  describe("a cell whose camera fails", () => {
    beforeAll(startUp);
    afterAll(endUp);

    it.each([
      ["freeze", /FRAME_STALE/],
      ["stop", /CAMERA_MISSING/],
    ] as const)(
      "a camera that does `%s` makes the arm hold, with an event, until it is back",
      async (action, told) => {
        await lab.ask({ do: "camera", action });
        await up.until(told, 10);
        const before = await jointsAfter(1500);
        const after = await jointsAfter(1000);
        expect(distance(before, after)).toBeLessThan(2e-3);
        await lab.ask({ do: "camera", action: "run" });
        await until("a camera that is back", cameraIsBack, 20_000);
      },
    );

    it("Ctrl-C ends everything cleanly, soon", async () => {
      const startMs = performance.now();
      const { code } = await up.interrupt();
      const tookMs = performance.now() - startMs;
      console.log(`Ctrl-C took ${tookMs.toFixed(0)} ms`);
      expect(code).toBe(0);
      expect(tookMs).toBeLessThan(5000);
    });
  });

  describe("a cell whose arm fails", () => {
    beforeAll(startUp);
    afterAll(endUp);

    it("an error of the arm ends the policy; a person's reset and enable go on from there", async () => {
      await lab.ask({ do: "armFault", errorCode: 31 });
      await up.until(/C31|collision/i, 10);
      await up.until(/arm faulted and stays so/, 10);
      const before = await jointsAfter(500);
      expect(distance(before, await jointsAfter(1000))).toBeLessThan(2e-3);
      for (const [verb, answer] of [
        ["reset", /nothing is enabled/],
        ["enable", /holding/],
      ] as const) {
        const { code, text } = await command(verb, "--cell", file);
        expect(text).toMatch(answer);
        expect(code).toBe(0);
      }
      await up.until(/lease to approach(?:.|\n)*lease to approach/, 10);
    });

    it("a cut connection ends the policy, and `up` fails", async () => {
      await up.until(/arm faulted and stays so(?:.|\n)*policy running/, 60);
      await killLab(up);
      const { code } = await up.finished;
      expect(code).toBe(1);
    });
  });
});

/** Kills the lab process, a child of `up`, as a crash or a pulled cable would. */
async function killLab(up: Running): Promise<void> {
  const children = readFileSync(`/proc/${up.process.pid}/task/${up.process.pid}/children`, "utf8")
    .trim()
    .split(" ");
  for (const child of children) {
    if (readFileSync(`/proc/${child}/cmdline`, "utf8").includes("labMain"))
      process.kill(Number(child), "SIGKILL");
  }
}
