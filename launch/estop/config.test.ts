import { describe, expect, it } from "vitest";
import { EstopConfig } from "./config.js";

const refusal = (value: unknown) =>
  EstopConfig.safeParse(value).error?.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);

describe("estop section", () => {
  it("fills the defaults in: required, any key, category 1", () => {
    expect(EstopConfig.parse({ input: { device: "/dev/input/by-id/button" } })).toEqual({
      category: 1,
      input: { device: "/dev/input/by-id/button", key: "any", required: true },
    });
  });

  it.each([
    ["no source at all", {}, /names no source; it needs mqtt, input, line or page/],
    ["a category that is no emergency stop", { category: 2, line: { path: "/dev/ttyUSB0" } }, /^category: /],
    ["a relative device", { input: { device: "event3" } }, /input\.device: must be an absolute path/],
    ["an unknown key", { input: { device: "/dev/input/event3", key: "KEY_PANIC" } }, /^input\.key: /],
    [
      "a line with both kinds",
      { line: { path: "/dev/ttyUSB0", command: ["gpiomon"] } },
      /line: needs either path or command/,
    ],
    ["a line with neither", { line: {} }, /line: needs either path or command/],
    ["another scheme", { mqtt: { url: "http://broker", topic: "stop" } }, /mqtt\.url: must look like mqtt:/],
    [
      "a wildcard topic",
      { mqtt: { url: "mqtt://broker", topic: "cell/#" } },
      /mqtt\.topic: must be one topic/,
    ],
    [
      "a password without its user",
      { mqtt: { url: "mqtt://broker", topic: "stop", passwordFile: "/etc/secret" } },
      /mqtt\.passwordFile: needs a username/,
    ],
  ])("refuses %s", (_name, value, message) => {
    expect(refusal(value)?.join("\n")).toMatch(message);
  });
});
