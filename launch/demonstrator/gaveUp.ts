/** What is said of a scripted operator that cannot go on. */
import { CerebellumError } from "../../core/errors.js";

/** @param why the headset's words for why the robot does not follow; empty when it could */
export const gaveUp = (failure: string, why: string) =>
  new CerebellumError(
    "CHECK_FAILED",
    `The operator gave up: ${failure}${why === "" ? "" : `: ${why}`}`,
    "See `./cerebellum why` and `./cerebellum status`",
  );
