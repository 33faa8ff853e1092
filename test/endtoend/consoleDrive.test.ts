/** Driving from the console's page in a real browser: nothing moves that is not held. */
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { sleepMs } from "../../core/clock.js";
import { systemClock } from "../../launch/systemClock.js";
import { CHROMIUM_PATH, launchBrowser } from "../support/browser.js";
import { type FakeGateway, startFakeGateway } from "../support/fakeGateway.js";

const PATIENCE = { timeout: 20_000, interval: 30 };
const pause = (ms: number) => sleepMs(systemClock, ms);

let browser: Browser;
let gateway: FakeGateway;
let context: BrowserContext;
let page: Page;

const clutches = () => gateway.poses.map(({ hands }) => hands[0]!.clutch);
const placeM = () => gateway.poses.at(-1)!.hands[0]!.pose!.positionM;

/** Holds until poses flow. On a busy machine the page may stand still and let go by itself: then it is pressed again. */
async function hold(...keys: string[]): Promise<void> {
  await vi.waitFor(async () => {
    for (const key of [...keys].reverse()) await page.keyboard.up(key);
    await page.keyboard.up("Shift");
    gateway.forget();
    await page.keyboard.down("Shift");
    for (const key of keys) await page.keyboard.down(key);
    await pause(150);
    expect(clutches().filter((clutch) => clutch === 1).length).toBeGreaterThan(2);
    expect(clutches().at(-1)).toBe(1);
  }, PATIENCE);
}

/** The clutch was said to be open, and nothing follows. */
async function expectLetGo(): Promise<void> {
  await vi.waitFor(() => expect(clutches().at(-1)).toBe(0), PATIENCE);
  gateway.forget();
  await pause(400);
  expect(gateway.poses).toEqual([]);
}

