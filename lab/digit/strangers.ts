/** What another robot sends to the same client: a stream that is right in itself, with a pose of its own. */
import {
  DigitObservation,
  encodeObservationStream,
  ObservationWriter,
} from "../../drivers/digit/protocol/index.js";

const STREAM = encodeObservationStream(undefined);
const OBSERVATION = new DigitObservation();
OBSERVATION.values.fill(0.5);
const DATAGRAMS = [...STREAM.chunks, new ObservationWriter(STREAM.description).write(OBSERVATION)];

/** One datagram after the other, over and over. */
export const foreignDatagram = (turn: number): Uint8Array => DATAGRAMS[turn % DATAGRAMS.length]!;
