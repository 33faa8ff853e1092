/** A camera of the cell file as the lab simulates it. */
import type { LabCamera } from "../../lab/world/mount.js";
import type { CameraConfig } from "../../runtime/policy/config.js";

export const labCameraOf = (
  name: string,
  { topic, widthPx, heightPx, rateHz, fovYDeg, mount }: CameraConfig,
): LabCamera => ({
  name,
  topic,
  widthPx,
  heightPx,
  rateHz,
  fovYDeg,
  parentFrame: mount.parentFrame,
  positionM: mount.positionM,
  quatXyzw: mount.quatXyzw,
});
