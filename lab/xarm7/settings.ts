/** What a client can set and read back; volatile here, as an unsaved setting is on the controller. Wire units. */

export interface Settings {
  /** x y z [mm], roll pitch yaw [rad], flange frame. */
  toolOffset: number[];
  /** kg, then centre of mass [mm], flange frame. */
  toolLoad: number[];
  collisionSensitivity: number;
  teachSensitivity: number;
  gravityDirection: number[];
  toolJerkMmPerS3: number;
  toolAccelerationMaxMmPerS2: number;
  jointJerkRadPerS3: number;
  jointAccelerationMaxRadPerS2: number;
  /** Linear speed factor of servo_j: times 1000 mm/s. */
  servoSpeedFactor: number;
  reportCurrent: boolean;
  selfCollisionCheck: boolean;
  simulation: boolean;
  rebound: boolean;
  fence: boolean;
  reduced: boolean;
  reducedToolSpeedMmPerS: number;
  reducedJointSpeedRadPerS: number;
  /** x+ x- y+ y- z+ z- [mm]. */
  reducedBoundsMm: number[];
  /** min, max of each joint. */
  reducedJointRangeRad: number[];
  /** Bits: 1 start, 2 finish, 4 trigger. */
  feedbackType: number;
}

/** The vendor's values of a new controller, where known. */
export const defaultSettings = (): Settings => ({
  toolOffset: [0, 0, 0, 0, 0, 0],
  toolLoad: [0, 0, 0, 0],
  collisionSensitivity: 3,
  teachSensitivity: 3,
  gravityDirection: [0, 0, -1],
  toolJerkMmPerS3: 7000,
  toolAccelerationMaxMmPerS2: 50_000,
  jointJerkRadPerS3: 200,
  jointAccelerationMaxRadPerS2: 20,
  servoSpeedFactor: 1.2,
  reportCurrent: false,
  selfCollisionCheck: false,
  simulation: false,
  rebound: false,
  fence: false,
  reduced: false,
  reducedToolSpeedMmPerS: 1000,
  reducedJointSpeedRadPerS: Math.PI,
  reducedBoundsMm: [999, -999, 999, -999, 999, -999],
  reducedJointRangeRad: Array.from({ length: 14 }, (_, i) => (i % 2 === 0 ? -2 : 2) * Math.PI),
  feedbackType: 0,
});
