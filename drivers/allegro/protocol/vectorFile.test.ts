/** Golden vectors through codec and laws, and damaged ones through the checker: it must notice each damage. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { checkFrameVector, frameOfVector, modelOfVector } from "./frameVectors.js";
import { decodeHandFrame } from "./handFrames.js";
import { decodeHostFrame } from "./hostFrames.js";
import { JointFilter } from "./jointFilter.js";
import { checkLaws, vendorFilter } from "./lawVectors.js";
import { type FrameVector, HandVectorFile } from "./vectorFile.js";

const file = HandVectorFile.parse(
  JSON.parse(readFileSync(new URL("../vectors/frames.json", import.meta.url), "utf8")),
);
const differing = (vector: FrameVector) => checkFrameVector(vector).mismatches.map((m) => m.what);

describe.each(file.frames)("$tag: $name", (vector) => {
  it("has our bytes, and means what it says", () => {
    const check = checkFrameVector(vector);
    expect(check.mismatches).toEqual([]);
    expect(check.meaningKnown).toBe(true);
  });

  it("shows whichever single bit of its data or identifier flips", () => {
    const bytes = Buffer.from(vector.data, "hex");
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(differing({ ...vector, data: flipped.toString("hex") }), `bit ${bit}`).not.toEqual([]);
    }
    for (let bit = 0; bit < 11; bit++)
      expect(differing({ ...vector, id: vector.id ^ (1 << bit) }), `identifier bit ${bit}`).not.toEqual([]);
  });

  it("shows another length, and a remote frame where there is data, and data where there is none", () => {
    for (let dlc = 0; dlc <= 8; dlc++)
      if (dlc !== vector.dlc) expect(differing({ ...vector, dlc })).not.toEqual([]);
    expect(differing({ ...vector, rtr: !vector.rtr })).not.toEqual([]);
  });

  it("shows any other number or word that it is said to mean", () => {
    const meant = [
      "finger",
      "counts",
      "rad",
      "period_ms",
      "pwm",
      "pwm_limit",
      "torque",
      "torque_nm",
      "current_ma",
      "serial_raw",
      "serial_printed",
      "sensor",
      "celsius",
      "words",
      "pressure_pa",
      "error",
      "info",
    ] as const;
    for (const field of meant) {
      const value = vector[field];
      if (value === undefined) continue;
      const changes: unknown[] = Array.isArray(value)
        ? value.map((_, i) => value.map((number, k) => (k === i ? Number(number) + 0.01 : number)))
        : typeof value === "object"
          ? Object.keys(value).map((key) => ({ ...value, [key]: key === "hand_type" ? "left" : 99 }))
          : [
              field === "finger"
                ? value === "ring"
                  ? "thumb"
                  : "ring"
                : typeof value === "number"
                  ? value + 1
                  : "other",
            ];
      // A torque beyond its limit may change without changing the command.
      for (const changed of changes)
        if (!/torque/.test(field) || !/clamp/.test(vector.name))
          expect(
            differing({ ...vector, [field]: changed }),
            `${field}: ${JSON.stringify(changed)}`,
          ).not.toEqual([]);
    }
  });
});

it("covers every message but those of which no vector exists", () => {
  const kinds = file.frames.map((vector) => {
    const frame = frameOfVector(vector);
    return vector.dir === "tx"
      ? decodeHostFrame(frame)?.kind
      : decodeHandFrame(frame, modelOfVector(vector))?.kind;
  });
  expect(new Set(kinds)).toEqual(
    new Set([
      "systemOn",
      "systemOff",
      "torque",
      "period",
      "requestInfo",
      "requestSerial",
      "requestImu",
      "requestPose",
      "requestTemperature",
      "pose",
      "info",
      "serial",
      "imu",
      "temperature",
      "pressure",
      "error",
    ]),
  );
});

describe("the rest of the file", () => {
  it("gains, PD laws with their torque frames, the vendor's filter, V3's identifiers and the counts agree", () => {
    const checks = checkLaws(file);
    expect(checks.flatMap((check) => check.mismatches)).toEqual([]);
    expect(checks.map((check) => check.tag)).toEqual([
      "counts",
      "gains v4_code_fallback",
      "gains v4_yaml_default",
      "pd 0",
      "pd 1",
      "pd 2",
      "pd 3",
      "filter",
      "v3_ids",
    ]);
    expect(new Set(file.pd?.map((vector) => vector.gains))).toEqual(new Set(Object.keys(file.gains ?? {})));
    // Each law: its gain set, sixteen torques, sixteen commands, and four frames.
    for (const check of checks.filter(({ tag }) => tag.startsWith("pd"))) expect(check.compared).toBe(7);
  });

  it("shows each single number that is changed", () => {
    const numbers = (
      value: unknown,
      path: readonly (string | number)[] = [],
    ): (readonly (string | number)[])[] =>
      typeof value === "number"
        ? [path]
        : typeof value === "object" && value !== null
          ? Object.entries(value).flatMap(([key, inner]) => numbers(inner, [...path, key]))
          : [];
    const { gains, pd, filter, v3_ids, counts } = file;
    const laws = { gains, pd, filter, v3_ids, counts };
    const paths = numbers(laws);
    expect(paths.length).toBeGreaterThan(400);
    for (const path of paths) {
      const damaged = structuredClone(laws);
      let inner = damaged as Record<string, unknown>;
      for (const key of path.slice(0, -1)) inner = inner[key] as Record<string, unknown>;
      const last = path.at(-1)!;
      inner[last] = Number(inner[last]) + 1;
      const seen = checkLaws({ ...file, ...damaged }).flatMap((check) => check.mismatches);
      expect(seen.length, path.join(".")).toBeGreaterThan(0);
    }
  });

  it("shows a changed byte of a torque frame, and gains that nobody knows", () => {
    const [first, ...others] = file.pd!;
    const frames = first!.frames.map((frame, i) =>
      i === 2 ? { ...frame, data: "620089ff730096ff" } : frame,
    );
    const damaged = {
      ...file,
      pd: [
        { ...first!, frames },
        { ...others[0]!, gains: "stiff" },
      ],
    };
    expect(checkLaws(damaged).flatMap((check) => check.mismatches)).toMatchObject([
      { tag: "pd 0", what: "frame of finger 2", found: "392 620089ff730095ff" },
      { tag: "pd 1", what: "gain set" },
    ]);
  });
});

describe("the vendor's filter, as a fact", () => {
  it("loses 1 % of every angle and starts from 0; ours does neither", () => {
    const vendor = vendorFilter(0.003);
    const ours = new JointFilter();
    let settled = { positionRad: 0, velocityRadPerS: 0 };
    let fastestVendor = 0;
    let fastestOurs = 0;
    for (let i = 0; i < 300; i++) {
      settled = vendor(1.5);
      ours.update(new Float64Array(16).fill(1.5), 0.003);
      fastestVendor = Math.max(fastestVendor, settled.velocityRadPerS);
      fastestOurs = Math.max(fastestOurs, Math.abs(ours.velocityRadPerS[0]!));
    }
    expect(settled.positionRad).toBeCloseTo(0.99 * 1.5, 12);
    expect(ours.positionRad[0]).toBeCloseTo(1.5, 12);
    // A hand that stands at 1.5 rad seems to rush there.
    expect(fastestVendor).toBeGreaterThan(100);
    expect(fastestOurs).toBe(0);
  });

  it("on the recorded trace lags as ours does: 6 ms at 333 Hz, but for its gain", () => {
    const vendor = vendorFilter(0.003);
    const ours = new JointFilter();
    const speed = 3;
    let [vendorRad, t] = [0, 0];
    for (let i = 0; i <= 300; i++) {
      t = 0.003 * i;
      vendorRad = vendor(speed * t).positionRad;
      ours.update(new Float64Array(16).fill(speed * t), 0.003);
    }
    expect(1000 * (t - vendorRad / (0.99 * speed))).toBeCloseTo(6, 9);
    expect(1000 * (t - ours.positionRad[0]! / speed)).toBeCloseTo(6, 9);
  });
});
