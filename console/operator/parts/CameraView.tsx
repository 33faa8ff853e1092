/** A camera's newest picture with its age; old pictures are grey and say so. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { CameraDescription } from "../../../core/gateway/server.js";
import { milliseconds } from "../../shared/format.js";
import { CameraPainter } from "../state/cameraPainter.js";
import { useApp, useWant } from "../state/context.js";

const RATE_HZ = 10;
/** A person sees a picture stand still after about so long; the camera's own limit is for policies. */
const OLD_MS_MIN = 500;
const CHECK_MS = 150;

interface CameraViewProps {
  readonly camera: CameraDescription;
  readonly isSmall?: boolean;
  readonly onClick?: () => void;
}

export function CameraView({ camera, isSmall = false, onClick }: CameraViewProps) {
  const app = useApp();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [ageMs, setAgeMs] = useState<number | undefined>(undefined);
  const { camera: name, index, widthPx, heightPx } = camera;
  useWant({ cameras: [{ camera: name, rateHz: isSmall ? RATE_HZ / 2 : RATE_HZ }] }, `${name} ${isSmall}`);

  useEffect(() => {
    const context = canvas.current?.getContext("2d", { alpha: false });
    const painter = new CameraPainter<ImageBitmap>({
      nowMs: () => app.clock.nowMs(),
      decode: (jpeg) =>
        createImageBitmap(new Blob([jpeg as Uint8Array<ArrayBuffer>], { type: "image/jpeg" })),
      draw: (picture) => {
        const target = canvas.current;
        if (target === null || context == null) return;
        if (target.width !== picture.width) target.width = picture.width;
        if (target.height !== picture.height) target.height = picture.height;
        context.drawImage(picture, 0, 0);
      },
    });
    const undo = [
      app.link.onFrame((frame) => {
        if (frame.cameraIndex === index) painter.take(frame);
      }),
      app.linkState.follow(() => painter.restart()),
      app.clock.every(CHECK_MS, () => setAgeMs(app.isVisible.current ? painter.ageMs() : undefined)),
      () => painter.close(),
    ];
    return () => {
      for (const one of undo) one();
    };
  }, [app, index]);

  const isOld =
    ageMs !== undefined && ageMs > Math.max(OLD_MS_MIN, 2 * camera.ageMsMax) + (isSmall ? 200 : 0);
  const word = ageMs === undefined ? "no picture yet" : isOld ? "old picture" : "";
  return (
    <figure class={word === "" ? "camera" : "camera old"} data-camera={name}>
      <canvas ref={canvas} width={widthPx} height={heightPx} role="img" aria-label={`Camera ${name}`} />
      {onClick !== undefined && (
        <button type="button" class="cover" aria-label={`Show ${name} large`} onClick={onClick} />
      )}
      {word !== "" && <strong class="word">{word}</strong>}
      <figcaption>
        <span>{name}</span>
        <span>{milliseconds(ageMs)}</span>
      </figcaption>
    </figure>
  );
}
