/** Turns what a robot on legs felt into the network's numbers, slot by slot, as the manifest says. */
import { BODIES } from "./bodies.js";
import { applyCommandRule } from "./command.js";
import type { CommandRule, HistoryManifest } from "./manifest.js";
import type { BodyReading } from "./reading.js";
import type { ObservationSlot, SourceName } from "./slots.js";

/** Everything that slots choose from, worked out once a step. Vectors lie one after another. */
const AT = { linear: 0, angular: 9, gravity: 18, clock: 21, command: 23, joints: 26 } as const;
const FRAMES = ["base", "heading", "world"];
const AXES = ["x", "y", "z"];

/**
 * Compiled from a manifest that has been checked. `observe` allocates nothing.
 *
 * Delays: a slot with `delaySteps` k holds what the k-th step before would have held, and the run's first value where
 * the run is younger than that.
 */
export class ObservationBuilder {
  readonly length: number;
  readonly #places: Int32Array;
  readonly #offsets: Float64Array;
  readonly #scales: Float64Array;
  readonly #lows: Float64Array;
  readonly #highs: Float64Array;
  readonly #delays: Int32Array;
  /** Newest steps' values, a row each; the row of step s is s modulo their number. */
  readonly #values: Float64Array;
  readonly #rowLength: number;
  readonly #rowCount: number;
  readonly #jointCount: number;
  readonly #passiveCount: number;
  readonly #periodS: number;
  readonly #rule: CommandRule | undefined;
  readonly #rotation = new Float64Array(9);
  readonly #command = new Float64Array(3);
  #steps = 0;

  constructor(manifest: HistoryManifest) {
    const { observation, robot } = manifest;
    const { joints, passiveJoints } = BODIES[robot.device];
    this.length = observation.length;
    this.#jointCount = joints.length;
    this.#passiveCount = passiveJoints.length;
    this.#rowLength = AT.joints + 2 * (joints.length + passiveJoints.length);
    const names = [...joints, ...passiveJoints];
    this.#places = Int32Array.from(observation, (slot) => placeOf(slot, names));
    this.#offsets = Float64Array.from(observation, ({ offset }) => offset);
    this.#scales = Float64Array.from(observation, ({ scale }) => scale);
    this.#lows = Float64Array.from(observation, ({ clip }) => clip[0]);
    this.#highs = Float64Array.from(observation, ({ clip }) => clip[1]);
    this.#delays = Int32Array.from(observation, ({ delaySteps }) => delaySteps);
    this.#rowCount = 1 + Math.max(...this.#delays);
    this.#values = new Float64Array(this.#rowCount * this.#rowLength);
    this.#periodS = manifest.clock?.periodS ?? 1;
    this.#rule = manifest.command;
  }

  /** The next `observe` is a run's first. */
  reset(): void {
    this.#steps = 0;
  }

