/** The parts of a gateway, in the order in which they hear of clients and poses. */
import type { PartFactory } from "./part.js";

export const PART_FACTORIES: readonly PartFactory[] = [];
