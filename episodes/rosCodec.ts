/** Encodes and decodes ROS messages by their definition's text: what is in an episode explains itself. */
import { parse } from "@foxglove/rosmsg";
import { MessageReader, MessageWriter } from "@foxglove/rosmsg2-serialization";
import { CerebellumError, errorText } from "../core/errors.js";

/** A message as plain values: times are `{ sec, nanosec }`, 64-bit integers bigints, number sequences typed arrays. */
export type RosMessage = Readonly<Record<string, unknown>>;

export interface RosCodec {
  encode(message: RosMessage): Uint8Array;
  /** @throws CerebellumError EPISODE_INVALID for bytes that are no such message */
  decode(bytes: Uint8Array): RosMessage;
}

/**
 * @param type e.g. "sensor_msgs/msg/JointState", for errors
 * @param definition text with all dependencies, as `ros2msg` has it
 * @throws CerebellumError EPISODE_INVALID when the definition cannot be understood
 */
export function rosCodec(type: string, definition: string): RosCodec {
  const broken = (what: string, cause: unknown) =>
    new CerebellumError(
      "EPISODE_INVALID",
      `${type} ${what}: ${errorText(cause)}`,
      "Leave this topic or this episode out",
      cause,
    );
  try {
    const definitions = parse(definition, { ros2: true });
    const writer = new MessageWriter(definitions);
    const reader = new MessageReader(definitions);
    return {
      encode: (message) => writer.writeMessage(message),
      decode: (bytes) => {
        try {
          // Its reader must have the bytes at an aligned place; `slice` of a Buffer would not move them.
          return reader.readMessage<RosMessage>(bytes.byteOffset % 8 === 0 ? bytes : new Uint8Array(bytes));
        } catch (cause) {
          throw broken("message cannot be read", cause);
        }
      },
    };
  } catch (cause) {
    throw broken("has a definition that cannot be understood", cause);
  }
}