beforeAll(async () => {
  if (CHROMIUM_PATH !== undefined) browser = await launchBrowser();
});
afterAll(() => browser?.close());
describe.skipIf(CHROMIUM_PATH === undefined)("driving from the page", () => {
  beforeEach(async () => {
    gateway = await startFakeGateway({ cameras: false });
    context = await browser.newContext({ viewport: { width: 1366, height: 768 } });
    page = await context.newPage();
    // Without a GPU the view in three dimensions would take the time that holding a key needs.
    await page.addInitScript(() => {
      const { prototype } = (
        globalThis as unknown as { HTMLCanvasElement: { prototype: { getContext: unknown } } }
      ).HTMLCanvasElement;
      prototype.getContext = () => null;
    });
    await page.goto(gateway.consoleUrl);
    await page.getByRole("button", { name: "Drive the arm" }).click();
    await page.locator('[data-teleop="ready"]').waitFor();
  });
  afterEach(async () => {
    await context.close();
    await gateway.close();
    expect(gateway.malformed).toEqual([]);
  });

  it("sends poses only while Shift is held, and the last one says that it is not", async () => {
    await page.keyboard.down("KeyW");
    await pause(300);
    expect(gateway.poses).toEqual([]);
    await page.keyboard.up("KeyW");
    await hold("KeyW");
    const [first] = gateway.poses;
    expect(first).toMatchObject({ source: "keyboard", space: "base", visibility: "visible" });
    expect(first!.hands[0]!.clutch).toBe(0);
    expect(placeM()[0]).toBeGreaterThan(first!.hands[0]!.pose!.positionM[0]);
    await page.locator('[data-teleop="engaged"]').waitFor();
    await page.keyboard.up("Shift");
    await expectLetGo();
    await page.keyboard.up("KeyW");
  });

  it.each([
    [
      "the window loses the focus",
      () => page.evaluate(() => (globalThis as unknown as EventTarget).dispatchEvent(new Event("blur"))),
    ],
    ["STOP is pressed", () => page.keyboard.press("Escape")],
    ["another page is opened", () => page.locator('.rail a[href="#/signals"]').click()],
    ["the page hangs", () => page.evaluate(hang, 600)],
    ["teleoperation is given back", () => page.getByRole("button", { name: "Give the arm back" }).click()],
    [
      "somebody else has taken it",
      async () => gateway.setTeleop({ operator: "headset quest3", state: "ready" }),
    ],
    // While one is open the browser keeps the keys to itself, also when they go up.
    ["a menu opens", () => page.locator(".joints").click({ button: "right", position: { x: 5, y: 5 } })],
    ["a list opens", () => page.getByLabel("I stand").click()],
    [
      "something is dragged",
      async () => {
        const link = (await page.locator('.rail a[href="#/events"]').boundingBox())!;
        await page.mouse.move(link.x + 30, link.y + 20);
        await page.mouse.down();
        await page.mouse.move(link.x + 300, link.y - 40, { steps: 5 });
      },
    ],
    ["a field takes what is typed", () => page.getByLabel("Note").pressSequentially("W")],
  ] as const)("lets go when %s, while the keys stay down", async (_, happens) => {
    await hold("KeyW");
    await happens();
    await expectLetGo();
  });

  it("needs a new press after it let go", async () => {
    await hold("KeyE");
    await page.evaluate(hang, 600);
    await expectLetGo();
    await page.getByText(/Let go: the page stood still/).waitFor();
    await hold("KeyE");
    expect(placeM()[2]).toBeGreaterThan(gateway.poses[0]!.hands[0]!.pose!.positionM[2]);
  });

  it("a lost connection ends it: after it the arm must be taken again", async () => {
    await hold("KeyW");
    gateway.dropConnections();
    await page.locator("[data-connection]").waitFor({ state: "detached", timeout: 20_000 });
    gateway.forget();
    await pause(300);
    expect(gateway.poses).toEqual([]);
    gateway.world.operator = "";
    gateway.setTeleop({ operator: "", state: "off" });
    await page.getByRole("button", { name: "Drive the arm" }).click();
    await page.locator('[data-teleop="ready"]').waitFor();
  });

  it("a page that is loaded again lets go, and must take the arm anew", async () => {
    await hold("KeyW");
    await page.reload();
    await page.getByRole("button", { name: "Drive the arm" }).waitFor();
    expect(clutches().at(-1)).toBe(0);
    gateway.forget();
    await page.keyboard.up("Shift");
    await page.keyboard.down("Shift");
    await pause(400);
    expect(gateway.poses).toEqual([]);
  });

  it("the scale follows the pointer, though the daemon tells its own all the time", async () => {
    gateway.answerMs = () => 50;
    const telling = setInterval(() => gateway.setTeleop({}), 50);
    try {
      const box = (await page.getByLabel(/^Scale/).boundingBox())!;
      const y = box.y + box.height / 2;
      await page.mouse.move(box.x + box.width * 0.47, y);
      await page.mouse.down();
      await page.mouse.move(box.x + box.width * 0.9, y, { steps: 8 });
      await pause(300);
      expect(Number(await page.getByLabel(/^Scale/).inputValue())).toBeGreaterThan(1.5);
      await page.mouse.up();
      await vi.waitFor(() => expect(gateway.world.translationScale).toBeGreaterThan(1.5), PATIENCE);
    } finally {
      clearInterval(telling);
    }
  });

  it("a finger on a pad is a clutch", async () => {
    const pad = (await page.locator('[data-pad="move"]').boundingBox())!;
    const [x, y] = [pad.x + pad.width / 2, pad.y + pad.height / 2];
    await vi.waitFor(async () => {
      await page.mouse.up();
      gateway.forget();
      await page.mouse.move(x, y);
      await page.mouse.down();
      await page.mouse.move(x, y - 50);
      await pause(200);
      expect(clutches().filter((clutch) => clutch === 1).length).toBeGreaterThan(2);
    }, PATIENCE);
    expect(placeM()[0]).toBeGreaterThan(gateway.poses[0]!.hands[0]!.pose!.positionM[0]);
    // Also outside the pad: the pointer is captured.
    await page.mouse.move(x, y - 300);
    await page.mouse.up();
    await expectLetGo();
  });

  it("a second finger on a pad neither turns the first one's way nor keeps its speed", async () => {
    const pad = page.locator('[data-pad="move"]');
    // Fingers that are made up cannot be captured.
    await pad.evaluate((element) => Object.assign(element, { setPointerCapture: () => {} }));
    const finger = (type: "down" | "move" | "up", pointerId: number, clientX: number, clientY: number) =>
      pad.dispatchEvent(`pointer${type}`, { pointerId, clientX, clientY, button: 0, pointerType: "touch" });
    const speedMPerS = async () => {
      await pause(200);
      const [first, last] = [gateway.poses.at(-10)!, gateway.poses.at(-1)!];
      expect(last.hands[0]!.clutch).toBe(1);
      const seconds = (last.deviceTimeMs - first.deviceTimeMs) / 1000;
      const startM = first.hands[0]!.pose!.positionM;
      return placeM().map((value, axis) => (value - startM[axis]!) / seconds);
    };
    await vi.waitFor(async () => {
      for (const id of [1, 2]) await finger("up", id, 0, 0);
      gateway.forget();
      await finger("down", 1, 400, 400);
      await finger("move", 1, 400, 360);
      expect((await speedMPerS())[0]).toBeGreaterThan(0.02);
      await finger("down", 2, 460, 440);
      await finger("move", 1, 400, 359);
      const [forward, left] = await speedMPerS();
      expect(forward).toBeGreaterThan(0.02);
      expect(Math.abs(left!)).toBeLessThan(0.005);
      await finger("up", 2, 460, 440);
      await finger("move", 1, 400, 400);
      expect(Math.abs((await speedMPerS())[0]!)).toBeLessThan(0.005);
    }, PATIENCE);
    await finger("up", 1, 400, 400);
    await expectLetGo();
  });

  it("a second finger closes the gripper while the first one holds: it makes no click", async () => {
    const pad = page.locator('[data-pad="move"]');
    await pad.evaluate((element) => Object.assign(element, { setPointerCapture: () => {} }));
    const touch = { pointerId: 1, clientX: 400, clientY: 400, button: 0, pointerType: "touch" };
    const gripper = page.getByRole("button", { name: /gripper/ });
    await vi.waitFor(async () => {
      await pad.dispatchEvent("pointerup", touch);
      await pad.dispatchEvent("pointerdown", touch);
      await gripper.and(page.locator(":enabled")).waitFor({ timeout: 500 });
      await gripper.dispatchEvent("pointerdown", { ...touch, pointerId: 2 });
      await pause(150);
      expect(gateway.poses.at(-1)!.hands[0]!.gripper).toBe(1);
    }, PATIENCE);
    await pad.dispatchEvent("pointerup", touch);
    await hold("KeyQ");
    await gripper.click();
    await vi.waitFor(() => expect(gateway.poses.at(-1)!.hands[0]!.gripper).toBe(0), PATIENCE);
  });

  it("keys belong to what has the focus, unless Shift is held", async () => {
    const scale = page.getByLabel(/^Scale/);
    await scale.focus();
    await page.keyboard.press("ArrowRight");
    await vi.waitFor(() => expect(gateway.world.translationScale).toBeCloseTo(1.1, 6), PATIENCE);
    await page.keyboard.press("r");
    await page.locator('[data-recorder="recording"]').waitFor();
    await hold("KeyW");
    for (const key of ["KeyW", "Shift"]) await page.keyboard.up(key);
    await pause(1200);
    await page.keyboard.press("s");
    await page.locator('[data-recorder="idle"]').waitFor();
    expect(gateway.world.lastOutcome).toBe("success");
  });

  it("the gripper's key does nothing that comes later", async () => {
    const button = page.getByRole("button", { name: /gripper/ });
    const words = await button.textContent();
    await page.keyboard.press("g");
    expect(await button.textContent()).toBe(words);
    expect(await button.isDisabled()).toBe(true);
    await hold("KeyQ");
    expect(gateway.poses.at(-1)!.hands[0]!.gripper).toBeCloseTo(1 - 0.055 / 0.08, 3);
  });

  it("the gripper's key toggles it from where it stands", async () => {
    await hold("KeyQ");
    const before = gateway.poses.at(-1)!.hands[0]!.gripper;
    expect(before).toBeCloseTo(1 - 0.055 / 0.08, 3);
    await page.keyboard.press("KeyG");
    await vi.waitFor(() => expect(gateway.poses.at(-1)!.hands[0]!.gripper).toBe(1), PATIENCE);
  });

  it("a key that was held for driving labels no episode", async () => {
    await page.keyboard.press("r");
    await page.locator('[data-recorder="recording"]').waitFor();
    await hold("KeyS");
    await page.keyboard.up("Shift");
    await page.keyboard.up("KeyS");
    await page.keyboard.press("KeyS");
    await pause(300);
    expect(gateway.world.recording).toBeDefined();
  });
});

/** Runs in the page: nothing else does meanwhile. */
function hang(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}
