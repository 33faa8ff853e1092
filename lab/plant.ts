/**
 * The moving mass behind the emulated controller: what the emulator commands and reads. Implementations: an ideal
 * plant for protocol tests, and the MuJoCo world's arm (shared memory to the physics worker).
 */
export interface ArmPlant {
  /** Live values, updated in place; one number per joint, base to tool. */
  readonly positionRad: Float64Array;
  readonly velocityRadPerS: Float64Array;
  readonly effortNm: Float64Array;
  /** Opening between the finger pads [m]. */
  gripperOpeningM(): number;
  /** Setpoint of the joint servos [rad]; followed while enabled. */
  setTarget(positionRad: ArrayLike<number>): void;
  /** Motors on and brakes released, or brakes on: the arm then stands still. */
  setEnabled(on: boolean): void;
  /** Joints follow external forces; gravity stays compensated. */
  setFreeDrive(on: boolean): void;
  setGripper(openingM: number, speedMPerS: number): void;
}
