/** CRC-32C (Castagnoli, as in iSCSI, RFC 3720): reflected polynomial 0x82f63b78; "123456789" gives 0xe3069283. */

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc >>> 0;
});

/** Over `bytes[from]` to `bytes[to - 1]`; `previous` is the checksum of what comes before them. */
export function crc32c(bytes: Uint8Array, from = 0, to = bytes.length, previous = 0): number {
  let crc = ~previous;
  for (let at = from; at < to; at++) crc = TABLE[(crc ^ bytes[at]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}
