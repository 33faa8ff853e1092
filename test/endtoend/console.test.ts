/** The operator's console in a real browser, against a gateway with nothing behind it. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Browser, BrowserContext, Page } from "playwright-core";
import sharp from "sharp";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { sleepMs } from "../../core/clock.js";
import { repositoryRootUrl } from "../../core/entry.js";
import { systemClock } from "../../launch/systemClock.js";
import { CHROMIUM_PATH, launchBrowser } from "../support/browser.js";
import { type FakeGateway, type FakeGatewayOptions, startFakeGateway } from "../support/fakeGateway.js";

const PAGES = ["drive", "signals", "episodes", "policies", "calibration", "cell", "events"] as const;
const LAPTOP = { width: 1366, height: 768 };
const TABLET = { width: 1024, height: 768 };
const PATIENCE = { timeout: 20_000, interval: 50 };

let browser: Browser;
let gateway: FakeGateway;
let context: BrowserContext;
let page: Page;
let errors: string[] = [];
let foreign: string[] = [];

const pause = (ms: number) => sleepMs(systemClock, ms);
const report = () => page.locator("[data-stop-report]").textContent();
const goTo = (name: (typeof PAGES)[number]) => page.locator(`.rail a[href="#/${name}"]`).click();
const stops = () => gateway.received.filter(({ kind }) => kind === "stop").length;

interface OpenOptions extends FakeGatewayOptions {
  readonly size?: { readonly width: number; readonly height: number };
  /** Without a GPU, drawing in three dimensions takes the processor that other tests measure with. */
  readonly withView?: boolean;
}

async function open({ size = LAPTOP, withView = false, ...options }: OpenOptions = {}): Promise<void> {
  gateway = await startFakeGateway(options);
  context = await browser.newContext({ viewport: size });
  page = await context.newPage();
  if (!withView)
    await page.addInitScript(() => {
      const element = (globalThis as unknown as { HTMLCanvasElement: { prototype: { getContext: unknown } } })
        .HTMLCanvasElement.prototype;
      const real = element.getContext as (kind: string, ...more: unknown[]) => unknown;
      element.getContext = function (kind: string, ...more: unknown[]) {
        return kind.startsWith("webgl") ? null : real.call(this, kind, ...more);
      };
    });
  errors = [];
  foreign = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("request", (request) => {
    if (!/^(blob|data):/.test(request.url()) && !request.url().startsWith(gateway.url))
      foreign.push(request.url());
  });
  await page.goto(gateway.consoleUrl);
  await page.locator('[data-state="holding"]').waitFor();
}

beforeAll(async () => {
  if (CHROMIUM_PATH === undefined) return;
  if (!existsSync(fileURLToPath(new URL("dist/pages/index.html", repositoryRootUrl()))))
    throw new Error("The pages are not built: `npm run build`");
  browser = await launchBrowser();
});
afterAll(() => browser?.close());
afterEach(async () => {
  await context?.close();
  await gateway?.close();
  expect(errors).toEqual([]);
  expect(gateway?.malformed ?? []).toEqual([]);
});

