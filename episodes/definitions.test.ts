import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { rosDefinition } from "./definitions.js";

describe("message definitions", () => {
  const prefix = mkdtempSync(join(tmpdir(), "prefix-"));
  afterAll(() => rmSync(prefix, { recursive: true }));
  const add = (pack: string, name: string, text: string) => {
    mkdirSync(join(prefix, "share", pack, "msg"), { recursive: true });
    writeFileSync(join(prefix, "share", pack, "msg", `${name}.msg`), text);
  };
  add(
    "a_msgs",
    "Outer",
    "# comment with a word/like this\nint32 LIMIT=3\nb_msgs/Inner[] inner\nNear near\nstring<=5 text\n",
  );
  add("a_msgs", "Near", "float64[3] values\n");
  add("b_msgs", "Inner", "uint8 x\n");

  it("appends each needed type once, from its own or another package", () => {
    const text = rosDefinition("a_msgs/msg/Outer", [prefix]);
    expect(text.split("=".repeat(80)).map((part) => part.trim().split("\n")[0])).toEqual([
      "# comment with a word/like this",
      "MSG: b_msgs/Inner",
      "MSG: a_msgs/Near",
    ]);
  });

  it("names what is missing and where it looked", () => {
    expect(() => rosDefinition("c_msgs/msg/Gone", [prefix])).toThrow(
      /c_msgs\/msg\/Gone.*cerebellum prepare/s,
    );
  });
});
