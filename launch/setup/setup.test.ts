/** The set-up's shell functions, run for real in throw-away folders. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { repositoryRootUrl } from "../../core/entry.js";

const repository = fileURLToPath(repositoryRootUrl());
const PATH = process.env.PATH ?? "";

/** A root with a space in its name that holds only launch/setup. */
let root: string;
beforeEach(() => {
  root = join(mkdtempSync(join(tmpdir(), "cerebellum-setup-")), "a root");
  mkdirSync(join(root, "launch"), { recursive: true });
  cpSync(join(repository, "launch/setup"), join(root, "launch/setup"), { recursive: true });
});
afterEach(() => rmSync(join(root, ".."), { recursive: true, force: true }));

/** Runs shell lines with only the given variables set, and returns what they print. */
function shell(lines: string, variables: Readonly<Record<string, string>> = {}): string {
  return execFileSync("sh", ["-euc", lines], {
    cwd: root,
    env: { PATH, CEREBELLUM_ROOT: root, ...variables },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
}
const withCommon = (lines: string) => `. launch/setup/common.sh; ${lines}`;
const variablesAfter = (sourced: string, variables: Readonly<Record<string, string>> = {}) =>
  new Map(
    shell(`${sourced}; env -0`, variables)
      .split("\0")
      .filter((line) => line.includes("="))
      .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)] as const),
  );

describe("shell files", () => {
  it("all parse", () => {
    const files = [
      "cerebellum",
      ...["launch/setup", "launch/setup/steps"].flatMap((folder) =>
        readdirSync(join(repository, folder))
          .filter((name) => name.endsWith(".sh"))
          .map((name) => join(folder, name)),
      ),
    ];
    expect(files.length).toBeGreaterThan(10);
    for (const file of files) {
      const { status, stderr } = spawnSync("sh", ["-n", join(repository, file)], { encoding: "utf8" });
      expect(`${file} ${status} ${stderr}`).toBe(`${file} 0 `);
    }
  });

  it("every step that is started has a file", () => {
    const started = [
      ...readFileSync(join(repository, "launch/setup/prepare.sh"), "utf8").matchAll(
        /(?:start|run)_step (\w+) "/g,
      ),
    ].map((match) => match[1]!);
    expect(started.length).toBeGreaterThan(6);
    for (const name of started) {
      expect(readFileSync(join(repository, `launch/setup/steps/${name}.sh`), "utf8")).toContain(
        `step_${name}() {`,
      );
    }
  });
});

describe("environment.sh", () => {
  const once = ". launch/setup/environment.sh";
  const makeVenv = () =>
    mkdirSync(join(root, ".ros2/venv/lib/python3.11/site-packages/ros_rcl.libs"), { recursive: true });

  it("uses the wheels where no ROS is sourced, and changes nothing when sourced again", () => {
    makeVenv();
    const first = variablesAfter(once);
    expect(first.get("ROS_DISTRO")).toBe("kilted");
    expect(first.get("AMENT_PREFIX_PATH")).toBe(`${root}/.ros2/overlay:${root}/.ros2/venv`);
    expect(first.get("LD_LIBRARY_PATH")?.split(":")).toEqual([
      `${root}/.ros2/overlay/lib`,
      `${root}/.ros2/venv/lib`,
      `${root}/.ros2/venv/lib/python3.11/site-packages/ros_rcl.libs`,
    ]);
    expect(first.get("FASTDDS_DEFAULT_PROFILES_FILE")).toBe(`${root}/launch/fastdds.xml`);
    expect(first.get("ROS_AUTOMATIC_DISCOVERY_RANGE")).toBe("LOCALHOST");
    expect(variablesAfter(`${once}; ${once}`)).toEqual(first);
    const { _, ...inherited } = Object.fromEntries(first);
    expect(Object.fromEntries(variablesAfter(once, inherited))).toEqual(Object.fromEntries(first));
  });

  it("uses a ROS that the user has sourced, and keeps the user's settings", () => {
    const sourced = {
      ROS_DISTRO: "jazzy",
      AMENT_PREFIX_PATH: "/opt/ros/jazzy",
      ROS_AUTOMATIC_DISCOVERY_RANGE: "SUBNET",
      FASTDDS_DEFAULT_PROFILES_FILE: "/mine.xml",
      PYTHONPATH: "/opt/ros/jazzy/lib/python3.12/site-packages",
    };
    const found = variablesAfter(once, sourced);
    expect(found.get("CEREBELLUM_ROS_KIND")).toBe("system");
    expect(found.get("AMENT_PREFIX_PATH")).toBe(`${root}/.ros2/overlay:/opt/ros/jazzy`);
    for (const name of [
      "ROS_DISTRO",
      "ROS_AUTOMATIC_DISCOVERY_RANGE",
      "FASTDDS_DEFAULT_PROFILES_FILE",
      "PYTHONPATH",
    ] as const) {
      expect(found.get(name)).toBe(sourced[name]);
    }
    expect(found.has("_ROS_WHEELS_BOOTSTRAP_COMPLETE")).toBe(false);
  });

  it("does not take another checkout's environment for a ROS of the machine", () => {
    makeVenv();
    const other = {
      CEREBELLUM_ROS_KIND: "wheels",
      ROS_DISTRO: "kilted",
      AMENT_PREFIX_PATH: "/other/.ros2/venv",
    };
    const found = variablesAfter(once, other);
    expect(found.get("CEREBELLUM_ROS_KIND")).toBe("wheels");
    expect(found.get("AMENT_PREFIX_PATH")).toBe(`${root}/.ros2/overlay:${root}/.ros2/venv`);
  });
});

