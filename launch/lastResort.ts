/** Defects that nobody caught: logged with their stack, then handed to whoever can still end things in order. */
import type { Logger } from "pino";
import { errorText } from "../core/errors.js";

/** Returns its own undo. `end` is called for the first defect only; later ones are logged. */
export function onDefect(log: Logger, end: (defect: Error) => void): () => void {
  let isEnding = false;
  const take = (kind: string) => (thrown: unknown) => {
    const defect = thrown instanceof Error ? thrown : new Error(errorText(thrown));
    log.fatal({ event: "defect", kind, stack: defect.stack }, errorText(defect));
    if (isEnding) return;
    isEnding = true;
    end(defect);
  };
  const onException = take("uncaught exception");
  const onRejection = take("unhandled rejection");
  process.on("uncaughtException", onException);
  process.on("unhandledRejection", onRejection);
  return () => {
    process.off("uncaughtException", onException);
    process.off("unhandledRejection", onRejection);
  };
}
