/** Messages about one arm that drivers, servo, policies and ROS nodes share. Shapes: one number per joint, base to tool. */

/** Declared limits of an arm in use: the device's own, narrowed by the cell. */
export interface ArmLimits {
  readonly jointNames: readonly string[];
  readonly positionMinRad: readonly number[];
  readonly positionMaxRad: readonly number[];
  readonly velocityMaxRadPerS: readonly number[];
  readonly accelerationMaxRadPerS2: readonly number[];
  readonly jerkMaxRadPerS3: readonly number[];
  /** Linear speed of the tool point [m/s]. */
  readonly toolSpeedMaxMPerS: number;
}

/** What identifies a device in recordings and in calibration. */
export interface DeviceIdentity {
  readonly model: string;
  readonly serial: string;
  readonly firmware: string;
}

export interface GripperState {
  /** Opening between the finger pads [m]; 0 is closed. */
  readonly openingM: number;
  readonly moving: boolean;
  readonly errorCode: number;
}
