/** Guardians that cannot be started, or break: the first in a process of its own, because of what it runs out of. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { repositoryRootUrl } from "../../core/entry.js";
import { limpLines } from "../../drivers/allegro/limp.js";
import { openPty } from "../../test/support/ptyPair.js";

const url = (path: string) => JSON.stringify(new URL(`dist/${path}`, repositoryRootUrl()).href);
const SCRIPT = `
  import { closeSync, openSync } from "node:fs";
  import { GuardianProcess } from ${url("launch/allegro/guardianProcess.js")};
  import { systemClock } from ${url("launch/systemClock.js")};
  const config = { robot: "hand", can: { slcan: { path: "/dev/null", baudRate: 1000000, bitrate: 1000000 } }, silenceMsMax: 75, realtimePriority: 0 };
  const entry = new URL(${url("launch/processes/allegroGuardianMain.js")});
  const guardian = new GuardianProcess(config, entry, systemClock);
  const never = new AbortController().signal;
  const open = [];
  try {
    for (;;) open.push(openSync("/dev/null", "r"));
  } catch {}
  const refused = await guardian.watch(never).catch((error) => error.code + ": " + error.message);
  for (const descriptor of open) closeSync(descriptor);
  await guardian.watch(never);
  const failure = String(guardian.failure);
  await guardian.dismiss();
  console.log(JSON.stringify({ refused, failure }));
`;

it("without a file descriptor left is refused with the reason, and starts once there are some again", () => {
  const script = `ulimit -n 256; exec "$0" --input-type=module -e "$1"`;
  const ran = spawnSync("sh", ["-c", script, process.execPath, SCRIPT], { encoding: "utf8" });
  expect(ran.stderr).toBe("");
  expect(JSON.parse(ran.stdout)).toEqual({
    refused: expect.stringMatching(/DEVICE_UNREACHABLE: .*EMFILE/),
    failure: "undefined",
  });
});

it("a defect of the guardian's own makes the hand limp before it ends", async () => {
  const pty = await openPty();
  const entry = fileURLToPath(new URL("dist/launch/processes/allegroGuardianMain.js", repositoryRootUrl()));
  const guardian = spawn(process.execPath, [entry], { stdio: ["pipe", "pipe", "inherit"] });
  const can = { slcan: { path: pty.path, baudRate: 1_000_000, bitrate: 1_000_000 } };
  const config = { robot: "hand", can, silenceMsMax: 500, realtimePriority: 0 };
  guardian.stdin.write(`${JSON.stringify(config)}\nhold\n`);
  await once(guardian.stdout, "data");
  // Nobody reads its answers any more: the next beat's is an error that nothing in it expects.
  guardian.stdout.destroy();
  guardian.stdin.write("beat\n");
  await pty.until(Buffer.from(limpLines()).toString("latin1"), 10);
  const [exitCode] = guardian.exitCode === null ? await once(guardian, "exit") : [guardian.exitCode];
  expect(exitCode).toBe(0);
  await pty.close();
});