describe("stamps", () => {
  const hash = () => shell(withCommon('find launch/things -type f | hash_of "word"')).trim();

  it("change with contents, names and words, not with the order of files", () => {
    mkdirSync(join(root, "launch/things"));
    writeFileSync(join(root, "launch/things/a b.txt"), "1");
    writeFileSync(join(root, "launch/things/c.txt"), "2");
    const first = hash();
    expect(first).toMatch(/^[0-9a-f]{32}$/);
    expect(
      shell(withCommon("printf '%s\\n' 'launch/things/c.txt' 'launch/things/a b.txt' | hash_of word")).trim(),
    ).toBe(first);
    expect(shell(withCommon("find launch/things -type f | hash_of other")).trim()).not.toBe(first);
    writeFileSync(join(root, "launch/things/c.txt"), "3");
    const changed = hash();
    expect(changed).not.toBe(first);
    writeFileSync(join(root, "launch/things/d.txt"), "3");
    rmSync(join(root, "launch/things/c.txt"));
    expect(hash()).not.toBe(changed);
  });

  it("are current only for the same hash", () => {
    const answer = shell(
      withCommon(
        'write_stamp ".ros2/x/stamp" abc; stamp_current .ros2/x/stamp abc && echo same; stamp_current .ros2/x/stamp abd || echo other',
      ),
    );
    expect(answer).toBe("same\nother\n");
  });
});

describe("lock", () => {
  const lock = () => join(root, ".cerebellum/prepare.lock");
  const hold = (holder: string) => {
    mkdirSync(lock(), { recursive: true });
    writeFileSync(join(lock(), "holder"), holder);
  };

  it("is taken, names its holder, and is given back", () => {
    expect(shell(withCommon("take_lock; cat .cerebellum/prepare.lock/holder; release_lock"))).toMatch(
      /^\d+ \d+\n$/,
    );
    expect(existsSync(lock())).toBe(false);
  });

  it("is taken over from a process that is gone, or whose number another process has now", () => {
    for (const holder of ["4194304999 1\n", `${process.pid} 1\n`]) {
      hold(holder);
      expect(shell(withCommon("take_lock; echo taken; release_lock"))).toBe("taken\n");
    }
  });

  it("makes a second preparation wait for a living first one", async () => {
    const script = withCommon("take_lock; echo begin >>order; sleep 0.5; echo end >>order; release_lock");
    const runs = [1, 2, 3].map(
      () =>
        new Promise<number | null>((resolve) =>
          spawn("sh", ["-euc", script], {
            cwd: root,
            env: { PATH, CEREBELLUM_ROOT: root },
            stdio: "ignore",
          }).on("exit", resolve),
        ),
    );
    expect(await Promise.all(runs)).toEqual([0, 0, 0]);
    expect(readFileSync(join(root, "order"), "utf8")).toBe("begin\nend\n".repeat(3));
  });
});

