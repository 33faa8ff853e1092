/** An error on its way from one thread to another: an Error object would lose its code and remedy. */
import { z } from "zod";
import { CerebellumError, type ErrorCode, errorText } from "../core/errors.js";

export const Failure = z.strictObject({
  code: z.string().transform((code) => code as ErrorCode),
  happened: z.string(),
  remedy: z.string(),
});
export type Failure = z.infer<typeof Failure>;

export function toFailure(thrown: unknown): Failure {
  if (thrown instanceof CerebellumError) {
    const { code, happened, remedy } = thrown;
    return { code, happened, remedy };
  }
  return {
    code: "CHECK_FAILED",
    happened: errorText(thrown),
    remedy: "This is a defect; keep the log and report it",
  };
}

export const toError = ({ code, happened, remedy }: Failure): CerebellumError =>
  new CerebellumError(code, happened, remedy);
