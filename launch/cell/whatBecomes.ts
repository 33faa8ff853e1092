/** What becomes of each kind of robot when its cell ends, in words for people. */
import type { RobotConfig } from "./robotConfig.js";

const AT_THE_END: Readonly<Record<RobotConfig["device"], string>> = {
  xarm7: "the arm is left holding",
  allegro: "the hand goes limp",
  digit: "the Digit sinks in damping",
};

export const whatBecomes = (robots: Readonly<Record<string, Pick<RobotConfig, "device">>>): string =>
  [...new Set(Object.values(robots).map(({ device }) => AT_THE_END[device]))].join(", ");
