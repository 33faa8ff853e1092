/** A frame of a classic CAN bus (CAN 2.0A and B), as every bus and every device of ours passes it on. */

/** Highest identifiers with 11 and with 29 bits. */
export const STANDARD_ID_MAX = 0x7ff;
export const EXTENDED_ID_MAX = 0x1fff_ffff;
export const DATA_BYTES_MAX = 8;

export interface CanFrame {
  readonly id: number;
  /** 29-bit identifier. */
  readonly isExtended: boolean;
  /** A request for data: it carries none itself, `length` says how much is asked for. */
  readonly isRemote: boolean;
  /** Data length code, 0 to 8. */
  readonly length: number;
  /** `length` bytes; empty for a remote frame. Valid until the listener returns: copy what outlives the call. */
  readonly data: Uint8Array;
}
