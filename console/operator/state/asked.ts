/** Data that a page asks for when it opens, and again when it has changed something. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { z } from "zod";
import type { GatewayRequest } from "../../../core/gateway/requests.js";
import { useApp } from "./context.js";
import { useValue } from "./value.js";

export interface Asked<T> {
  /** Undefined until the first answer, or after a refusal. */
  readonly data: T | undefined;
  readonly isAsking: boolean;
  readonly again: () => void;
}

/** Asks anew whenever the connection is open again. */
export function useAsked<T>(request: GatewayRequest, schema: z.ZodType<T>): Asked<T> {
  const app = useApp();
  const linkState = useValue(app.linkState);
  const [data, setData] = useState<T | undefined>(undefined);
  const [isAsking, setAsking] = useState(false);
  const key = JSON.stringify(request);
  const asked = useRef(0);
  const again = useCallback(async () => {
    const mine = ++asked.current;
    setAsking(true);
    const answer = await app.ask(JSON.parse(key));
    // A later question may have been answered first.
    if (mine !== asked.current) return;
    setAsking(false);
    if (answer === undefined) return;
    const parsed = schema.safeParse(answer.data);
    if (parsed.success) setData(parsed.data);
    else app.toast("error", "The daemon's answer is not understood", "Reload the page after an update");
  }, [app, key]);
  useEffect(() => {
    if (linkState === "open") void again();
  }, [again, linkState]);
  return { data, isAsking, again: () => void again() };
}
