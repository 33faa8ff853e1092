/** The operator's console for a cell with a hand or on legs, in a real browser, against a gateway with nothing behind it. */
import type { Browser, BrowserContext, Page } from "playwright-core";
import sharp from "sharp";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { NO_TELEOP, type RobotDescription, type RobotTelemetry } from "../../core/gateway/server.js";
import { CHROMIUM_PATH, launchBrowser } from "../support/browser.js";
import { FAKE_WELCOME } from "../support/console/fakeCell.js";
import {
  FAKE_STEERING,
  fakeDigit,
  fakeDigitTelemetry,
  fakeWalkPolicy,
} from "../support/console/fakeDigit.js";
import { fakeHand, fakeHandTelemetry } from "../support/console/fakeHand.js";
import { judgePage } from "../support/console/judgePage.js";
import { type FakeGateway, startFakeGateway } from "../support/fakeGateway.js";

const PATIENCE = { timeout: 20_000, interval: 50 };
const LAPTOP = { width: 1366, height: 768 };
const [ARM] = FAKE_WELCOME.robots as [RobotDescription];

let browser: Browser;
let gateway: FakeGateway;
let context: BrowserContext;
let page: Page;
let errors: string[] = [];

async function open(robots: RobotDescription[], size = LAPTOP): Promise<void> {
  gateway = await startFakeGateway({ welcome: { robots }, cameras: false });
  gateway.teleop = NO_TELEOP;
  gateway.shape = (telemetry) => {
    const told: Record<string, RobotTelemetry> = {
      ...telemetry.robots,
      hand: fakeHandTelemetry(gateway.nowMs / 1000),
      digit: fakeDigitTelemetry(gateway.nowMs / 1000),
    };
    if (robots.some(({ robot }) => robot === "digit"))
      telemetry.policy = fakeWalkPolicy("running", FAKE_STEERING);
    telemetry.robots = Object.fromEntries(robots.map(({ robot }) => [robot, told[robot]!]));
    return telemetry;
  };
  context = await browser.newContext({ viewport: size });
  page = await context.newPage();
  errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.goto(gateway.consoleUrl);
  await page.locator(".states [data-state]").first().waitFor();
}
/** Nothing without a name, too small, covered, cut off or too wide. */
const expectGood = async () =>
  expect(await page.evaluate(judgePage)).toEqual({
    nameless: [],
    small: [],
    covered: [],
    cut: [],
    overflowPx: 0,
  });
const goTo = (name: string) => page.locator(`.rail a[href="#/${name}"]`).click();

const DRAWN_SHARE_MIN = 0.03;
/** Share of the view's pixels that are not its background, of a picture as the browser shows it. */
async function drawnShare(): Promise<number> {
  const png = await page
    .locator(".view3d canvas")
    .screenshot({ style: ".view3d :not(canvas) { opacity: 0 }" });
  const { data, info } = await sharp(png).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const count = new Map<number, number>();
  for (let at = 0; at < data.length; at += 3) {
    const key = data.readUIntBE(at, 3);
    count.set(key, (count.get(key) ?? 0) + 1);
  }
  return 1 - Math.max(...count.values()) / (info.width * info.height);
}

beforeAll(async () => {
  if (CHROMIUM_PATH !== undefined) browser = await launchBrowser();
});
afterAll(() => browser?.close());
afterEach(async () => {
  await context?.close();
  await gateway?.close();
  expect(errors).toEqual([]);
  expect(gateway?.malformed ?? []).toEqual([]);
});

