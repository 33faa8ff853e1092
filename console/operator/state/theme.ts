/** Dark, light, or as the system has it; kept in this browser. */
import { Value } from "./value.js";

export const THEMES = ["system", "dark", "light"] as const;
export type Theme = (typeof THEMES)[number];

const STORAGE_KEY = "cerebellum.theme";
export const theme = new Value<Theme>(readTheme());

export function chooseTheme(next: Theme): void {
  try {
    localStorage.setItem(STORAGE_KEY, next);
  } catch {
    // Kept until the page is left.
  }
  theme.set(next);
  applyTheme();
}

/** Another value whenever the colours of the page have changed, also by the system's choice. */
export const colouring = new Value({});

/** Call once when the page loads. */
export function followTheme(): void {
  applyTheme();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => colouring.set({}));
}

function applyTheme(): void {
  if (theme.current === "system") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.dataset.theme = theme.current;
  colouring.set({});
}

/** A colour of the style sheets, for canvases. */
export const colourOf = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function readTheme(): Theme {
  try {
    const kept = localStorage.getItem(STORAGE_KEY);
    return THEMES.find((one) => one === kept) ?? "system";
  } catch {
    return "system";
  }
}
