/** `--camera NAME`: looking through another camera of the cell than its own choice. */
import { CerebellumError } from "../../core/errors.js";
import type { CameraConfig } from "../../runtime/policy/config.js";
import type { CellConfig } from "../cell/schema.js";

/** A cell without a policy stays as it is. @throws CerebellumError CONFIG_INVALID for a camera that there is not */
export function seenThrough(camera: string | undefined, cell: CellConfig): CellConfig {
  const { policy } = cell;
  if (camera === undefined || policy === undefined) return cell;
  cameraOf(cell, camera);
  return { ...cell, policy: { ...policy, camera } };
}

/** @param name the cell's first when absent. @throws CerebellumError CONFIG_INVALID for a camera that there is not */
export function cameraOf(cell: CellConfig, name?: string): readonly [name: string, camera: CameraConfig] {
  const { cameras } = cell;
  const wanted = name ?? Object.keys(cameras)[0];
  if (wanted !== undefined && Object.hasOwn(cameras, wanted)) return [wanted, cameras[wanted]!];
  if (wanted === undefined)
    throw new CerebellumError(
      "CONFIG_INVALID",
      `Cell ${cell.name} has no camera`,
      "Add one to the cell file, or name another cell with --cell",
    );
  throw new CerebellumError(
    "CONFIG_INVALID",
    `Cell ${cell.name} has no camera "${wanted}"; it has: ${Object.keys(cameras).join(", ") || "none"}`,
    "Name one of these with --camera, or another cell with --cell",
  );
}