describe("steps", () => {
  const addStep = (name: string, body: string) =>
    writeFileSync(join(root, `launch/setup/steps/${name}.sh`), `step_${name}() {\n${body}\n}\n`);
  const run = (lines: string) =>
    spawnSync("sh", ["-euc", withCommon(lines)], {
      cwd: root,
      env: { PATH, CEREBELLUM_ROOT: root },
      encoding: "utf8",
    });

  it("run side by side, and a failed one ends the others and shows its log", () => {
    addStep("slow", "sleep 30 & sleep 30; touch slow-finished");
    addStep("broken", "echo 'the reason'; false; echo 'not reached'");
    const beginMs = performance.now();
    const { status, stderr } = run(
      'start_step slow "being slow"; start_step broken "breaking"; wait_steps; echo unreached >reached',
    );
    expect(status).toBe(1);
    expect(stderr).toContain("being slow");
    expect(stderr).toContain("| the reason");
    expect(stderr).not.toContain("not reached");
    expect(existsSync(join(root, "reached"))).toBe(false);
    expect(performance.now() - beginMs).toBeLessThan(20_000);
  });

  it("end with all their children when the preparation is interrupted", () => {
    addStep("slow", `sh -c 'echo $$ >child; sleep 30'; touch finished`);
    const { status } = run(
      'trap "stop_steps; exit 130" INT; start_step slow "being slow"; until [ -s child ]; do sleep 0.1; done; kill -INT $$; wait_steps',
    );
    expect(status).toBe(130);
    const child = readFileSync(join(root, "child"), "utf8").trim();
    expect(spawnSync("kill", ["-0", child]).status).not.toBe(0);
    expect(existsSync(join(root, "finished"))).toBe(false);
  });
});

describe("countTests.mjs", () => {
  const count = (...stages: string[]) =>
    spawnSync(process.execPath, [join(root, "launch/setup/countTests.mjs"), root, ...stages], {
      encoding: "utf8",
    });

  it("sums both kinds of results, and counts a stage that broke off as one failure", () => {
    writeFileSync(
      join(root, "unit.json"),
      JSON.stringify({ numPassedTests: 7, numFailedTests: 0, testResults: [] }),
    );
    writeFileSync(join(root, "unit.code"), "0\n");
    writeFileSync(
      join(root, "trainer.xml"),
      '<testsuites name="x"><testsuite name="pytest" errors="1" failures="1" skipped="2" tests="9" time="1"></testsuite></testsuites>',
    );
    writeFileSync(join(root, "trainer.code"), "1\n");
    writeFileSync(join(root, "lint.code"), "2\n");
    const { stdout, status } = count("unit", "trainer", "lint", "system");
    expect(stdout.trim().split("\n").at(-1)).toBe("12 passed, 4 failed");
    expect(status).toBe(1);
    expect(count("unit").stdout).toMatch(/\n7 passed, 0 failed\n$/);
    expect(count("unit").status).toBe(0);
  });

  it("names the tests that failed, whatever wrote the results", () => {
    const failed = {
      status: "failed",
      fullName: "a hand is limp",
      failureMessages: ["\u001b[31mexpected 1\n to be 0"],
    };
    const results = [
      {
        name: join(root, "hand.test.ts"),
        status: "failed",
        message: "",
        assertionResults: [failed, { status: "passed" }],
      },
      { name: join(root, "arm.test.ts"), status: "failed", message: "no such module", assertionResults: [] },
    ];
    writeFileSync(
      join(root, "unit.json"),
      JSON.stringify({ numPassedTests: 1, numFailedTests: 1, testResults: results }),
    );
    writeFileSync(
      join(root, "trainer.xml"),
      '<testsuite errors="0" failures="1" skipped="0" tests="1"><testcase classname="tests.test_mae" name="test_loss" time="0.1"><failure message="assert 2 == 1">...</failure></testcase></testsuite>',
    );
    const { stdout } = count("unit", "trainer");
    expect(stdout).toMatch(/hand\.test\.ts: a hand is limp: .*expected 1 to be 0/);
    expect(stdout).toMatch(/arm\.test\.ts: no such module/);
    expect(stdout).toContain("failed: tests.test_mae::test_loss: assert 2 == 1");
  });
});

describe("packagesMatchLock.mjs", () => {
  const check = () => spawnSync(process.execPath, [join(root, "launch/setup/packagesMatchLock.mjs")]).status;
  const install = (name: string, version: string) => {
    mkdirSync(join(root, "node_modules", name), { recursive: true });
    writeFileSync(join(root, "node_modules", name, "package.json"), "{}");
    return { [`node_modules/${name}`]: { version } };
  };

  it("accepts exactly the locked versions, and may lack optional packages of other platforms", () => {
    const write = (file: string, packages: object) =>
      writeFileSync(join(root, file), JSON.stringify({ packages }));
    write("package-lock.json", {
      "": {},
      "node_modules/a": { version: "1.0.0" },
      "node_modules/b": { version: "1.0.0", optional: true },
    });
    expect(check()).toBe(1);
    const installed = install("a", "1.0.0");
    write("node_modules/.package-lock.json", installed);
    expect(check()).toBe(0);
    write("node_modules/.package-lock.json", install("a", "1.0.1"));
    expect(check()).toBe(1);
    write("node_modules/.package-lock.json", {});
    expect(check()).toBe(1);
    write("node_modules/.package-lock.json", installed);
    rmSync(join(root, "node_modules/a"), { recursive: true });
    expect(check()).toBe(1);
  });
});
