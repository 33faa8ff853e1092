/** A guardian that cannot be started, in a process of its own: what it runs out of would be missed by the tests. */
import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";
import { repositoryRootUrl } from "../../core/entry.js";

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
