/** Takes the headset's pictures of the manual anew, when asked to: CEREBELLUM_PICTURES=1. */
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import sharp from "sharp";
import { afterAll, beforeAll, describe, it } from "vitest";
import type { TeleopStatus } from "../../core/gateway/server.js";
import { CHROMIUM_PATH, launchBrowser } from "../support/browser.js";
import { FakeGateway } from "../support/fakeGateway.js";
import { freshPage, hasPages, onHeadset } from "../support/headsetPage.js";

const PICTURES = fileURLToPath(new URL("../../docs/pictures/", import.meta.url));
const isWanted = process.env.CEREBELLUM_PICTURES === "1" && CHROMIUM_PATH !== undefined && hasPages;
/** Vertical angle of view [rad]: about what a headset shows sharply. */
const SHARP_VIEW_RAD = 0.85;

const HELD = {
  state: "latched",
  limitedBy: [] as string[],
  leashM: null,
  why: {
    code: "NOT_TRACKED",
    happened: "The source does not vouch for the pose",
    remedy: "Bring the hand back into view of the cameras; release the clutch and press it again",
  },
} satisfies Partial<TeleopStatus>;

describe.skipIf(!isWanted)("pictures of the headset's page", () => {
  let browser: Browser;
  let gateway: FakeGateway;
  let page: Page;

  beforeAll(async () => {
    browser = await launchBrowser();
    gateway = await new FakeGateway({ cameras: false }).start();
    page = await freshPage(browser, 1280, 800);
  });
  afterAll(async () => {
    await browser?.close();
    await gateway?.close();
  });

  it("the page before the headset's view, and the view while moving and while held", async () => {
    await page.goto(`${gateway.url}/xr/?emulate=1${new URL(gateway.consoleUrl).hash}`);
    await page.locator("#enter-vr:enabled").waitFor();
    await take("headset-entry.png", 900, 800);

    await onHeadset(page, (device, fovy) => Object.assign(device.xrDevice, { fovy }), SHARP_VIEW_RAD);
    await page.locator("#enter-vr").click();
    await onHeadset(
      page,
      (device) => {
        device.setHead({ positionM: [0, 1.6, 0.35], quatXyzw: [-0.04, 0, 0, 0.9992] });
        device.setController("right", { positionM: [0.03, 1.24, -0.55], quatXyzw: [0, 0, 0, 1] });
      },
      null,
    );
    const scene = await middleScene(`${PICTURES}reach-block.jpg`);
    let sequence = 0;
    const showing = setInterval(() => gateway.picture(0, sequence++, scene), 150);
    try {
      await page.waitForTimeout(1500);
      await onHeadset(
        page,
        (device) => {
          for (const side of ["left", "right"] as const) device.setButtons(side, { squeeze: 1 });
        },
        null,
      );
      gateway.world.recording = {
        task: "demonstrations",
        episode: "0007",
        startedMs: gateway.nowMs - 12_000,
      };
      await page.waitForTimeout(1500);
      gateway.setTeleop({ limitedBy: ["reach"], alignment: "recentred" });
      await page.waitForTimeout(1500);
      await take("headset-moving.png", 1100, 690);

      await onHeadset(
        page,
        (device) => {
          for (const side of ["left", "right"] as const) device.setButtons(side, { squeeze: 0 });
        },
        null,
      );
      // The played gateway follows the clutch of whoever operates: nobody, for it.
      gateway.world.operator = "";
      await page.waitForTimeout(300);
      gateway.setTeleop(HELD);
      await page.waitForTimeout(2000);
      await take("headset-held.png", 1100, 690);
    } finally {
      clearInterval(showing);
    }
  });

  async function take(name: string, widthPx: number, heightPx: number): Promise<void> {
    const png = await page.screenshot();
    await sharp(png)
      .resize(widthPx, heightPx, { fit: "inside" })
      .png({ palette: true, colours: 128, effort: 10 })
      .toFile(`${PICTURES}${name}`);
  }
});

/** The picture in the middle of the upper row of the manual's six. */
async function middleScene(path: string): Promise<Buffer> {
  const { width = 0, height = 0 } = await sharp(path).metadata();
  const cell = {
    left: Math.round(width / 3) + 4,
    top: 2,
    width: Math.round(width / 3) - 8,
    height: Math.round(height / 2) - 6,
  };
  return sharp(path).extract(cell).jpeg().toBuffer();
}
