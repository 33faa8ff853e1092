/** Real Chromium for tests of the pages: Debian's, headless, with a profile of its own. */
import { existsSync } from "node:fs";
import { type Browser, chromium, type Page } from "playwright-core";

const CANDIDATES = [
  process.env.CHROMIUM_PATH,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
];

/** Undefined where none is installed: tests of pages are skipped there, and say so. */
export const CHROMIUM_PATH = CANDIDATES.find((path) => path !== undefined && existsSync(path));

/** Without a GPU the view in three dimensions would take the processor from the cell. */
export async function withoutWebGl(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const { prototype } = (globalThis as unknown as { HTMLCanvasElement: { prototype: { getContext: Get } } })
      .HTMLCanvasElement;
    type Get = (kind: string, ...more: unknown[]) => unknown;
    const real = prototype.getContext;
    prototype.getContext = function (kind, ...more) {
      return kind.startsWith("webgl") ? null : real.call(this, kind, ...more);
    };
  });
}

export function launchBrowser(): Promise<Browser> {
  if (CHROMIUM_PATH === undefined)
    throw new Error("Chromium is not installed: `apt-get install chromium`, or set CHROMIUM_PATH");
  return chromium.launch({
    executablePath: CHROMIUM_PATH,
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--enable-unsafe-swiftshader"],
  });
}
