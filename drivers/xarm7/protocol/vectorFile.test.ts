/** Sourced vectors through the codec, and damaged vectors through the checker: it must notice each damage. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { decodeReply, decodeRequest } from "./commandFrame.js";
import { REPORTS } from "./reports.js";
import { checkReportVector, checkRequestVector, ReportVector, RequestVector } from "./vectorFile.js";

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../vectors/${name}`, import.meta.url), "utf8"));
const requests = z.looseObject({ vectors: z.array(RequestVector) }).parse(read("requests.json")).vectors;
const reports = z.looseObject({ vectors: z.array(ReportVector) }).parse(read("reports.json")).vectors;

const flipBit = (hex: string, bit: number): string => {
  const bytes = Buffer.from(hex, "hex");
  bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return bytes.toString("hex");
};

describe.each(requests)("$tag: $call $args", (vector) => {
  it("has our bytes, replies decode, results agree", () => {
    expect(checkRequestVector(vector).mismatches).toEqual([]);
  });

  it("waits at every shorter prefix", () => {
    const request = Buffer.from(vector.request_hex, "hex");
    for (let n = 0; n < request.length; n++)
      expect(decodeRequest(request.subarray(0, n)).kind).toBe("incomplete");
    const reply = Buffer.from(vector.example_reply_hex ?? "", "hex");
    for (let n = 0; n < reply.length; n++) expect(decodeReply(reply.subarray(0, n)).kind).toBe("incomplete");
  });

  it("answers whichever single bit flips, and the checker sees it", () => {
    for (let bit = 0; bit < vector.request_hex.length * 4; bit++) {
      const damaged = { ...vector, request_hex: flipBit(vector.request_hex, bit) };
      const { mismatches, callKnown, undetermined } = checkRequestVector(damaged);
      if (callKnown && undetermined === 0) expect(mismatches.length, `bit ${bit}`).toBeGreaterThan(0);
    }
    for (let bit = 0; bit < (vector.example_reply_hex ?? "").length * 4; bit++)
      expect(() =>
        decodeReply(Buffer.from(flipBit(vector.example_reply_hex ?? "", bit), "hex")),
      ).not.toThrow();
  });
});

it("knows every recorded call but the heartbeat and the one that reads the arm's limits first", () => {
  const unknown = requests.filter((vector) => !checkRequestVector(vector).callKnown).map((v) => v.call);
  expect(new Set(unknown)).toEqual(new Set(["heartbeat(enable_heartbeat=True)", "set_reduced_joint_range"]));
});

describe.each(reports)("$tag: $port $note", (vector) => {
  it("decodes to the listed values", () => {
    const check = checkReportVector(vector);
    expect(check.mismatches).toEqual([]);
    const refused = vector.decoded.api?.rejected === true;
    if (!refused) expect(check.compared).toBe(1 + Object.keys(vector.decoded.struct).length);
  });

  it("shows any changed field", () => {
    if (vector.decoded.api?.rejected === true) return;
    const { struct } = vector.decoded;
    for (const name of Object.keys(struct)) {
      const changed = { ...vector, decoded: { struct: { ...struct, [name]: 123456.5 } } };
      expect(checkReportVector(changed).mismatches.map((m) => m.what)).toContain(name);
    }
  });
});

it("covers each stream", () => {
  const ports = new Set(reports.map((vector) => vector.port));
  expect(ports).toEqual(new Set(Object.values(REPORTS).map((spec) => spec.port)));
});
