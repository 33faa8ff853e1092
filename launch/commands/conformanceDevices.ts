/** Which devices have vectors, and what replays them. */
import type { VectorCheck } from "../../core/vectorCheck.js";
import { allegroVectors } from "./conformanceAllegro.js";
import { digitVectors } from "./conformanceDigit.js";
import { xarm7Vectors } from "./conformanceXarm7.js";

export interface DeviceVectors {
  /** What a vector of this device must have, for whoever gave a file of another kind. */
  readonly needs: string;
  /** What alone was checked of the vectors that `partlyChecked` names. */
  readonly partly: string;
  /** @throws ZodError, or rejects with it, where the content is no vector file of this device */
  replay(content: unknown): Replay | Promise<Replay>;
}

export interface Replay {
  readonly checks: readonly VectorCheck[];
  /** Tags of vectors that do not say all, or say what our tables do not know. */
  readonly partlyChecked: readonly string[];
}

export const VECTOR_DEVICES: Readonly<Record<string, DeviceVectors>> = {
  xarm7: xarm7Vectors,
  allegro: allegroVectors,
  digit: digitVectors,
};
