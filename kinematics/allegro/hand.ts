/** Which Allegro Hand, and the order of its joints. Both hands have wire order: index, middle, ring, thumb. */

export const HAND_MODELS = ["v4", "v5a", "v5b"] as const;
/** `v5b` is the geared V5 Plus. */
export type HandModel = (typeof HAND_MODELS)[number];

export const HAND_SIDES = ["right", "left"] as const;
export type HandSide = (typeof HAND_SIDES)[number];

export const FINGERS = ["index", "middle", "ring", "thumb"] as const;
export type Finger = (typeof FINGERS)[number];

export const JOINTS_PER_FINGER = 4;
export const HAND_JOINT_COUNT = FINGERS.length * JOINTS_PER_FINGER;

/** joint0 to joint15, as the vendor's URDF and its ROS driver name them. */
export const ALLEGRO_JOINT_NAMES: readonly string[] = Array.from(
  { length: HAND_JOINT_COUNT },
  (_, joint) => `joint${joint}`,
);