describe.skipIf(CHROMIUM_PATH === undefined)("the operator's console", () => {
  it("opens paired by a code, keeps it out of the address, and needs nothing but the gateway", async () => {
    await open({ withView: true });
    expect(page.url()).not.toContain("pair");
    await page.locator(".view3d canvas").waitFor();
    for (const name of PAGES) {
      await goTo(name);
      await page.locator("h1").first().waitFor({ state: "attached" });
    }
    await pause(500);
    expect(foreign).toEqual([]);
    await page.reload();
    await page.locator('[data-state="holding"]').waitFor();
    expect(gateway.received.filter(({ kind }) => kind === "hello").length).toBe(2);
  });

  it("every control has a name and every page fits, with touch targets, on laptop and tablet", async () => {
    await open();
    for (const size of [LAPTOP, TABLET]) {
      await page.setViewportSize(size);
      for (const name of PAGES) {
        await goTo(name);
        await pause(250);
        const found = await page.evaluate(judgePage);
        expect({ name, size, ...found }).toEqual({ name, size, nameless: [], small: [], overflowPx: 0 });
        const stop = await page.locator("button.stop").boundingBox();
        expect(stop!.width).toBeGreaterThanOrEqual(150);
        expect(stop!.x + stop!.width).toBeLessThanOrEqual(size.width);
      }
    }
  });

  it("STOP by pointer on every page, confirmed; the way back is two steps", async () => {
    await open();
    for (const name of PAGES) {
      await goTo(name);
      const before = stops();
      await page.locator("button.stop").click();
      await vi.waitFor(() => expect(stops()).toBe(before + 1), PATIENCE);
      await vi.waitFor(async () => expect(await report()).toMatch(/Stop confirmed after \d+ ms/), PATIENCE);
      await page.locator('[data-rearm="stopped"]').waitFor();
      expect(await page.getByRole("button", { name: "2 Enable" }).isDisabled()).toBe(true);
      await page.getByRole("button", { name: "1 Reset" }).click();
      await page.locator('[data-rearm="connected"]').waitFor();
      expect(gateway.world.armState).toBe("connected");
      await page.getByRole("button", { name: "2 Enable" }).click();
      await page.locator('[data-state="holding"]').waitFor();
    }
  });

  it("STOP by Escape, also while somebody types, asks, or holds it down", async () => {
    await open();
    await page.getByLabel("Note").fill("a note");
    await page.keyboard.press("Escape");
    await vi.waitFor(() => expect(stops()).toBe(1), PATIENCE);
    expect(await page.getByLabel("Note").inputValue()).toBe("a note");
    await page.getByRole("button", { name: "1 Reset" }).click();
    await page.getByRole("button", { name: "2 Enable" }).click();
    await goTo("policies");
    await page.getByRole("button", { name: "Start pick-cube-vits" }).click();
    await page.getByRole("dialog").waitFor();
    await page.locator("button.stop").click();
    await vi.waitFor(() => expect(stops()).toBe(2), PATIENCE);
    await page.keyboard.down("Escape");
    await vi.waitFor(() => expect(stops()).toBe(3), PATIENCE);
    await page.getByRole("dialog").waitFor({ state: "detached" });
    expect(gateway.world.policyPhase).toBe("ready");
    await page.keyboard.up("Escape");
    await page.locator("button.stop").focus();
    await page.keyboard.press("Enter");
    await vi.waitFor(() => expect(stops()).toBe(4), PATIENCE);
  });

  it("a stop that nothing confirms is called one", async () => {
    await open();
    gateway.obeysStop = false;
    await page.keyboard.press("Escape");
    await vi.waitFor(
      async () => expect(await report()).toMatch(/nothing confirms it.*emergency stop/),
      PATIENCE,
    );
  });

  it("a lost connection is said, STOP does not pretend, and all comes back by itself", async () => {
    await open();
    gateway.refusal = undefined;
    const { port } = gateway;
    await gateway.close();
    const banner = page.locator("[data-connection]");
    await vi.waitFor(
      async () =>
        expect(await banner.textContent()).toContain("the arm holds, STOP does not reach it from here"),
      PATIENCE,
    );
    await page.keyboard.press("Escape");
    expect(await report()).toMatch(/Not sent: no connection.*emergency stop/);
    expect(await page.locator("main").evaluate((main: { inert: boolean }) => main.inert)).toBe(true);
    gateway = await startFakeGateway({ port });
    await banner.waitFor({ state: "detached", timeout: 20_000 });
    await page.getByRole("button", { name: "Drive the arm" }).click();
    await page.locator('[data-teleop="ready"]').waitFor();
    expect(stops()).toBe(0);
  });

  it("a device that is refused pairs again", async () => {
    await open();
    gateway.refusal = {
      code: "NOT_AUTHORISED",
      happened: "This device was revoked",
      remedy: "Pair it again",
    };
    gateway.dropConnections();
    await page.getByText("Refused: This device was revoked").waitFor();
    await page.getByRole("button", { name: "Pair again" }).click();
    gateway.refusal = undefined;
    await page.getByLabel("Code").fill("HJKM-2PQR");
    await page.getByRole("button", { name: "Pair", exact: true }).click();
    await page.locator('[data-state="holding"]').waitFor();
  });

  it("draws a camera's newest picture, never an older one, and greys what is old", async () => {
    await open({ cameras: false });
    const colours = {
      red: { r: 220, g: 20, b: 20 },
      green: { r: 20, g: 200, b: 20 },
      blue: { r: 20, g: 20, b: 220 },
    };
    const jpeg = async (name: keyof typeof colours) =>
      sharp({ create: { width: 64, height: 48, channels: 3, background: colours[name] } })
        .jpeg()
        .toBuffer();
    const [red, green, blue] = await Promise.all([jpeg("red"), jpeg("green"), jpeg("blue")]);
    for (let sequence = 0; sequence < 60; sequence++)
      gateway.picture(0, sequence, sequence % 2 === 0 ? red : green);
    gateway.picture(0, 60, blue);
    gateway.picture(0, 5, red);
    const view = page.locator('[data-camera="wrist"]');
    const middle = () =>
      view.locator("canvas").evaluate((canvas: CanvasLike) => {
        const [r, g, b] = canvas
          .getContext("2d")
          .getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data;
        return b > 150 && r < 90 && g < 90;
      });
    await vi.waitFor(async () => expect(await middle()).toBe(true), PATIENCE);
    await vi.waitFor(async () => expect(await view.textContent()).toContain("old picture"), PATIENCE);
    expect(await middle()).toBe(true);
    const other = page.locator('[data-camera="scene"]');
    expect(await other.textContent()).toContain("no picture yet");
  });

  it("plots fill, and stand still when paused", async () => {
    await open();
    await goTo("signals");
    const points = async () =>
      Number(await page.locator(".plot .canvas").first().getAttribute("data-points"));
    await vi.waitFor(async () => expect(await points()).toBeGreaterThan(40), PATIENCE);
    const readout = page.locator(".plot .readout b").first();
    expect(Number((await readout.textContent())!.replace("−", "-"))).not.toBeNaN();
    await page.getByRole("button", { name: "Pause" }).click();
    await pause(800);
    const picture = await page.locator(".plot canvas").first().screenshot();
    gateway.world.policyPhase = "running";
    await pause(800);
    expect((await page.locator(".plot canvas").first().screenshot()).equals(picture)).toBe(true);
    await page.getByRole("button", { name: "Velocity" }).click();
    await page.getByRole("button", { name: "J7" }).click();
    await page.getByRole("region", { name: "J7" }).waitFor();
  });

  it("labels an episode, with a note, and finds it", async () => {
    await open();
    await goTo("episodes");
    await page.getByRole("button", { name: "Label episode-0014" }).click();
    await page.getByLabel("Note of episode-0014").fill("grazed the table");
    await page.getByLabel("Outcome of episode-0014").getByRole("button", { name: "Failure" }).click();
    await page.locator('[data-episode="episode-0014"] [data-outcome="failure"]').waitFor();
    expect(gateway.received).toContainEqual(
      expect.objectContaining({
        request: {
          do: "labelEpisode",
          task: "demonstrations",
          episode: "episode-0014",
          outcome: "failure",
          note: "grazed the table",
        },
      }),
    );
    await page.getByLabel("find in names and notes").fill("grazed");
    await vi.waitFor(async () => expect(await page.locator("[data-episode]").count()).toBe(1), PATIENCE);
    await page.locator('[data-episode="episode-0014"] img').waitFor();
  });

  /** While an answer is on its way a key is none, so it is pressed again, as a person would. */
  const pressUntil = (key: string, state: string) =>
    vi.waitFor(async () => {
      await page.keyboard.press(key);
      await page.locator(`[data-recorder="${state}"]`).waitFor({ timeout: 1500 });
    }, PATIENCE);

  it("records by keys, not while somebody types, and discards only when told twice", async () => {
    await open();
    await page.getByLabel("Note").fill("rsfd");
    expect(gateway.world.recording).toBeUndefined();
    await page.getByRole("heading", { name: "Episode" }).click();
    await pressUntil("r", "recording");
    await vi.waitFor(
      async () => expect(await page.locator("[data-recording]").textContent()).toMatch(/MB|kB/),
      PATIENCE,
    );
    await pressUntil("s", "idle");
    expect(gateway.world.lastOutcome).toBe("success");
    await pressUntil("r", "recording");
    await page.keyboard.press("d");
    await page.getByRole("dialog").waitFor();
    // The safe answer has the focus.
    await page.getByRole("dialog").locator("button:focus").waitFor();
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    expect(gateway.world.recording).toBeDefined();
    await page.keyboard.press("d");
    await page.getByRole("dialog").getByRole("button", { name: "Discard" }).click();
    await page.locator('[data-recorder="idle"]').waitFor();
    expect(stops()).toBe(0);
  });

  it("a hidden page asks for nothing that flows, and shows all again", async () => {
    await open();
    const hide = (state: "hidden" | "visible") =>
      page.evaluate((value) => {
        const place = (globalThis as unknown as { document: EventTarget }).document;
        Object.defineProperty(place, "visibilityState", { configurable: true, get: () => value });
        place.dispatchEvent(new Event("visibilitychange"));
      }, state);
    const subscription = () => gateway.received.filter((message) => message.kind === "subscribe").at(-1);
    expect(subscription()).toMatchObject({
      telemetryHz: 25,
      cameras: [{ camera: "wrist" }, { camera: "scene" }],
    });
    await hide("hidden");
    await vi.waitFor(() => expect(subscription()).toMatchObject({ telemetryHz: 0, cameras: [] }), PATIENCE);
    await hide("visible");
    await vi.waitFor(() => expect(subscription()).toMatchObject({ telemetryHz: 25 }), PATIENCE);
  });
});

