/** Whether a robot on legs stands as a policy wants to find it when it begins. */
import { CerebellumError } from "../../core/errors.js";
import type { HistoryManifest } from "../../policies/history/manifest.js";
import type { ServoSnapshot } from "../servo/api.js";

/** @throws NOT_ENABLED with the joint that is furthest off, or the lean, beside its limit */
export function checkStart(
  { name, start, robot: { joints } }: HistoryManifest,
  robot: string,
  { positionRad, base, state }: ServoSnapshot,
): void {
  const refused = (happened: string) =>
    new CerebellumError(
      "NOT_ENABLED",
      `Policy ${name} cannot begin on ${robot}: ${happened}`,
      "Enable the robot and wait until it stands; `./cerebellum status` shows how",
    );
  // With the lease the servo follows at once, and stands on until the first command.
  if (base === undefined || (state !== "holding" && state !== "following"))
    throw refused(`it is ${state} and does not stand`);
  const offRad = start.positionRad.map((target, joint) => Math.abs(target - positionRad[joint]!));
  const worst = offRad.reduce((most, off, joint) => (off <= offRad[most]! ? most : joint), 0);
  if (!(offRad[worst]! <= start.toleranceRad)) {
    throw refused(
      `${joints[worst]} is at ${positionRad[worst]!.toFixed(3)} rad, expected ${start.positionRad[worst]} ` +
        `within ${start.toleranceRad}`,
    );
  }
  const [x, y, z, w] = base.quatWorldBaseXyzw as unknown as [number, number, number, number];
  const tiltRad = Math.acos(
    Math.min(1, Math.max(-1, 1 - (2 * (x * x + y * y)) / (x * x + y * y + z * z + w * w))),
  );
  if (!(tiltRad <= start.tiltRadMax)) {
    throw refused(`it leans ${tiltRad.toFixed(2)} rad, at most ${start.tiltRadMax}`);
  }
}
