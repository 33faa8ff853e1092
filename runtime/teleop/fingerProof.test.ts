/** Random lives of a session in which fingers lead fingers, over a real servo of a hand; more by `TELEOP_LIVES`. */
import { describe, expect, it } from "vitest";
import type { HandPose, PoseMessage } from "../../core/teleop/pose.js";
import { blend, generator, handPose, webxrJoints } from "../../test/support/allegro/handPoses.js";
import { handServoBench } from "../../test/support/teleop/handServo.js";
import { liveOnce } from "../../test/support/teleop/proofLife.js";
import { TeleopConfig } from "./config.js";
import { FingerJudge } from "./fingerJudge.js";
import { createFingerMapping } from "./fingerMapping.js";

const { fingers, deadman } = TeleopConfig.parse({});
const { retargeting, ...follow } = fingers;
const LIVES = Number(process.env.TELEOP_LIVES ?? 20);
const SEED = Number(process.env.TELEOP_SEED ?? 20261128);
const POSES = ["open", "fist", "point", "spread", "pinch_index", "pinch_index_touch"] as const;
/** Poses of the source from one attitude of the hand to the next, at 90 a second. */
const WAY = 40;

/** Two bare hands instead of a controller: fingers that wander, and now and then what no tracker should say. */
function dressing(seed: number): (message: PoseMessage) => PoseMessage {
  const random = generator(seed);
  const pick = () => handPose(POSES[Math.floor(random() * POSES.length)]!);
  let [from, to, at] = [pick(), pick(), 0];
  return (message) => {
    const [controller] = message.hands;
    if (controller === undefined || controller.hand !== "right") return message;
    if (++at > WAY) [from, to, at] = [to, pick(), 0];
    const shaken = blend(from, to, at / WAY).map((value, i) => (i < 3 ? value : value + 1e-4 * random()));
    const luck = random();
    if (luck < 0.001) [from, to, at] = [pick(), pick(), 0];
    const joints = luck > 0.999 ? null : luck > 0.998 ? shaken.map((value) => 0.3 * value) : shaken;
    const leading: HandPose = {
      ...controller,
      mode: "hand",
      clutch: random(),
      joints: joints instanceof Float64Array ? webxrJoints(joints) : null,
    };
    const other: HandPose = { ...controller, hand: "left", mode: "hand" };
    return { ...message, hands: luck > 0.997 && luck < 0.998 ? [leading] : [other, leading] };
  };
}

describe("whatever happens between two hands and a robot's", () => {
  it(`motion keeps the limits, begins where the hand stands, and ends with the pinch (${LIVES} lives)`, {
    timeout: 600_000,
  }, async () => {
    let engagements = 0;
    let movedRad = 0;
    const codes = new Set<string>();
    for (let life = 0; life < LIVES; life++) {
      const figures = await liveOnce({
        seed: SEED + life,
        seconds: 4,
        bench: handServoBench(),
        rules: { clutchOf: "other", judge: new FingerJudge("right", deadman) },
        dress: dressing(SEED + life),
        createMapping: (limits) =>
          createFingerMapping(limits, { model: "v4", side: "right", retargeting, follow }),
      });
      engagements += figures.engagements;
      movedRad += figures.movedRad;
      for (const code of Object.keys(figures.latches)) codes.add(code);
    }
    // It was worth looking.
    expect(engagements).toBeGreaterThan(LIVES);
    expect(movedRad).toBeGreaterThan(LIVES);
    expect([...codes].filter((code) => code.startsWith("FINGERS_")).length).toBeGreaterThan(1);
    expect(codes.size).toBeGreaterThan(8);
  });
});
