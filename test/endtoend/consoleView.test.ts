/** The view in three dimensions on a computer without a graphics processor: it never costs the arm its hold. */
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { sleepMs } from "../../core/clock.js";
import { systemClock } from "../../launch/systemClock.js";
import { CHROMIUM_PATH } from "../support/browser.js";
import { type FakeGateway, startFakeGateway } from "../support/fakeGateway.js";

const PATIENCE = { timeout: 60_000, interval: 100 };
const pause = (ms: number) => sleepMs(systemClock, ms);

let browser: Browser;
let gateway: FakeGateway;
let context: BrowserContext;
let page: Page;

/** Runs in the page before anything else: counts what is drawn and built by WebGL. */
function countPictures(): void {
  const scope = globalThis as unknown as {
    pictures: number;
    programs: number;
    WebGL2RenderingContext: {
      prototype: Record<"drawElements" | "drawArrays" | "linkProgram", (...all: unknown[]) => void>;
    };
  };
  scope.pictures = 0;
  scope.programs = 0;
  const { prototype } = scope.WebGL2RenderingContext;
  for (const name of ["drawElements", "drawArrays", "linkProgram"] as const) {
    const real = prototype[name];
    prototype[name] = function (...all) {
      if (name === "linkProgram") scope.programs++;
      else scope.pictures++;
      real.apply(this, all);
    };
  }
}
const pictures = () => page.evaluate(() => (globalThis as unknown as { pictures: number }).pictures);
const programs = () => page.evaluate(() => (globalThis as unknown as { programs: number }).programs);
const drawsOn = () =>
  vi.waitFor(async () => {
    const before = await pictures();
    await pause(1000);
    expect(await pictures()).toBeGreaterThan(before);
  }, PATIENCE);

/** A busy machine may make the page let go by itself: then it is pressed again, as a person would. */
async function hold(): Promise<void> {
  await vi.waitFor(async () => {
    for (const key of ["KeyE", "Shift"]) await page.keyboard.up(key);
    await page.keyboard.down("Shift");
    await page.keyboard.down("KeyE");
    await pause(300);
    expect(gateway.poses.at(-1)?.hands[0]?.clutch).toBe(1);
  }, PATIENCE);
}

describe.skipIf(CHROMIUM_PATH === undefined)("the view in three dimensions, drawn by software", () => {
  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: CHROMIUM_PATH!,
      args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--enable-unsafe-swiftshader"],
    });
  });
  afterAll(() => browser?.close());
  afterEach(async () => {
    await context.close();
    await gateway.close();
    expect(gateway.malformed).toEqual([]);
  });

  async function open(): Promise<void> {
    gateway = await startFakeGateway({ cameras: false });
    // Somebody else's arm moves all the time, so that there is always something to draw.
    gateway.shape = (telemetry) => {
      telemetry.robots.arm!.positionRad[0] = Math.sin(gateway.nowMs / 300);
      return telemetry;
    };
    context = await browser.newContext({ viewport: { width: 1366, height: 768 } });
    page = await context.newPage();
    await page.addInitScript(countPictures);
    await page.goto(gateway.consoleUrl);
    await page.getByRole("button", { name: "Drive the arm" }).click();
    await page.locator('[data-teleop="ready"]').waitFor();
  }

  async function expectStillWhileHeld(): Promise<void> {
    const before = await pictures();
    await pause(1500);
    const isHeld = gateway.poses.at(-1)?.hands[0]?.clutch === 1;
    expect({ isHeld, drawn: (await pictures()) - before }).toEqual({ isHeld: true, drawn: 0 });
  }

  it("stands still while the arm is driven, says so, and goes on afterwards", async () => {
    await open();
    await drawsOn();
    await vi.waitFor(async () => {
      await hold();
      await expectStillWhileHeld();
    }, PATIENCE);
    await page.getByText(/slow graphics: stands still while you drive/).waitFor();
    for (const key of ["KeyE", "Shift"]) await page.keyboard.up(key);
    await drawsOn();
    expect(await page.getByText(/slow graphics/).count()).toBe(0);
  });

  it("is not built anew by a connection that comes back", async () => {
    await open();
    await drawsOn();
    const built = await programs();
    gateway.dropConnections();
    await page.locator("[data-connection]").waitFor();
    await page.locator("[data-connection]").waitFor({ state: "detached", timeout: 20_000 });
    await drawsOn();
    expect(await programs()).toBe(built);
  });
});
