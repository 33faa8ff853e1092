/** What keeps a frame off every classic CAN bus. */
import { type CanFrame, DATA_BYTES_MAX, EXTENDED_ID_MAX, STANDARD_ID_MAX } from "./frame.js";

/** @returns why no bus could carry it, with what was found; undefined for a good frame. Never throws. */
export function frameFault(frame: CanFrame): string | undefined {
  const idMax = frame.isExtended ? EXTENDED_ID_MAX : STANDARD_ID_MAX;
  if (!isWhole(frame.id, idMax)) return `identifier ${frame.id} is not one of 0 to ${idMax}`;
  if (!isWhole(frame.length, DATA_BYTES_MAX))
    return `length ${frame.length} is not one of 0 to ${DATA_BYTES_MAX}`;
  const dataBytes = frame.isRemote ? 0 : frame.length;
  if (frame.data.length !== dataBytes) return `${frame.data.length} bytes of data instead of ${dataBytes}`;
  return undefined;
}

const isWhole = (value: number, max: number): boolean =>
  Number.isInteger(value) && value >= 0 && value <= max;
