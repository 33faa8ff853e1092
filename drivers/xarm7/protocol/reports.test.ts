/** Report frames, written again, damaged and cut in every way that a stream can be. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { viewOf } from "./decoded.js";
import { createReport, createReportBytes, decodeReport, encodeReport, ReportStream } from "./reportCodec.js";
import { REPORT_KINDS, REPORTS, type ReportField, type ReportKind } from "./reports.js";

interface ReportVector {
  readonly tag: string;
  readonly port: number;
  readonly length: number;
  readonly note: string;
  readonly frame_hex: string;
}

const file = JSON.parse(readFileSync(new URL("../vectors/reports.json", import.meta.url), "utf8")) as {
  vectors: ReportVector[];
};
const kindOfPort = (port: number): ReportKind =>
  REPORT_KINDS.find((kind) => REPORTS[kind].port === port) ?? "normal";

describe.each(file.vectors)("$tag: $port, $length bytes, $note", (vector) => {
  const kind = kindOfPort(vector.port);
  const bytes = Uint8Array.from(Buffer.from(vector.frame_hex, "hex"));

  it("encodes to the same bytes where the layout reserves nothing", () => {
    const decoded = decodeReport(kind, bytes);
    if (decoded.kind !== "frame") return;
    const again = encodeReport(kind, decoded.value, createReportBytes(kind, bytes.length));
    for (const field of Object.values(REPORTS[kind].fields) as ReportField[]) {
      const end = field.offset + 4 * field.count;
      if (end > bytes.length) continue;
      expect(Buffer.from(again.subarray(field.offset, end)).toString("hex"), field.vendor).toBe(
        Buffer.from(bytes.subarray(field.offset, end)).toString("hex"),
      );
    }
  });

  it("waits at every shorter prefix", () => {
    for (let n = 0; n < bytes.length; n++)
      expect(decodeReport(kind, bytes.subarray(0, n)).kind).toBe("incomplete");
  });

  it("answers whichever single bit flips", () => {
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const bad = bytes.slice();
      bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(["frame", "corrupt", "incomplete"]).toContain(decodeReport(kind, bad).kind);
    }
  });
});

describe("report stream", () => {
  const frame = createReportBytes("realTime", 135);
  const streamOf = (count: number): Uint8Array => {
    const bytes = new Uint8Array(135 * count);
    const report = createReport("realTime");
    for (let i = 0; i < count; i++) {
      report.queueCount = i;
      bytes.set(encodeReport("realTime", report, frame), 135 * i);
    }
    return bytes;
  };

  it("finds every frame however the bytes are cut", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 40 }), (cuts) => {
        const bytes = streamOf(20);
        const seen: number[] = [];
        const stream = new ReportStream("realTime", (view, offset) => seen.push(view.getUint16(offset + 5)));
        let at = 0;
        for (let i = 0; at < bytes.length; i++) {
          const size = cuts[i % cuts.length] ?? 1;
          expect(stream.push(bytes.subarray(at, at + size))).toBe("");
          at += size;
        }
        expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => i));
      }),
    );
  });

  it("is lost at the length that the vendor's client cannot read, and at a change of length", () => {
    const odd = new Uint8Array(233);
    viewOf(odd).setUint32(0, 233);
    expect(new ReportStream("rich", () => {}).push(odd)).not.toBe("");
    const stream = new ReportStream("realTime", () => {});
    expect(stream.push(streamOf(1))).toBe("");
    const short = new Uint8Array(87);
    viewOf(short).setUint32(0, 87);
    expect(stream.push(short)).not.toBe("");
    stream.clear();
    expect(stream.push(short)).toBe("");
  });
});
