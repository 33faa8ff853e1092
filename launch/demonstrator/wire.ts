/** What a scripted operator has in hand: a headset, and what the person sees in it. */
import type { TeleopState } from "../../core/gateway/server.js";

export interface OperatorWire<Frame> {
  /** As the headset shows it. */
  readonly state: TeleopState;
  /** Words for why the arm does not follow; empty when it could. */
  readonly why: string;
  /** Takes the arm and says where ahead is. @throws what the daemon refuses with */
  take(): Promise<void>;
  /** Resolves right after the headset has made a frame, or when `signal` aborts. @throws TIMED_OUT when none comes */
  untilFrame(signal: AbortSignal): Promise<void>;
  /** What the hand does in the headset's next frame. */
  show(frame: Frame): void;
  startRecording(task: string, note: string): Promise<void>;
  stopRecording(outcome: "success" | "failure", note: string): Promise<void>;
  discardRecording(): Promise<void>;
  give(): Promise<void>;
  close(): Promise<void>;
}
