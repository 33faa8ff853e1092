/** The conformance command over Digit's vectors, damaged copies, and files that are none of them. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runConformance } from "./conformance.js";

const shipped = (name: string) =>
  fileURLToPath(new URL(`../../drivers/digit/vectors/${name}`, import.meta.url));
let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "conformance-digit-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** Replays a shipped file after a change that must have found its place. */
async function damaged(name: string, from: string | RegExp, to: string) {
  const text = await readFile(shipped(name), "utf8");
  const changed = text.replace(from, to);
  expect(changed).not.toBe(text);
  const file = join(folder, name);
  await writeFile(file, changed);
  return runConformance("digit", file);
}

describe("conformance of Digit", () => {
  it.each([
    ["packets.json", 20, 589, 0],
    ["json.json", 17, 42, 2],
    ["structs.json", 7, 7, 0],
  ])("finds nothing wrong in %s", async (name, vectorCount, comparedCount, partlyCount) => {
    const report = await runConformance("digit", shipped(name));
    expect(report.mismatches).toEqual([]);
    expect(report).toMatchObject({ passed: true, vectorCount, comparedCount });
    expect(report.partlyChecked).toHaveLength(partlyCount);
  });

  it.each([
    [
      "a torque of a message",
      '"left_hip_roll.torque": 13.897',
      '"left_hip_roll.torque": 13.898',
      "obsA_udat_stand",
    ],
    ["a value of a compressed message", '"time": 12.35,', '"time": 12.36,', "obsA_cdat_stand"],
    ["a place in a field list", '"offset": 480,', '"offset": 481,', "cmd_desc"],
    ["a limit", /"left_knee.torque_limit": 231.31695/, '"left_knee.torque_limit": 231.3', "obsA_cmnt"],
    [
      "the checksum of a description",
      '"description_crc": "0xc9bc3b7f"',
      '"description_crc": "0xc9bc3b7e"',
      "cmd_dend",
    ],
    ["a label", '"1": "Damping"', '"1": "damping"', "cmd_enum"],
    [
      "that a broken datagram is good",
      /"decoded": {"ok": false, "reason": "shorter/,
      '"decoded": {"ok": true, "reason": "shorter',
      "bad_short",
    ],
    ["the name of a motor", '["left_hip_roll"', '["left_hip_Roll"', "names"],
  ])("names the vector and what differs: %s", async (_, from, to, tag) => {
    const report = await damaged("packets.json", from, to);
    expect(report.passed).toBe(false);
    expect(new Set(report.mismatches.map((mismatch) => mismatch.tag))).toEqual(new Set([tag]));
  });

  it("sees a byte that differs in any datagram of a description", async () => {
    const report = await damaged(
      "packets.json",
      "220700004445534309000100010014006c",
      "220700004445534309000100010014006d",
    );
    expect(report.mismatches).toContainEqual(
      expect.objectContaining({ tag: "cmd_desc", what: "datagram", found: "its checksum is wrong" }),
    );
  });

  it("sees a reply whose reference is another, and a struct that is laid out otherwise", async () => {
    const messages = await damaged("json.json", /(\["privileges".*?), 1\]/, "$1, 2]");
    expect(messages.mismatches).toEqual([
      { tag: "request privilege", what: "reference", expected: "1", found: "2" },
    ]);
    const struct = await damaged("structs.json", '"offset": 484', '"offset": 488');
    expect(struct.mismatches.map(({ tag }) => tag)).toEqual(["llapi_command_t.apply_command"]);
  });

  it("refuses a file of another kind, naming what it lacks", async () => {
    const file = join(folder, "other.json");
    await writeFile(file, JSON.stringify({ frames: [] }));
    await expect(runConformance("digit", file)).rejects.toMatchObject({
      code: "FILE_UNREADABLE",
      happened: expect.stringContaining("packets"),
    });
  });
});
