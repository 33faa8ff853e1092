/**
 * The moving mass behind the emulated hand: motors that exert torques, joints that follow. Implementations: an ideal
 * plant for tests of the wire, and MuJoCo's.
 */
export interface HandPlant {
  /** Live values, updated in place; one number per joint in wire order. */
  readonly positionRad: Float64Array;
  readonly velocityRadPerS: Float64Array;
  /** What the motors exert from now on [N m]; whoever commands writes it, and it stays until it is written again. */
  readonly torqueNm: Float64Array;
  /** What else turns the joints [N m]: a person's fingers. */
  readonly pushNm: Float64Array;
  /** Lets time pass; the torques stay as they are meanwhile. */
  step(dtS: number): void;
}
