/** What another robot sends to the same client: a stream that is right in itself, with a pose of its own. */
import {
  encodeChunk,
  encodeStream,
  mapNumbers,
  OBSERVATION_FIELDS,
  writeNumbers,
} from "../../drivers/digit/protocol/index.js";

const STREAM = encodeStream({
  fields: OBSERVATION_FIELDS.map(({ name, kind, rows }) => ({
    name,
    type: kind === "float" ? "f64" : kind === "bool" ? "bool" : "i16",
    rows,
  })),
});
const VALUES = new Float64Array(OBSERVATION_FIELDS.reduce((sum, { rows }) => sum + rows, 0)).fill(0.5);
const MESSAGE = new Uint8Array(STREAM.description.messageBytes);
writeNumbers(mapNumbers(STREAM.description, OBSERVATION_FIELDS), VALUES, new DataView(MESSAGE.buffer), 0);
const DATAGRAMS = [...STREAM.chunks, encodeChunk("UDAT", MESSAGE)];

/** One datagram after the other, over and over. */
export const foreignDatagram = (turn: number): Uint8Array => DATAGRAMS[turn % DATAGRAMS.length]!;
