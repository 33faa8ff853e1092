/**
 * Reusable JointState, TFMessage and PoseArray messages: laid out once as CDR bytes, then only stamps and numbers are written.
 * Building message objects for these at 100 Hz costs several times the processor time. Layout as in `core/rosWire.ts`.
 */
import { type EpochNs, NS_PER_S } from "../../core/clock.js";

/** A message as it grows; fields of changing value are reserved and written later. */
export class Layout {
  readonly #parts: number[] = [0, 1, 0, 0];

  #align(size: number): void {
    while ((this.#parts.length - 4) % size !== 0) this.#parts.push(0);
  }
  u32(value: number): this {
    this.#align(4);
    this.#parts.push(value & 255, (value >>> 8) & 255, (value >>> 16) & 255, (value >>> 24) & 255);
    return this;
  }
  text(value: string): this {
    const encoded = Buffer.from(`${value}\0`, "utf8");
    this.u32(encoded.length);
    this.#parts.push(...encoded);
    return this;
  }
  /** Reserves `count` float64 and returns where they begin. */
  float64s(count: number): number {
    this.#align(8);
    const offset = this.#parts.length;
    this.#parts.push(...Array<number>(8 * count).fill(0));
    return offset;
  }
  /** Reserves a stamp and returns where it begins. */
  stamp(): number {
    this.u32(0);
    this.u32(0);
    return this.#parts.length - 8;
  }
  bytes(): Buffer {
    return Buffer.from(this.#parts);
  }
}

export const writeStamp = (bytes: Buffer, offset: number, stampNs: EpochNs): void => {
  bytes.writeInt32LE(Number(stampNs / NS_PER_S), offset);
  bytes.writeUInt32LE(Number(stampNs % NS_PER_S), offset + 4);
};

/** sensor_msgs/msg/JointState of fixed names. Set the numbers, set the stamp, publish `bytes`. */
export class JointStateMessage {
  readonly bytes: Buffer;
  readonly #stampAt: number;
  readonly #arraysAt: readonly number[];

  constructor(readonly names: readonly string[]) {
    const layout = new Layout();
    this.#stampAt = layout.stamp();
    layout.text("").u32(names.length);
    for (const name of names) layout.text(name);
    this.#arraysAt = [0, 1, 2].map(() => layout.u32(names.length).float64s(names.length));
    this.bytes = layout.bytes();
  }

  stamp(stampNs: EpochNs): void {
    writeStamp(this.bytes, this.#stampAt, stampNs);
  }

  /** One joint's position [rad], velocity [rad/s] and effort [N·m]. */
  set(joint: number, positionRad: number, velocityRadPerS: number, effortNm: number): void {
    this.bytes.writeDoubleLE(positionRad, this.#arraysAt[0]! + 8 * joint);
    this.bytes.writeDoubleLE(velocityRadPerS, this.#arraysAt[1]! + 8 * joint);
    this.bytes.writeDoubleLE(effortNm, this.#arraysAt[2]! + 8 * joint);
  }
}

export interface FrameNames {
  readonly parent: string;
  readonly child: string;
}

/** tf2_msgs/msg/TFMessage with fixed frames, all of one stamp. */
export class TransformsMessage {
  readonly bytes: Buffer;
  readonly #stampsAt: readonly number[];
  readonly #numbersAt: readonly number[];

  constructor(frames: readonly FrameNames[]) {
    const layout = new Layout().u32(frames.length);
    const stampsAt: number[] = [];
    this.#numbersAt = frames.map(({ parent, child }) => {
      stampsAt.push(layout.stamp());
      return layout.text(parent).text(child).float64s(7);
    });
    this.#stampsAt = stampsAt;
    this.bytes = layout.bytes();
  }

  stamp(stampNs: EpochNs): void {
    for (const offset of this.#stampsAt) writeStamp(this.bytes, offset, stampNs);
  }

  /** Child's origin in the parent [m] and its rotation (x y z w). */
  set(frame: number, positionM: ArrayLike<number>, quatXyzw: ArrayLike<number>): void {
    const offset = this.#numbersAt[frame]!;
    for (let i = 0; i < 3; i++) this.bytes.writeDoubleLE(positionM[i]!, offset + 8 * i);
    for (let i = 0; i < 4; i++) this.bytes.writeDoubleLE(quatXyzw[i]!, offset + 24 + 8 * i);
  }
}

/** geometry_msgs/msg/PoseArray of a fixed number of poses in one frame. */
export class PoseArrayMessage {
  readonly bytes: Buffer;
  readonly #stampAt: number;
  readonly #posesAt: number;

  constructor(frame: string, count: number) {
    const layout = new Layout();
    this.#stampAt = layout.stamp();
    layout.text(frame).u32(count);
    this.#posesAt = layout.float64s(7 * count);
    this.bytes = layout.bytes();
  }

  stamp(stampNs: EpochNs): void {
    writeStamp(this.bytes, this.#stampAt, stampNs);
  }

  /** Position x y z [m] and rotation x y z w of each pose, seven numbers a pose. */
  set(poses: ArrayLike<number>): void {
    for (let i = 0; i < poses.length; i++) this.bytes.writeDoubleLE(poses[i]!, this.#posesAt + 8 * i);
  }
}
