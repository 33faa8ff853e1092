/** Frames of a robot in which a camera can be fixed, as cell files, episodes, bundles and the lab name them. */

/** An arm's flange or base (a camera that looks on, eye-to-hand), a hand's palm. */
export const CAMERA_PARENTS = ["flange", "palm", "base"] as const;
export type CameraParent = (typeof CAMERA_PARENTS)[number];