describe.skipIf(CHROMIUM_PATH === undefined)("the console of a cell with a hand", () => {
  it.each(["v4", "v5a"] as const)("draws a %s, whose shape may be unknown", async (model) => {
    await open([fakeHand(model)]);
    await page.locator(".view3d canvas").waitFor();
    await vi.waitFor(async () => expect(await drawnShare()).toBeGreaterThan(DRAWN_SHARE_MIN), PATIENCE);
    expect(await page.locator(".view3d .legend").textContent()).not.toContain("workspace");
  });

  it("says what leads a hand, groups its joints by finger, and offers no keys", async () => {
    await open([fakeHand("v4")]);
    await page.getByText(/own fingers lead hand, seen by a headset/).waitFor();
    expect(await page.getByRole("button", { name: "Drive the arm" }).count()).toBe(0);
    expect(await page.locator(".keys").count()).toBe(0);
    expect(await page.getByRole("button", { name: "Teach" }).count()).toBe(0);
    const fingers = page.locator(".joints.groups ol");
    expect(await fingers.count()).toBe(4);
    expect(await fingers.first().locator("li").allTextContents()).toHaveLength(5);
    expect(await page.locator(".joints").textContent()).toMatch(/index.*I1.*I4.*middle.*M1.*thumb.*T4/);
    await expectGood();
  });

  it("shows who leads it while somebody does", async () => {
    await open([fakeHand("v4")]);
    gateway.setTeleop({ state: "engaged", robot: "hand", operator: "quest3" });
    await page.locator('[data-teleop="engaged"]').waitFor();
    await page.getByText("quest3 leads it now").waitFor();
  });

  it("plots a finger at a time, any four of sixteen joints, and the torque as what it is", async () => {
    await open([fakeHand("v4")]);
    await goTo("signals");
    const titles = () => page.locator(".plots:not(.three) .plot h3").allTextContents();
    await vi.waitFor(
      async () => expect((await titles()).map((one) => one.slice(0, 2))).toEqual(["I1", "I2", "I3", "I4"]),
      PATIENCE,
    );
    await page.getByRole("button", { name: "thumb" }).click();
    await vi.waitFor(
      async () => expect((await titles()).map((one) => one.slice(0, 2))).toEqual(["T1", "T2", "T3", "T4"]),
      PATIENCE,
    );
    await page.getByRole("button", { name: "R2" }).click();
    await vi.waitFor(
      async () => expect((await titles()).map((one) => one.slice(0, 2))).toEqual(["R2", "T2", "T3", "T4"]),
      PATIENCE,
    );
    await page.getByRole("button", { name: "Effort" }).click();
    await page
      .getByText(/commanded/)
      .first()
      .waitFor();
    await expectGood();
  });

  it("lets one choose among robots, on every page alike, and draws the hand on the arm's flange", async () => {
    await open([ARM, fakeHand("v4", "arm")]);
    await page.getByRole("button", { name: "Drive the arm" }).waitFor();
    await page.locator(".view3d canvas").waitFor();
    await vi.waitFor(async () => expect(await drawnShare()).toBeGreaterThan(DRAWN_SHARE_MIN), PATIENCE);
    const choice = (name: string) =>
      page.getByRole("group", { name: "Robot", exact: true }).getByRole("button", { name, exact: true });
    await choice("hand").click();
    await page.getByText(/Who takes arm there leads both/).waitFor();
    await goTo("signals");
    await page.getByRole("button", { name: "thumb" }).waitFor();
    await choice("arm").click();
    await page.getByRole("button", { name: "J7" }).waitFor();
    await goTo("cell");
    await page.getByText("16 joints · on the flange of arm").waitFor();
  });

  it("steers a robot on legs while the key is held, shows what its policy takes, and draws all of it", async () => {
    await open([fakeDigit()]);
    await page.locator(".view3d canvas").waitFor();
    await vi.waitFor(async () => expect(await drawnShare()).toBeGreaterThan(DRAWN_SHARE_MIN), PATIENCE);
    expect(await page.getByRole("button", { name: "Drive the arm" }).count()).toBe(0);
    expect(await page.locator(".joints.groups ol").count()).toBe(4);
    expect(await page.locator(".joints").textContent()).toMatch(
      /left leg.*LL6.*right arm.*RA4.*height.*0.97 m/,
    );
    const row = page.locator('[data-velocity="forwardMPerS"] .number');
    expect(await row.allTextContents()).toEqual(["0.00", "−0.30", "1.00", "0.10"]);
    await expectGood();
    await page.getByRole("button", { name: "Steer the robot" }).click();
    const asked = () => gateway.received.flatMap((one) => (one.kind === "velocity" ? [one] : []));
    await vi.waitFor(async () => {
      for (const key of ["KeyW", "Shift"]) await page.keyboard.up(key);
      await page.keyboard.down("Shift");
      await page.keyboard.down("KeyW");
      await vi.waitFor(() => expect(asked().at(-1)?.velocity.forwardMPerS).toBeCloseTo(0.7, 6), {
        timeout: 2000,
      });
    }, PATIENCE);
    await page.locator('[data-walk="held"]').waitFor();
    await page.keyboard.up("Shift");
    await vi.waitFor(() => expect(asked().at(-1)?.isHeld).toBe(false), PATIENCE);
    await expectGood();
  });
});
