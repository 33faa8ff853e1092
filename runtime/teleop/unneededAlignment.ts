/** For fingers alone: they are led by what they are among themselves, wherever hand and robot are. */
import type { HandAlignment } from "./session.js";

export const UNNEEDED_ALIGNMENT: HandAlignment = {
  howKnown: () => "unneeded",
  turnOf: () => (pose) => pose,
  recentre: () => ({
    code: "TELEOP_REFUSED",
    happened: "Fingers are led the same from everywhere: there is nothing to recentre",
    remedy: "Show the leading hand, and pinch with the other to lead",
  }),
};
