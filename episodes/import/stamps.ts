/** When a message of any recorder was captured or made: its own stamp, where its type begins with one. */
import { parse } from "@foxglove/rosmsg";
import { NS_PER_S } from "../../core/clock.js";
import { errorText } from "../../core/errors.js";

export type StampPlace = "first" | "none";

/**
 * Whether messages of a definition begin with a std_msgs/Header or a Time: in both, the stamp comes right after the
 * encapsulation header.
 * @returns the reason as text when the definition cannot be understood
 */
export function stampPlace(definition: string): { place: StampPlace } | { trouble: string } {
  try {
    const [main] = parse(definition, { ros2: true });
    const first = main?.definitions.find(({ isConstant }) => isConstant !== true);
    const isStamp =
      first?.isArray !== true &&
      ["std_msgs/Header", "std_msgs/msg/Header", "time"].includes(first?.type ?? "");
    return { place: isStamp ? "first" : "none" };
  } catch (thrown) {
    return { trouble: errorText(thrown, 200).split("\n")[0]! };
  }
}

/** Plain CDR of both versions, big and little endian (OMG DDS-XTypes 1.3, 7.6.3.1.2). */
const BIG_ENDIAN = new Set([0x00, 0x06]);
const LITTLE_ENDIAN = new Set([0x01, 0x07]);

/** @returns epoch nanoseconds; undefined when the message has no usable stamp: too short, negative or never set */
export function readStampNs(cdr: Uint8Array): bigint | undefined {
  if (cdr.length < 12 || cdr[0] !== 0) return undefined;
  const isLittle = LITTLE_ENDIAN.has(cdr[1]!);
  if (!isLittle && !BIG_ENDIAN.has(cdr[1]!)) return undefined;
  const view = new DataView(cdr.buffer, cdr.byteOffset, cdr.byteLength);
  const [sec, nanosec] = [view.getInt32(4, isLittle), view.getUint32(8, isLittle)];
  if (sec < 0 || nanosec >= Number(NS_PER_S) || (sec === 0 && nanosec === 0)) return undefined;
  return BigInt(sec) * NS_PER_S + BigInt(nanosec);
}
