/** Reads and writes report frames by the tables of reports.ts, into objects that are made once and reused. */
import { invariant } from "../../../core/errors.js";
import { corrupt, type Decoded, INCOMPLETE, textBytes, textOf, viewOf } from "./decoded.js";
import { FrameBuffer, type OnFrame } from "./frameBuffer.js";
import {
  modeOf,
  REPORT_BYTES_MAX,
  REPORTS,
  type ReportField,
  type ReportFieldType,
  type ReportKind,
  type ReportOf,
  stateOf,
} from "./reports.js";

const FIELD_BYTES: Readonly<Record<ReportFieldType, number>> = {
  u8: 1,
  i8: 1,
  u16: 2,
  i16: 2,
  u32: 4,
  u64: 8,
  f32: 4,
  text: 1,
};

type Values = Record<string, number | string | Float64Array>;

/** Fields by name, in the order of the table, flattened once so that reading allocates nothing. */
const fieldList = (fields: Record<string, ReportField>): readonly (readonly [string, ReportField])[] =>
  Object.entries(fields);
const fieldLists: Readonly<Record<ReportKind, readonly (readonly [string, ReportField])[]>> = {
  highRate: fieldList(REPORTS.highRate.fields),
  normal: fieldList(REPORTS.normal.fields),
  rich: fieldList(REPORTS.rich.fields),
  realTime: fieldList(REPORTS.realTime.fields),
};

/** All numbers zero, all texts empty. */
export function createReport<K extends ReportKind>(kind: K): ReportOf<K> {
  const report: Values = {};
  for (const [name, { type, count }] of fieldLists[kind])
    report[name] = type === "text" ? "" : count === 1 ? 0 : new Float64Array(count);
  return report as ReportOf<K>;
}

/**
 * Reads a whole frame into `report`; fields beyond the frame's length keep what they held. Answers "" or why the frame
 * is refused (`report` is then partly overwritten: do not use it). Numbers that are not finite pass: who uses them
 * must look.
 */
export function readReport<K extends ReportKind>(
  kind: K,
  view: DataView,
  offset: number,
  frameBytes: number,
  report: ReportOf<K>,
): string {
  const values = report as Values;
  for (const [name, field] of fieldLists[kind]) {
    if (field.offset + FIELD_BYTES[field.type] * field.count > frameBytes) continue;
    if (field.type === "text") {
      values[name] = textOf(
        new Uint8Array(view.buffer, view.byteOffset + offset + field.offset, field.count),
      );
    } else if (field.count === 1) values[name] = readNumber(view, offset + field.offset, field.type);
    else {
      const array = values[name] as Float64Array;
      const step = FIELD_BYTES[field.type];
      for (let i = 0; i < field.count; i++)
        array[i] = readNumber(view, offset + field.offset + i * step, field.type);
    }
  }
  return REPORTS[kind].checked ? implausible(values) : "";
}

/** Length of the report that starts at `offset`: 0 when unknown yet, -1 when the stream has no such length. */
export function reportFrameBytes(
  kind: ReportKind,
  view: DataView,
  offset: number,
  availableBytes: number,
): number {
  if (availableBytes < 4) return 0;
  const length = view.getUint32(offset);
  const lengths: readonly number[] = REPORTS[kind].lengths;
  return lengths.includes(length) ? length : -1;
}

export function decodeReport<K extends ReportKind>(kind: K, bytes: Uint8Array): Decoded<ReportOf<K>> {
  const view = viewOf(bytes);
  const frameBytes = reportFrameBytes(kind, view, 0, bytes.length);
  if (frameBytes < 0) return corrupt(`report of ${view.getUint32(0)} bytes`);
  if (frameBytes === 0 || bytes.length < frameBytes) return INCOMPLETE;
  const report = createReport(kind);
  const reason = readReport(kind, view, 0, frameBytes, report);
  return reason === "" ? { kind: "frame", usedBytes: frameBytes, value: report } : corrupt(reason);
}

