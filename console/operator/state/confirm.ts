/** One question at a time, which must be answered by a click or a key on purpose. */
import { Value } from "./value.js";

export interface Question {
  readonly text: string;
  readonly detail: string;
  readonly yes: string;
  readonly onYes: () => void;
}

export const question = new Value<Question | undefined>(undefined);
export const askFirst = (next: Question): void => question.set(next);
