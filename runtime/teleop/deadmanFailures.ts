/**
 * Everything that ends an engagement or refuses one, with words and remedy. The effect is the same for all of them: the
 * arm brakes to a hold, and the clutch must be released and pressed again. The table in
 * docs/decisions/0022-deadman-in-the-daemon.md has the same rows.
 */
import type { Refusal } from "../../core/gateway/server.js";

const AGAIN = "release the clutch and press it again";

export const DEADMAN_FAILURES = {
  POSE_OLD: {
    happened: "No pose came for too long",
    remedy: `Check the link between headset or tracker and this computer; ${AGAIN}`,
  },
  POSE_LATE: {
    happened: "Poses arrive late",
    remedy: `Come nearer to the access point, or use a cable; ${AGAIN}`,
  },
  POSE_FROZEN: {
    happened: "The pose stays the same to the last bit",
    remedy: `The tracker or its program hangs: wake or restart it; ${AGAIN}`,
  },
  POSE_JUMP: {
    happened: "The pose has jumped",
    remedy: `Keep the hand where it is tracked well, away from mirrors and bright light; ${AGAIN}`,
  },
  NOT_TRACKED: {
    happened: "The source does not vouch for the pose",
    remedy: `Bring the hand back into view of the cameras or base stations; ${AGAIN}`,
  },
  HAND_GONE: {
    happened: "The leading hand is not in the messages",
    remedy: `Wake the controller, or choose the other hand; ${AGAIN}`,
  },
  NOT_VISIBLE: {
    happened: "The person does not see the scene",
    remedy: `Close the menu, or come back to the page; ${AGAIN}`,
  },
  SESSION_CHANGED: {
    happened: "The source has started again",
    remedy: `A page was reloaded or a bridge restarted; ${AGAIN}`,
  },
  SOURCE_CHANGED: {
    happened: "The poses have another origin than before",
    remedy: `Stay with one device, frame and kind of hand; ${AGAIN}`,
  },
  DEVICE_CLOCK: {
    happened: "The source's clock has jumped",
    remedy: `Restart the page or the bridge if it repeats; ${AGAIN}`,
  },
  CLUTCH_HELD: {
    happened: "The clutch was held before it could count",
    remedy: AGAIN.replace("release", "Release"),
  },
  MALFORMED: {
    happened: "A message is no pose",
    remedy: `Bring page or bridge to the version of this daemon; ${AGAIN}`,
  },
  CLUTCH_HAND_GONE: {
    happened: "The hand that holds the clutch is not seen",
    remedy: `Keep both hands in view: one leads the fingers, the other pinches; ${AGAIN}`,
  },
  FINGERS_MISSING: {
    happened: "The leading hand's fingers are not tracked",
    remedy: `Put the controller down and show the whole hand to the headset's cameras; ${AGAIN}`,
  },
  FINGERS_NOT_FINITE: {
    happened: "A joint of the leading hand is nowhere",
    remedy: `Bring hand tracking or bridge to the version of this daemon; ${AGAIN}`,
  },
  FINGERS_COLLAPSED: {
    happened: "The tracked joints make no hand",
    remedy: `Show the whole hand in good light, out of gloves and sleeves; ${AGAIN}`,
  },
  FINGERS_IMPOSSIBLE: {
    happened: "The tracked fingers are as no hand can have them",
    remedy: `Part the fingers and turn the palm to the cameras; ${AGAIN}`,
  },
  FINGERS_FROZEN: {
    happened: "The tracked fingers stay the same while the hand goes on",
    remedy: `Bring the fingers into view of the cameras, away from the other hand; ${AGAIN}`,
  },
  FINGERS_JUMP: {
    happened: "The tracked fingers have jumped",
    remedy: `Keep the hand where it is tracked well, fingers towards the cameras; ${AGAIN}`,
  },
  FINGERS_OTHER_HAND: {
    happened: "The leading hand is not the one that the robot has",
    remedy: `Lead a right hand by a right one, a left hand by a left one; ${AGAIN}`,
  },
  LEASE_REFUSED: {
    happened: "The servo gives no lease",
    remedy: `Wait until whoever commands the robot has ended; ${AGAIN}`,
  },
  LEASE_LOST: {
    happened: "The servo has taken the lease away",
    remedy: `\`./cerebellum why\` tells the cause; after a stop reset and enable; ${AGAIN}`,
  },
  ROBOT_NOT_READY: {
    happened: "The robot is not enabled",
    remedy: `Enable it, after a stop or a fault reset it before; ${AGAIN}`,
  },
  ROBOT_MOVES: {
    happened: "The arm did not come to rest",
    remedy: `Wait until it stands; ${AGAIN}`,
  },
  SERVO_GONE: {
    happened: "The servo process does not answer",
    remedy: `Wait until it is back, or read its log; then enable, ${AGAIN}`,
  },
  SERVO_SILENT: {
    happened: "The servo process says nothing",
    remedy: `The machine is overloaded or the process hangs: \`./cerebellum status\` shows it; ${AGAIN}`,
  },
  NOT_ALIGNED: {
    happened: "It is not known how the source's frame lies to the robot",
    remedy: `Face along the robot's x axis and press recentre (B), or calibrate the tracker; ${AGAIN}`,
  },
  MAPPING_FAILED: {
    happened: "The hand's pose leads to no joint target",
    remedy: `Report it with the episode, if one was recorded; ${AGAIN}`,
  },
} as const;
export type DeadmanCode = keyof typeof DEADMAN_FAILURES;
export const DEADMAN_CODES = Object.keys(DEADMAN_FAILURES) as DeadmanCode[];

/** @param detail what was found and what was expected, without a final full stop; may be empty */
export function describeFailure(code: DeadmanCode, detail: string): Refusal {
  const { happened, remedy } = DEADMAN_FAILURES[code];
  return { code, happened: detail === "" ? happened : `${happened}: ${detail}`, remedy };
}
