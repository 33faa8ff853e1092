/** How the poses of whoever operates lie to the robot: by their frame, a calibration, or what the operator has shown. */
import type { TrackerFrames } from "../../calibration/trackerFrame.js";
import type { Refusal, TeleopStatus } from "../../core/gateway/server.js";
import type { PoseMessage, TrackedPose } from "../../core/teleop/pose.js";
import { type Alignment, alignmentOf, alignPose, type Recentring, recentre } from "./alignment.js";
import type { HandAlignment } from "./session.js";

const KNOWN_BY: Readonly<Record<Alignment["by"], TeleopStatus["alignment"]>> = {
  calibration: "calibrated",
  recentre: "recentred",
  definition: "base",
};

export class SourceAlignment implements HandAlignment {
  readonly #frames: TrackerFrames;
  /** A source that has started again may have another heading. */
  #shown: { readonly device: string; readonly session: string; readonly recentring: Recentring } | undefined;

  constructor(frames: TrackerFrames) {
    this.#frames = frames;
  }

  howKnown(message: PoseMessage): TeleopStatus["alignment"] {
    const alignment = this.#of(message);
    return alignment === undefined ? "none" : KNOWN_BY[alignment.by];
  }

  align(message: PoseMessage, pose: TrackedPose): TrackedPose | undefined {
    const alignment = this.#of(message);
    return alignment === undefined ? undefined : alignPose(alignment, pose);
  }

  /** By the head, or else by what the leading hand points with. */
  recentre(message: PoseMessage, hand: TrackedPose | null): Refusal | undefined {
    const facing =
      message.head !== null ? { head: message.head } : hand !== null ? { pointer: hand } : undefined;
    if (facing === undefined)
      return {
        code: "TELEOP_REFUSED",
        happened: "Neither head nor leading hand is tracked",
        remedy: "Put the headset on, or wake the controller, then recentre",
      };
    const found = recentre(message.space, facing, this.#frames.frameOf(message.device)?.frame);
    if (!found.ok) return { code: found.code, happened: found.happened, remedy: found.remedy };
    this.#shown = { device: message.device, session: message.session, recentring: found.value };
    return undefined;
  }

  #of({ device, session, space }: PoseMessage): Alignment | undefined {
    const shown = this.#shown;
    const isShown = shown !== undefined && shown.device === device && shown.session === session;
    const found = alignmentOf(
      space,
      this.#frames.frameOf(device)?.frame,
      isShown ? shown.recentring : undefined,
    );
    return found.ok ? found.value : undefined;
  }
}
