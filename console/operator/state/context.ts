/** Hands the app to every component. */
import { createContext } from "preact";
import { useContext, useEffect } from "preact/hooks";
import type { OperatorApp } from "./operatorApp.js";
import type { Want } from "./subscription.js";

export const AppContext = createContext<OperatorApp | undefined>(undefined);

export function useApp(): OperatorApp {
  const app = useContext(AppContext);
  if (app === undefined) throw new Error("No app is given to this part of the page");
  return app;
}

/** Wants it as long as the component is on the page. `key` says when it is another want. */
export function useWant(want: Want, key: string): void {
  const app = useApp();
  useEffect(() => app.wants.add(want), [app, key]);
}
