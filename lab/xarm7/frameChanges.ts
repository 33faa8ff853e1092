/** Ways in which a frame can be wrong on the wire, by name; applied by the fault proxy to frames that were right. */
import {
  COMMAND_FRAME_BYTES_MAX,
  HEADER_BYTES,
  JOINT_COUNT,
  modeStateByte,
  REPORTS,
  type ReportKind,
  stateOf,
} from "../../drivers/xarm7/protocol/index.js";
import type { Change, PortName } from "./faultProxy.js";

type Edit = (frame: Uint8Array, view: DataView) => readonly Uint8Array[];

/** Nobody has this many requests outstanding, so such a transaction id belongs to none. */
const FAR_TRANSACTION = 0x8000;
const FOREIGN_REGISTER = 0x63;
const FOREIGN_PROTOCOL = 2;
const IMPOSSIBLE_PROTOCOL = 0x4d;
const JUNK = Uint8Array.from({ length: 64 }, (_, i) => (i * 197 + 91) & 0xff);

/** Replies of the command port. */
export const REPLY_CHANGES = {
  wrongTransaction: (frame, view) => {
    view.setUint16(0, view.getUint16(0) ^ FAR_TRANSACTION);
    return [frame];
  },
  wrongProtocol: (frame, view) => {
    view.setUint16(2, FOREIGN_PROTOCOL);
    return [frame];
  },
  impossibleProtocol: (frame, view) => {
    view.setUint16(2, IMPOSSIBLE_PROTOCOL);
    return [frame];
  },
  wrongRegister: (frame) => {
    frame[HEADER_BYTES] = FOREIGN_REGISTER;
    return [frame];
  },
  /** Its length says so, too. */
  tooShort: (frame, view) => {
    view.setUint16(4, 1);
    return [frame.subarray(0, HEADER_BYTES + 1)];
  },
  tooLong: (frame, view) => {
    view.setUint16(4, view.getUint16(4) + 5);
    return [frame, JUNK.subarray(0, 5)];
  },
  impossibleLength: (frame, view) => {
    view.setUint16(4, COMMAND_FRAME_BYTES_MAX);
    return [frame];
  },
  /** The last byte is missing, its length says nothing of it: every later frame starts one byte too early. */
  byteLost: (frame) => [frame.subarray(0, -1)],
  notReady: (frame) => {
    frame[HEADER_BYTES + 1] = frame[HEADER_BYTES + 1]! | 0x10;
    return [frame];
  },
  twice: (frame) => [frame, frame],
  lost: () => [],
} satisfies Record<string, Edit>;

/** Reports, with the layout of their stream. */
const reportChanges = (kind: ReportKind) => {
  const { positionRad, modeState } = REPORTS[kind].fields;
  const at = (joint: number) => positionRad.offset + 4 * joint;
  let first: Uint8Array | undefined;
  return {
    notANumber: (frame, view) => {
      for (let joint = 0; joint < JOINT_COUNT; joint++) view.setFloat32(at(joint), Number.NaN, true);
      return [frame];
    },
    jump: (frame, view) => {
      view.setFloat32(at(2), view.getFloat32(at(2), true) + 0.5, true);
      return [frame];
    },
    impossibleLength: (frame, view) => {
      view.setUint32(0, 7);
      return [frame];
    },
    hugeLength: (frame, view) => {
      view.setUint32(0, 0x7fffffff);
      return [frame];
    },
    /** Another length that this stream may have. */
    otherLength: (frame, view) => {
      const lengths: readonly number[] = REPORTS[kind].lengths;
      const other = lengths.find((length) => length < frame.length) ?? frame.length;
      view.setUint32(0, other);
      return [frame.subarray(0, other)];
    },
    impossibleMode: (frame, view) => {
      view.setUint8(modeState.offset, modeStateByte(15, stateOf(view.getUint8(modeState.offset))));
      return [frame];
    },
    /** The first frame, again and again. */
    frozen: (frame) => [(first ??= frame.slice())],
    zeros: (frame, view) => {
      frame.fill(0, 4);
      view.setUint8(modeState.offset, modeStateByte(1, 2));
      return [frame];
    },
    junk: (frame) => [Uint8Array.from(frame, (_, i) => JUNK[i % JUNK.length]!)],
    byteLost: (frame) => [frame.subarray(0, -1)],
    lost: () => [],
  } satisfies Record<string, Edit>;
};

export const REPLY_CHANGE_NAMES = Object.keys(REPLY_CHANGES) as (keyof typeof REPLY_CHANGES)[];
export const REPORT_CHANGE_NAMES = Object.keys(reportChanges("normal")) as (keyof ReturnType<
  typeof reportChanges
>)[];

export interface Pick {
  /** Only replies to this register; all by default. */
  readonly register?: number | undefined;
  /** Only the first so many of them; all by default. */
  readonly count?: number | undefined;
  /** Only one in so many goes through; for a stream that is slower than it should be. */
  readonly oneIn?: number | undefined;
}

/** @throws RangeError for a name that this port's frames do not have */
export function changeOf(port: PortName, name: string, pick: Pick = {}): Change {
  const edits: Readonly<Record<string, Edit>> = port === "command" ? REPLY_CHANGES : reportChanges(port);
  const edit = edits[name];
  if (edit === undefined) throw new RangeError(`${port} frames have no change "${name}"`);
  let seen = 0;
  return (frame) => {
    if (pick.register !== undefined && frame[HEADER_BYTES] !== pick.register) return [frame];
    seen++;
    if (pick.count !== undefined && seen > pick.count) return [frame];
    if (pick.oneIn !== undefined && seen % pick.oneIn === 0) return [frame];
    return edit(frame, new DataView(frame.buffer, frame.byteOffset, frame.byteLength));
  };
}

export const junk = (bytes: number): Uint8Array =>
  Uint8Array.from({ length: bytes }, (_, i) => JUNK[i % 64]!);
