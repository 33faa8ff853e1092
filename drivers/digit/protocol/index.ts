/** The wire of Digit's low-level interface: pure, both sides, no socket and no clock. */
export {
  CHUNK_BYTES_MIN,
  CHUNK_HEADER_BYTES,
  type ChunkFault,
  type ChunkKind,
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
export {
  type Constant,
  type Description,
  DescriptionBuilder,
  type Enumeration,
  type Field,
} from "./description.js";
export { DescriptionCycle } from "./descriptionCycle.js";
export { type EncodedStream, encodeStream, type FieldPlan, type StreamPlan } from "./encode.js";
export { MOTOR_COUNT, MOTORS, PASSIVE_JOINT_COUNT, PASSIVE_JOINTS } from "./joints.js";
export { type DigitLimits, limitsOf } from "./limits.js";
export {
  compileObservation,
  DigitObservation,
  OBSERVATION_FIELDS,
  ObservationReader,
} from "./observation.js";
export { encodeObservationStream, type ObservationLayout, ObservationWriter } from "./observationWriter.js";
export { type Inflate, type StreamEvents, StreamReader, type StreamState } from "./streamReader.js";
