import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { openTrackerStore } from "../../calibration/store.js";
import { CerebellumError } from "../../core/errors.js";
import type { CalibrationStatus } from "../../core/gateway/library.js";
import type { GatewayRequest } from "../../core/gateway/requests.js";
import { SimClock } from "../../core/simClock.js";
import { calibrationDialogue, describeStore } from "./calibrate.js";
import type { AskGateway } from "./gatewayProgram.js";

const SHA = "ab".repeat(32);
const STROKES = ["forward", "left", "up"] as const;

/** A gateway that takes every stroke, but refuses those whose turn is in `refused`. */
function start(lines: readonly (string | undefined)[], refused: ReadonlySet<number> = new Set()) {
  const asked: GatewayRequest[] = [];
  const printed: string[] = [];
  let done = 0;
  let ends = 0;
  const data = (kept: boolean): CalibrationStatus => ({
    known: kept ? [{ device: "vive", space: "ros", sha256: SHA, createdEpochMs: 0, residualDeg: 1.2 }] : [],
    running: kept
      ? null
      : {
          device: "vive",
          stroke: STROKES[done] ?? null,
          isMoving: false,
          lengthM: 0.2,
          instruction: `do ${STROKES[done] ?? "nothing"}`,
          result: done === 3 ? { residualDeg: 1.2, tiltDeg: 0.3, problem: null } : null,
        },
  });
  const ask: AskGateway = async (request) => {
    if (request.do !== "calibrationStatus") asked.push(request);
    if (request.do === "calibrationStroke" && request.phase === "end") {
      if (refused.has(ends++))
        throw new CerebellumError("CALIBRATION_INVALID", "The stroke is bent", "Repeat it");
      done++;
    }
    return { message: request.do, data: data(request.do === "calibrationFinish") };
  };
  const queue = [...lines];
  const result = calibrationDialogue("vive", {
    ask,
    line: async () => queue.shift(),
    print: (text) => printed.push(text),
    progress: () => {},
    clock: new SimClock(),
  });
  return { result, asked, printed };
}

describe("the dialogue of `calibrate tracker`", () => {
  it("leads through three strokes, keeps the result, and says how to check it", async () => {
    const { result, asked, printed } = start(["", "", "", "", "", "", "y"]);
    expect(await result).toEqual({ device: "vive", sha256: SHA, residualDeg: 1.2, tiltDeg: 0.3, kept: true });
    expect(asked.map((one) => ("phase" in one ? one.phase : one.do))).toEqual([
      "calibrationStart",
      ...["begin", "end", "begin", "end", "begin", "end"],
      "calibrationFinish",
    ]);
    expect(printed.join("\n")).toMatch(/The robot does not move.*FORWARD: do forward.*LEFT.*UP.*Check it/s);
  });

  it("says why a stroke was refused and asks for it again", async () => {
    const { result, printed } = start(["", "", "", "", "", "", "", "", ""], new Set([1]));
    expect((await result).kept).toBe(true);
    expect(printed.filter((text) => text.startsWith("LEFT"))).toHaveLength(2);
    expect(printed).toContain("  The stroke is bent. Repeat it.");
  });

  it("keeps nothing when the person says no, or has gone before the question", async () => {
    for (const last of ["n", "No", undefined]) {
      const { result, asked } = start(["", "", "", "", "", "", last]);
      expect(await result).toMatchObject({ kept: false, sha256: "" });
      expect(asked.at(-1)).toEqual({ do: "calibrationFinish", keep: false });
    }
  });

  it("gives up when the input ends in the middle", async () => {
    const { result } = start(["", ""]);
    await expect(result).rejects.toMatchObject({ happened: "The calibration was given up" });
  });

  it("gives up after many strokes that are no good, rather than asking for ever", async () => {
    const all = new Set(Array.from({ length: 100 }, (_, i) => i));
    const { result } = start(Array(200).fill(""), all);
    await expect(result).rejects.toMatchObject({ remedy: expect.stringContaining("20 strokes were tried") });
  });
});

describe("`calibrate list`", () => {
  const root = mkdtempSync(join(tmpdir(), "cerebellum-calibrate-"));
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it("shows what is in force, since when and by whom", async () => {
    const store = openTrackerStore(join(root, "calibration"));
    expect(describeStore(store, 0, false).join()).toMatch(/no tracker is calibrated/);
    await store.keep(
      {
        schema: "cerebellum/tracker-frame@1",
        device: "vive",
        space: "openvr-standing",
        quatBaseTracker: [0, 0, 0, 1],
        residualDeg: 1.25,
        tiltDeg: 0.5,
        strokesM: [],
        createdEpochMs: 0,
        robot: "arm",
      },
      "console anna",
      0,
    );
    const [line, ...history] = describeStore(store, 2 * 86_400_000, true);
    expect(line).toMatch(
      /^vive {2}openvr-standing {2}[0-9a-f]{12} {2}residual 1\.[23]° .*2\.0 days ago by console anna$/,
    );
    expect(history).toHaveLength(2);
  });
});