  /** Writes `length` numbers to `into` from `at` on. */
  observe(reading: BodyReading, into: Float32Array, at = 0): void {
    const row = (this.#steps % this.#rowCount) * this.#rowLength;
    this.#work(reading, row);
    if (this.#steps === 0) {
      for (let other = 1; other < this.#rowCount; other++) {
        this.#values.copyWithin(other * this.#rowLength, 0, this.#rowLength);
      }
    }
    for (let slot = 0; slot < this.length; slot++) {
      const step = this.#steps - this.#delays[slot]!;
      const from = ((step + this.#rowCount) % this.#rowCount) * this.#rowLength;
      const value = this.#values[from + this.#places[slot]!]!;
      const scaled = this.#scales[slot]! * (value - this.#offsets[slot]!);
      into[at + slot] = Math.min(this.#highs[slot]!, Math.max(this.#lows[slot]!, scaled));
    }
    this.#steps++;
  }

  #work({ timeS, positionRad, velocityRadPerS, base, command }: BodyReading, row: number): void {
    const values = this.#values;
    const rotation = rotationOf(base.quatWorldBaseXyzw, this.#rotation);
    this.#inFrames(base.linearVelocityBaseMPerS, row + AT.linear);
    this.#inFrames(base.angularVelocityBaseRadPerS, row + AT.angular);
    // Minus the world's z axis, seen from the base: the third row of the rotation.
    for (let axis = 0; axis < 3; axis++) values[row + AT.gravity + axis] = -rotation[6 + axis]!;
    const phaseRad = (2 * Math.PI * timeS) / this.#periodS;
    values[row + AT.clock] = Math.sin(phaseRad);
    values[row + AT.clock + 1] = Math.cos(phaseRad);
    if (this.#rule !== undefined) applyCommandRule(command, this.#rule, this.#command);
    values.set(this.#command, row + AT.command);
    let at = row + AT.joints;
    for (let joint = 0; joint < this.#jointCount; joint++) values[at++] = positionRad[joint]!;
    for (let joint = 0; joint < this.#passiveCount; joint++) values[at++] = base.passivePositionRad[joint]!;
    for (let joint = 0; joint < this.#jointCount; joint++) values[at++] = velocityRadPerS[joint]!;
    for (let joint = 0; joint < this.#passiveCount; joint++)
      values[at++] = base.passiveVelocityRadPerS[joint]!;
  }

  /** A vector of the base frame in each of `FRAMES`. */
  #inFrames(vector: ArrayLike<number>, at: number): void {
    const [values, m] = [this.#values, this.#rotation];
    const x = vector[0]!;
    const y = vector[1]!;
    const z = vector[2]!;
    values[at] = x;
    values[at + 1] = y;
    values[at + 2] = z;
    const worldX = m[0]! * x + m[1]! * y + m[2]! * z;
    const worldY = m[3]! * x + m[4]! * y + m[5]! * z;
    const worldZ = m[6]! * x + m[7]! * y + m[8]! * z;
    // Heading: where the base's x axis points on the ground. Looking straight up or down it points nowhere.
    const across = Math.hypot(m[0]!, m[3]!);
    const cos = across > 1e-9 ? m[0]! / across : 1;
    const sin = across > 1e-9 ? m[3]! / across : 0;
    values[at + 3] = cos * worldX + sin * worldY;
    values[at + 4] = cos * worldY - sin * worldX;
    values[at + 5] = worldZ;
    values[at + 6] = worldX;
    values[at + 7] = worldY;
    values[at + 8] = worldZ;
  }
}

function placeOf({ source, of, frame }: ObservationSlot, names: readonly string[]): number {
  const axis = AXES.indexOf(of);
  const places: Record<SourceName, () => number> = {
    "base-linear-velocity": () => AT.linear + 3 * FRAMES.indexOf(frame!) + axis,
    "base-angular-velocity": () => AT.angular + 3 * FRAMES.indexOf(frame!) + axis,
    "projected-gravity": () => AT.gravity + axis,
    clock: () => AT.clock + ["sin", "cos"].indexOf(of),
    "velocity-command": () => AT.command + ["forward", "left", "yaw"].indexOf(of),
    "joint-position": () => AT.joints + names.indexOf(of),
    "joint-velocity": () => AT.joints + names.length + names.indexOf(of),
  };
  return places[source]();
}

/** Rotation from base to world, row by row, of a quaternion x y z w of any length but zero. */
function rotationOf(quatXyzw: ArrayLike<number>, into: Float64Array): Float64Array {
  const norm = Math.hypot(quatXyzw[0]!, quatXyzw[1]!, quatXyzw[2]!, quatXyzw[3]!);
  const x = quatXyzw[0]! / norm;
  const y = quatXyzw[1]! / norm;
  const z = quatXyzw[2]! / norm;
  const w = quatXyzw[3]! / norm;
  into[0] = 1 - 2 * (y * y + z * z);
  into[1] = 2 * (x * y - z * w);
  into[2] = 2 * (x * z + y * w);
  into[3] = 2 * (x * y + z * w);
  into[4] = 1 - 2 * (x * x + z * z);
  into[5] = 2 * (y * z - x * w);
  into[6] = 2 * (x * z - y * w);
  into[7] = 2 * (y * z + x * w);
  into[8] = 1 - 2 * (x * x + y * y);
  return into;
}
