import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { strings, writeMcap } from "../../../test/support/episodes/bags.js";
import { importCommand, parseRenames } from "./import.js";

describe("episodes import", () => {
  const folder = mkdtempSync(join(tmpdir(), "cerebellum-import-command-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("prints each topic, imported or skipped, and tells the same as JSON", async () => {
    const bag = join(folder, "bag.mcap");
    await writeMcap(bag, [
      { topic: "/chatter", messages: strings(12) },
      { topic: "/old", encoding: "ros1", messages: strings(3) },
    ]);
    const lines: string[] = [];
    const write = vi
      .spyOn(process.stdout, "write")
      .mockImplementation((text) => lines.push(String(text)) > 0);
    const json = join(folder, "report.json");
    try {
      await importCommand(bag, {
        task: "other",
        into: join(folder, "recordings"),
        map: ["/chatter=/speech"],
        robot: "arm",
        outcome: "unlabelled",
        note: "",
        json,
      });
    } finally {
      write.mockRestore();
    }
    const printed = lines.join("");
    expect(printed).toMatch(/\/chatter +std_msgs\/msg\/String +12 +12 +as \/speech\n/);
    expect(printed).toMatch(/\/old +std_msgs\/msg\/String +3 +0 +skipped: its messages are of ROS 1/);
    expect(JSON.parse(readFileSync(json, "utf8"))).toMatchObject({
      name: "episode-000001",
      folder: join(folder, "recordings", "other", "episode-000001"),
      topics: [
        { topic: "/chatter", as: "/speech", found: 12, imported: 12, lost: 0 },
        { topic: "/old", found: 3, imported: 0 },
      ],
      durationS: 0.11,
      seconds: expect.any(Number),
    });
  });

  it("takes new names of topics only as FROM=TO, each once", () => {
    expect(parseRenames(["/a=/b", "/c=/d"])).toEqual(
      new Map([
        ["/a", "/b"],
        ["/c", "/d"],
      ]),
    );
    for (const words of [["/a"], ["=/b"], ["/a="], ["/a=/b=/c"], ["/a=/b", "/a=/c"]])
      expect(() => parseRenames(words)).toThrow("--map");
  });
});