interface CanvasLike {
  readonly width: number;
  readonly height: number;
  getContext(kind: "2d"): {
    getImageData(x: number, y: number, w: number, h: number): { data: [number, number, number] };
  };
}

/** Runs in the page: controls without a name, targets under 44 px, and what sticks out at the right. */
function judgePage(): { nameless: string[]; small: string[]; overflowPx: number } {
  interface ElementLike {
    readonly outerHTML: string;
    readonly textContent: string;
    readonly scrollWidth: number;
    readonly clientWidth: number;
    readonly labels?: { readonly length: number };
    getAttribute(name: string): string | null;
    closest(selector: string): ElementLike | null;
    getBoundingClientRect(): { width: number; height: number };
  }
  const { document } = globalThis as unknown as {
    document: { querySelectorAll(selector: string): Iterable<ElementLike>; documentElement: ElementLike };
  };
  const all = [...document.querySelectorAll("button, a[href], input, select, textarea")];
  const nameOf = (element: ElementLike) =>
    (element.getAttribute("aria-label") ?? "").trim() ||
    (element.textContent ?? "").trim() ||
    ((element.labels?.length ?? 0) > 0 ? "labelled" : "");
  const isSmall = (element: ElementLike) => {
    const { width, height } = element.getBoundingClientRect();
    // Links in running text and boxes whose label is the target are no touch targets of their own.
    if (element.closest(".card li a, .check, .toast") !== null) return false;
    return width > 0 && (height < 43.5 || width < 43.5);
  };
  const { scrollWidth, clientWidth } = document.documentElement;
  const content = [...document.querySelectorAll("main.content")];
  return {
    nameless: all.filter((element) => nameOf(element) === "").map(({ outerHTML }) => outerHTML.slice(0, 120)),
    small: all.filter(isSmall).map(({ outerHTML }) => outerHTML.slice(0, 120)),
    overflowPx: Math.max(
      scrollWidth - clientWidth,
      ...content.map((one) => one.scrollWidth - one.clientWidth),
    ),
  };
}
