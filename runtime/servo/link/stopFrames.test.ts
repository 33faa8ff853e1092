import { expect, it } from "vitest";
import { encode } from "./codec.js";
import { STOP_REQUEST_ID, stopFrames } from "./stopFrames.js";

it.each([
  [0, "operator at the command line"],
  [1, "Größe 7 µm"],
  [2, ""],
] as const)("are what the codec writes: category %i, %j", (category, reason) => {
  expect(stopFrames("stop command", category, reason)).toEqual(
    Buffer.concat([
      encode("hello", { role: "supervisor", name: "stop command", snapshotEveryTicks: 0 }),
      encode("stop", { requestId: STOP_REQUEST_ID, category, reason }),
    ]),
  );
});

it("cut a reason that is too long, as the codec does", () => {
  const reason = "x".repeat(5000);
  expect(stopFrames("stop command", 2, reason).subarray(-3000)).toEqual(
    Buffer.concat([
      encode("hello", { role: "supervisor", name: "stop command", snapshotEveryTicks: 0 }),
      encode("stop", { requestId: STOP_REQUEST_ID, category: 2, reason }),
    ]).subarray(-3000),
  );
});
