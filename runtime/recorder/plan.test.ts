import { describe, expect, it } from "vitest";
import { beginsWithStamp } from "./plan.js";

describe("a type that begins with a stamp", () => {
  it.each([
    ["std_msgs/Header header\nfloat64 x", true],
    ["# words about it\n\nstd_msgs/msg/Header header # and here\n", true],
    ["uint8 KIND=1\nHeader header\n", true],
    ["builtin_interfaces/Time stamp\nstring s\n", true],
    ["string data\n", false],
    ["float64 x\nstd_msgs/Header header\n", false],
    ["std_msgs/HeaderArray headers\n", false],
    ["std_msgs/Header[] headers\n", false],
    ["", false],
  ])("%j: %s", (definition, expected) => {
    expect(beginsWithStamp(definition)).toBe(expected);
  });
});