/** Bytes for `encodeReport`'s `into`: the length must be one of the stream's. */
export function createReportBytes(kind: ReportKind, frameBytes: number): Uint8Array {
  const lengths: readonly number[] = REPORTS[kind].lengths;
  invariant(
    lengths.includes(frameBytes),
    `a ${kind} report has ${lengths.join(", ")} bytes, not ${frameBytes}`,
  );
  return new Uint8Array(frameBytes);
}

/**
 * The controller's side: writes the frame into `into` (whose length is the frame's) and answers it. `lengthBytes` of
 * the report is ignored; fields beyond the length are left out.
 */
export function encodeReport<K extends ReportKind>(
  kind: K,
  report: ReportOf<K>,
  into: Uint8Array,
): Uint8Array {
  const view = viewOf(into);
  const values = report as Values;
  for (const [name, field] of fieldLists[kind]) {
    const step = FIELD_BYTES[field.type];
    const value = values[name];
    if (field.offset + step * field.count > into.length || value === undefined) continue;
    if (typeof value === "string") into.set(textBytes(value, field.count), field.offset);
    else if (typeof value === "number") writeNumber(view, field.offset, field.type, value);
    else
      for (let i = 0; i < field.count; i++)
        writeNumber(view, field.offset + i * step, field.type, value[i] ?? 0);
  }
  view.setUint32(0, into.length);
  return into;
}

/**
 * One report connection. It keeps to the first frame's length, as the vendor's client does: another length later means
 * that bytes were lost, and only a new connection finds the frames again.
 */
export class ReportStream {
  readonly #buffer: FrameBuffer;
  readonly #onFrame: OnFrame;
  #lengthBytes = 0;

  constructor(kind: ReportKind, onFrame: OnFrame) {
    this.#onFrame = onFrame;
    this.#buffer = new FrameBuffer(REPORT_BYTES_MAX, (view, offset, available) => {
      const frameBytes = reportFrameBytes(kind, view, offset, available);
      if (frameBytes <= 0) return frameBytes;
      if (this.#lengthBytes === 0) this.#lengthBytes = frameBytes;
      return frameBytes === this.#lengthBytes ? frameBytes : -1;
    });
  }

  clear(): void {
    this.#buffer.clear();
    this.#lengthBytes = 0;
  }

  /** Answers "" or why the connection must be made anew. */
  push(chunk: Uint8Array): string {
    return this.#buffer.push(chunk, this.#onFrame);
  }
}

/** The vendor client's rule for the normal and rich streams. */
function implausible(values: Values): string {
  const modeState = Number(values.modeState);
  const collision = Number(values.collisionSensitivity);
  const teach = Number(values.teachSensitivity);
  if (collision > 5) return `collision sensitivity ${collision} (0..5)`;
  if (teach > 5) return `teach sensitivity ${teach} (0..5)`;
  if (modeOf(modeState) > 11) return `mode ${modeOf(modeState)} (0..11)`;
  if (stateOf(modeState) > 9) return `state ${stateOf(modeState)} (0..9)`;
  return "";
}

function readNumber(view: DataView, at: number, type: ReportFieldType): number {
  switch (type) {
    case "f32":
      return view.getFloat32(at, true);
    case "u16":
      return view.getUint16(at);
    case "i16":
      return view.getInt16(at);
    case "i8":
      return view.getInt8(at);
    case "u32":
      return view.getUint32(at);
    case "u64":
      return view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4);
    default:
      return view.getUint8(at);
  }
}

function writeNumber(view: DataView, at: number, type: ReportFieldType, value: number): void {
  if (type === "f32") view.setFloat32(at, value, true);
  else if (type === "u16") view.setUint16(at, value);
  else if (type === "i16") view.setInt16(at, value);
  else if (type === "i8") view.setInt8(at, value);
  else if (type === "u32") view.setUint32(at, value);
  else if (type === "u64") {
    view.setUint32(at, Math.floor(value / 2 ** 32));
    view.setUint32(at + 4, value >>> 0);
  } else view.setUint8(at, value);
}
