/** Stop categories of IEC 60204-1, as the servo carries them out; what they mean on a device, its driver says. */
import type { StopCategory } from "../../drivers/contract.js";

interface StopCategoryRow {
  /** The servo leads the arm to rest within its limits before the device is left; otherwise the device is stopped at once. */
  readonly decelerates: boolean;
  readonly motorsStayPowered: boolean;
  readonly meaning: string;
}

export const STOP_CATEGORIES: Readonly<Record<StopCategory, StopCategoryRow>> = {
  0: {
    decelerates: false,
    motorsStayPowered: false,
    meaning: "power is removed at once; the brakes close",
  },
  1: {
    decelerates: true,
    motorsStayPowered: false,
    meaning: "decelerate within the limits, then remove power",
  },
  2: {
    decelerates: true,
    motorsStayPowered: true,
    meaning: "decelerate within the limits, then hold under power",
  },
};

/** The graver of two wishes counts. */
export const graver = (one: StopCategory, other: StopCategory): StopCategory => (one < other ? one : other);
