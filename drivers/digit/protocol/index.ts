/** The wire of Digit's low-level interface: pure, both sides, no socket and no clock. */
export {
  CHUNK_HEADER_BYTES,
  ChunkReader,
  encodeChunk,
  sealChunk,
} from "./chunk.js";
export {
  COMMAND_BYTES,
  CommandReader,
  CommandWriter,
  createCommand,
  type DigitCommand,
  FALLBACK,
  type FallbackMode,
} from "./command.js";
export { crc32c } from "./crc32c.js";
export type {
  Description,
  Field,
} from "./description.js";
export { DescriptionCycle } from "./descriptionCycle.js";
export { type EncodedStream, encodeStream, type FieldPlan, type StreamPlan } from "./encode.js";
export { MOTOR_COUNT, MOTORS, PASSIVE_JOINT_COUNT, PASSIVE_JOINTS } from "./joints.js";
export { type DigitLimits, limitsOf } from "./limits.js";
export {
  DigitObservation,
  OBSERVATION_FIELDS,
  ObservationReader,
} from "./observation.js";
export { encodeObservationStream, type ObservationLayout, ObservationWriter } from "./observationWriter.js";
export { type Inflate, StreamReader, type StreamState } from "./streamReader.js";
