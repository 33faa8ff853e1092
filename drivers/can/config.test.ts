import { expect, it } from "vitest";
import { CanConfig } from "./config.js";

const problems = (value: unknown): string =>
  CanConfig.safeParse(value)
    .error?.issues.map(({ path, message }) => `${path.join(".")} ${message}`)
    .join("; ") ?? "";

it("an adapter needs its path only", () => {
  expect(CanConfig.parse({ slcan: { path: "/dev/ttyACM0" } })).toEqual({
    slcan: { path: "/dev/ttyACM0", baudRate: 1_000_000, bitrate: 1_000_000 },
  });
  expect(CanConfig.parse({ socketcan: { interface: "can0" } })).toEqual({ socketcan: { interface: "can0" } });
});

it("one bus, not none and not two", () => {
  expect(problems({})).toContain("exactly one of `slcan` and `socketcan`");
  expect(problems({ slcan: { path: "/dev/ttyACM0" }, socketcan: { interface: "can0" } })).toContain(
    "exactly one",
  );
});

it("what no adapter or kernel has is refused with the choices", () => {
  expect(problems({ slcan: { path: "/dev/ttyACM0", bitrate: 800_000 } })).toContain("1000000");
  expect(problems({ slcan: { path: "" } })).toContain("slcan.path");
  expect(problems({ slcan: { path: "/dev/ttyACM0", baudRate: 300 } })).toContain("slcan.baudRate");
  expect(problems({ slcan: { path: "/dev/ttyACM0", baud: 1_000_000 } })).toContain("baud");
  expect(problems({ socketcan: { interface: "no/such interface" } })).toContain(
    "name of a network interface",
  );
});
