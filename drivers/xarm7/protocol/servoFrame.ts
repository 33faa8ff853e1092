/** The servo_j request, filled in place once a tick: 47 bytes that never leave the heap's old generation. */
import { invariant } from "../../../core/errors.js";
import { HEADER_BYTES } from "./commandFrame.js";
import { viewOf } from "./decoded.js";
import { JOINT_COUNT, MESSAGES, PROTOCOL_ID } from "./messages.js";

/** Header, register, seven angles and three reserved numbers that the controller ignores. */
export const SERVO_FRAME_BYTES = HEADER_BYTES + 1 + 10 * 4;

export class ServoFrame {
  /** A Buffer, because a socket wraps any other array in a new one. */
  readonly bytes = Buffer.alloc(SERVO_FRAME_BYTES);
  readonly #view = viewOf(this.bytes);

  constructor() {
    this.#view.setUint16(4, SERVO_FRAME_BYTES - HEADER_BYTES);
    this.#view.setUint8(HEADER_BYTES, MESSAGES.moveServoJoint.register);
  }

  /** @param positionRad seven joint angles [rad], base to tool; written as float32 */
  fill(
    transactionId: number,
    positionRad: ArrayLike<number>,
    protocolId: number = PROTOCOL_ID.current,
  ): void {
    invariant(positionRad.length === JOINT_COUNT, `servo_j takes 7 angles, not ${positionRad.length}`);
    this.#view.setUint16(0, transactionId);
    this.#view.setUint16(2, protocolId);
    for (let joint = 0; joint < JOINT_COUNT; joint++)
      this.#view.setFloat32(HEADER_BYTES + 1 + 4 * joint, positionRad[joint] ?? 0, true);
  }
}
