/** sensor_msgs/msg/Imu of one frame, laid out once; covariances are zero, which says that nobody knows them. */
import type { EpochNs } from "../../core/clock.js";
import { Layout, writeStamp } from "./stateMessages.js";

/** Numbers of the message: quaternion, turn rate and specific force, with nine of covariance after each. */
const QUAT = 0;
const ANGULAR_VELOCITY = 4 + 9;
const SPECIFIC_FORCE = ANGULAR_VELOCITY + 3 + 9;
const NUMBERS = SPECIFIC_FORCE + 3 + 9;

export class ImuMessage {
  readonly bytes: Buffer;
  readonly #stampAt: number;
  readonly #numbersAt: number;

  constructor(frame: string) {
    const layout = new Layout();
    this.#stampAt = layout.stamp();
    this.#numbersAt = layout.text(frame).float64s(NUMBERS);
    this.bytes = layout.bytes();
  }

  stamp(stampNs: EpochNs): void {
    writeStamp(this.bytes, this.#stampAt, stampNs);
  }

  /** Orientation in the world, turn rate [rad/s] and specific force [m/s²] in the frame. */
  set(
    quatXyzw: ArrayLike<number>,
    angularVelocityRadPerS: ArrayLike<number>,
    specificForceMPerS2: ArrayLike<number>,
  ): void {
    this.#put(QUAT, quatXyzw, 4);
    this.#put(ANGULAR_VELOCITY, angularVelocityRadPerS, 3);
    this.#put(SPECIFIC_FORCE, specificForceMPerS2, 3);
  }

  #put(first: number, values: ArrayLike<number>, count: number): void {
    for (let i = 0; i < count; i++) this.bytes.writeDoubleLE(values[i]!, this.#numbersAt + 8 * (first + i));
  }
}
