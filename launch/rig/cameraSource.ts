/** Cameras that a measurement publishes itself, from a process of its own: 640x480 at 30 Hz, however slow the lab draws. */
import { entryUrl } from "../../core/entry.js";
import type { CellConfig } from "../cell/schema.js";
import { JsonChild } from "./jsonChild.js";

type Cameras = CellConfig["cameras"];

/** @param first the camera whose mount and lens the others take over */
export const syntheticCameras = (names: readonly string[], first: Cameras[string]): Cameras =>
  Object.fromEntries(
    names.map((name) => [
      name,
      { ...first, topic: `/bench/${name}`, widthPx: 640, heightPx: 480, rateHz: 30 },
    ]),
  );

/** Publishes them until its input is closed. */
export function startCameraSource(cameras: Cameras): JsonChild {
  const source = new JsonChild("cameras", entryUrl("../processes/cameraSourceMain.js", import.meta.url));
  source.tell({
    nodeName: "cerebellum_bench_cameras",
    cameras: Object.values(cameras).map(({ topic, widthPx, heightPx, rateHz }) => ({
      topic,
      widthPx,
      heightPx,
      rateHz,
    })),
  });
  return source;
}
