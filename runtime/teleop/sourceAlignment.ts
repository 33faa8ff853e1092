/** How the poses of whoever operates lie to the robot: by their frame, a calibration, or what the operator has shown. */
import { type TrackerFrames, UNMEASURED } from "../../calibration/trackerFrame.js";
import type { Refusal, TeleopStatus } from "../../core/gateway/server.js";
import type { PoseMessage, TrackedPose } from "../../core/teleop/pose.js";
import { type Alignment, alignmentOf, alignPose, type Recentring, recentre } from "./alignment.js";
import type { HandAlignment, HandTurn } from "./session.js";

const KNOWN_BY: Readonly<Record<Alignment["by"], TeleopStatus["alignment"]>> = {
  calibration: "calibrated",
  recentre: "recentred",
  definition: "base",
};

interface Shown {
  readonly device: string;
  /** A source that has started again may have another heading. */
  readonly session: string;
  /** Of the calibration that it corrects: it says nothing about another one. */
  readonly sha256: string | undefined;
  readonly recentring: Recentring;
}

/** Of one robot: what is known of another's axes says nothing about this one's. */
export class SourceAlignment implements HandAlignment {
  readonly #frames: TrackerFrames;
  readonly #robot: string;
  #shown: Shown | undefined;

  constructor(frames: TrackerFrames, robot: string) {
    this.#frames = frames;
    this.#robot = robot;
  }

  howKnown(message: PoseMessage): TeleopStatus["alignment"] {
    const alignment = this.#of(message);
    return alignment === undefined ? "none" : KNOWN_BY[alignment.by];
  }

  turnOf(message: PoseMessage): HandTurn | undefined {
    const alignment = this.#of(message);
    return alignment === undefined ? undefined : (pose) => alignPose(alignment, pose);
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
    const { device, session, space } = message;
    const known = this.#frameOf(device);
    const found = recentre(space, facing, known?.frame);
    if (!found.ok) return { code: found.code, happened: found.happened, remedy: found.remedy };
    this.#shown = { device, session, sha256: known?.sha256, recentring: found.value };
    return undefined;
  }

  #of({ device, session, space }: PoseMessage): Alignment | undefined {
    const shown = this.#shown;
    const known = this.#frameOf(device);
    const isShown = shown?.device === device && shown.session === session && shown.sha256 === known?.sha256;
    const found = alignmentOf(space, known?.frame, isShown ? shown.recentring : undefined);
    return found.ok ? found.value : undefined;
  }

  #frameOf(device: string): ReturnType<TrackerFrames["frameOf"]> {
    const found = this.#frames.frameOf(device);
    if (found === undefined || UNMEASURED[found.frame.space] !== undefined) return undefined;
    return found.frame.robot === this.#robot ? found : undefined;
  }
}
