/** `--camera NAME`: a policy that is tried looking through another camera of the cell than the cell's own choice. */
import { CerebellumError } from "../../core/errors.js";
import type { CellConfig } from "../cell/schema.js";

/** A cell without a policy stays as it is. @throws CerebellumError CONFIG_INVALID for a camera that there is not */
export function seenThrough(camera: string | undefined, cell: CellConfig): CellConfig {
  const { name, policy, cameras } = cell;
  if (camera === undefined || policy === undefined) return cell;
  if (Object.hasOwn(cameras, camera)) return { ...cell, policy: { ...policy, camera } };
  throw new CerebellumError(
    "CONFIG_INVALID",
    `Cell ${name} has no camera "${camera}"; it has: ${Object.keys(cameras).join(", ") || "none"}`,
    "Name one of these with --camera, or another cell with --cell",
  );
}
