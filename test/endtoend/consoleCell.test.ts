/** The console before a whole cell of the lab: somebody who has read nothing moves the arm, stops it, and records. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { sleepMs } from "../../core/clock.js";
import { systemClock } from "../../launch/systemClock.js";
import { CHROMIUM_PATH, launchBrowser, withoutWebGl } from "../support/browser.js";
import { freePorts, Running, writeCell } from "../support/cell.js";

const PATIENCE = { timeout: 90_000, interval: 100 };
const pause = (ms: number) => sleepMs(systemClock, ms);

describe.skipIf(CHROMIUM_PATH === undefined)("the console before the lab", () => {
  let folder = "";
  let up: Running | undefined;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    process.env.ROS_DOMAIN_ID = String(20 + (process.pid % 80));
    folder = mkdtempSync(join(tmpdir(), "cerebellum-console-"));
    const [port] = await freePorts(1);
    const cell = await writeCell(folder, (draft) => {
      draft.gateway = { port };
      draft.recorder = { folder: join(folder, "recordings") };
    });
    up = new Running(["up", cell]);
    await up.until(/console: http\S+/, 110);
    browser = await launchBrowser();
    page = await browser.newPage({ viewport: { width: 1366, height: 768 } });
    await withoutWebGl(page);
    await page.goto(/console: (http\S+)/.exec(up.text)![1]!);
    await page.locator("[data-state]").first().waitFor({ timeout: 60_000 });
  }, 240_000);

  afterAll(async () => {
    await browser?.close();
    await up?.interrupt();
    rmSync(folder, { recursive: true, force: true });
  });

  const heightMm = async () =>
    Number((await page.locator(".tool dd").nth(2).textContent())!.replace("−", "-").replace(/[^-\d]/g, ""));

  /** On a busy machine the page or the daemon lets go: then it is pressed again, as a person would. */
  async function raise(byMm: number): Promise<void> {
    const beforeMm = await heightMm();
    await vi.waitFor(async () => {
      for (const key of ["KeyE", "Shift"]) await page.keyboard.up(key);
      await pause(250);
      await page.keyboard.down("Shift");
      await page.keyboard.down("KeyE");
      await pause(900);
      expect((await heightMm()) - beforeMm).toBeGreaterThan(byMm);
    }, PATIENCE);
  }

  it("one button and a held key move the arm; letting go holds it", async () => {
    await page.getByRole("button", { name: "Drive the arm" }).click();
    await page.locator('[data-teleop="ready"]').waitFor({ timeout: 30_000 });
    await vi.waitFor(async () => expect(await heightMm()).not.toBeNaN(), PATIENCE);
    await raise(10);
    for (const key of ["KeyE", "Shift"]) await page.keyboard.up(key);
    await page.locator('[data-state="holding"]').waitFor({ timeout: 30_000 });
    await pause(600);
    const heldMm = await heightMm();
    await pause(800);
    expect(Math.abs((await heightMm()) - heldMm)).toBeLessThanOrEqual(1);
  });

  it("its camera's pictures come, and an episode is recorded and found", async () => {
    await vi.waitFor(
      async () =>
        expect(await page.locator('[data-camera="wrist"]').textContent()).not.toContain("no picture"),
      PATIENCE,
    );
    await page.keyboard.press("r");
    await page.locator('[data-recorder="recording"]').waitFor({ timeout: 30_000 });
    await pause(2500);
    await page.keyboard.press("f");
    await page.locator('[data-recorder="idle"]').waitFor({ timeout: 30_000 });
    await page.locator('.rail a[href="#/episodes"]').click();
    await page.locator('[data-outcome="failure"]').first().waitFor({ timeout: 60_000 });
    await page.locator("[data-episode] img").first().waitFor({ timeout: 60_000 });
    await page.locator('.rail a[href="#/drive"]').click();
  });

  it("Escape stops it while it moves, and it stays stopped until it is reset and enabled", async () => {
    await raise(3);
    await page.keyboard.press("Escape");
    await page.locator('[data-rearm="stopped"]').waitFor({ timeout: 30_000 });
    await vi.waitFor(
      async () =>
        expect(await page.locator("[data-stop-report]").textContent()).toMatch(/Stop confirmed after/),
      PATIENCE,
    );
    for (const key of ["KeyE", "Shift"]) await page.keyboard.up(key);
    await page.getByRole("button", { name: "1 Reset" }).click();
    await page.locator('[data-rearm="connected"]').waitFor({ timeout: 30_000 });
    await page.getByRole("button", { name: "2 Enable" }).click();
    await page.locator('[data-state="holding"]').waitFor({ timeout: 30_000 });
  });
});
