/**
 * What is used of WebXR, in shapes of our own: the browser's objects fit them, and so do those of an emulated headset
 * in Node, where no browser's types are known.
 */

export interface XrPoint {
  readonly x: number;
  readonly y: number;
  readonly z: number;
  readonly w: number;
}

export interface XrPoseLike {
  readonly transform: { readonly position: XrPoint; readonly orientation: XrPoint };
  /** True while the device guesses the position, e.g. of a controller that its cameras do not see. */
  readonly emulatedPosition?: boolean;
}

export interface XrButtonLike {
  readonly value: number;
  readonly pressed: boolean;
}

export interface XrHapticLike {
  pulse?(strength: number, durationMs: number): unknown;
}

export interface XrGamepadLike {
  readonly mapping: string;
  readonly buttons: readonly XrButtonLike[];
  /** Numbers by the standard; an emulator has null for an axis that the device lacks. */
  readonly axes: readonly (number | null)[];
  readonly hapticActuators?: readonly XrHapticLike[] | null;
}

export interface XrInputLike {
  readonly handedness: string;
  readonly gripSpace?: object | null | undefined;
  readonly hand?: { get(joint: string): object | undefined } | null | undefined;
  readonly gamepad?: XrGamepadLike | null | undefined;
}

export interface XrFrameLike {
  getPose(space: object, base: object): XrPoseLike | null | undefined;
  getViewerPose(base: object): XrPoseLike | null | undefined;
  getJointPose?(joint: object, base: object): (XrPoseLike & { readonly radius?: number }) | null | undefined;
  fillPoses?(spaces: object[], base: object, transforms: Float32Array): boolean;
  fillJointRadii?(spaces: object[], radii: Float32Array): boolean;
}

export type XrVisibility = "visible" | "visible-blurred" | "hidden";
