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
import { focusedPlace, judgePage } from "../support/console/judgePage.js";
import { type FakeGateway, type FakeGatewayOptions, startFakeGateway } from "../support/fakeGateway.js";

const PAGES = ["drive", "signals", "episodes", "policies", "calibration", "cell", "events"] as const;
const LAPTOP = { width: 1366, height: 768 };
const TABLET = { width: 1024, height: 768 };
const UPRIGHT = { width: 820, height: 1180 };
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
    for (const size of [LAPTOP, TABLET, UPRIGHT]) {
      await page.setViewportSize(size);
      for (const name of PAGES) {
        await goTo(name);
        await pause(250);
        const found = await page.evaluate(judgePage);
        const good = { nameless: [], small: [], covered: [], cut: [], overflowPx: 0 };
        expect({ name, size, ...found }).toEqual({ name, size, ...good });
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

  it("STOP by Escape while a list is open, which takes the key's way down", async () => {
    await open();
    await goTo("episodes");
    await page.getByLabel("Task").click();
    await pause(200);
    await page.keyboard.press("Escape");
    await vi.waitFor(() => expect(stops()).toBe(1), PATIENCE);
    await page.keyboard.press("Escape");
    await vi.waitFor(() => expect(stops()).toBe(2), PATIENCE);
    await pause(200);
    expect(stops()).toBe(2);
  });

  it("STOP by keyboard also after a pointer slid off it", async () => {
    await open();
    const { x, y, width } = (await page.locator("button.stop").boundingBox())!;
    await page.mouse.move(x + width / 2, y + 20);
    await page.mouse.down();
    await vi.waitFor(() => expect(stops()).toBe(1), PATIENCE);
    await page.mouse.move(300, 400);
    await page.mouse.up();
    await page.locator("button.stop").focus();
    await page.keyboard.press("Enter");
    await vi.waitFor(() => expect(stops()).toBe(2), PATIENCE);
  });

  it("a question leaves nothing behind it to press, and gives the focus back", async () => {
    await open();
    await goTo("policies");
    const start = page.getByRole("button", { name: "Start pick-cube-vits" });
    await start.focus();
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    const places = new Set<string>();
    for (let tab = 0; tab < 6; tab++) {
      await page.keyboard.press("Tab");
      places.add(await page.evaluate(focusedPlace));
    }
    expect([...places].sort()).toEqual(["header", "question"]);
    await page.getByRole("button", { name: "Keep" }).click();
    await page.getByRole("dialog").waitFor({ state: "detached" });
    expect(await start.evaluate((element) => element === element.ownerDocument.activeElement)).toBe(true);
  });

  it("an observer is offered nothing but to look, and STOP", async () => {
    await open({ welcome: { role: "observer" } });
    gateway.world.recording = { task: "t", episode: "episode-0015", startedMs: gateway.nowMs };
    await page.locator('[data-recorder="recording"]').waitFor();
    for (const name of ["Success", "Failure", "Discard"])
      expect(await page.getByRole("button", { name }).isDisabled()).toBe(true);
    await goTo("episodes");
    await page.getByRole("button", { name: "Label episode-0014" }).waitFor();
    expect(await page.getByRole("button", { name: "Label episode-0014" }).isDisabled()).toBe(true);
    gateway.world.answer({ do: "calibrationStart", device: "quest3" }, "another", 0);
    await goTo("calibration");
    for (const name of ["Begin the stroke", "Give up"])
      expect(await page.getByRole("button", { name }).isDisabled()).toBe(true);
    await page.keyboard.press("Escape");
    await vi.waitFor(() => expect(stops()).toBe(1), PATIENCE);
  });

  it("a robot of which nothing is told is shown as unknown", async () => {
    await open();
    gateway.shape = (telemetry) => ({ ...telemetry, robots: {} });
    await page.locator('[data-state="unknown"]').waitFor();
    expect(await page.locator('[data-state="unknown"]').textContent()).toMatch(/arm/);
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
        expect(await banner.textContent()).toMatch(/STOP does not reach the robot from here.*may still move/),
      PATIENCE,
    );
    await page.locator(".states.old").waitFor();
    await page.keyboard.press("Escape");
    expect(await report()).toMatch(/Not sent: no connection.*emergency stop/);
    expect(await page.locator("main").evaluate((main: { inert: boolean }) => main.inert)).toBe(true);
    gateway = await startFakeGateway({ port });
    await banner.waitFor({ state: "detached", timeout: 20_000 });
    await vi.waitFor(async () => expect(await report()).toMatch(/never sent: press it again/), PATIENCE);
    await page.getByRole("button", { name: "Drive the arm" }).click();
    await page.locator('[data-teleop="ready"]').waitFor();
    expect(stops()).toBe(0);
  });

  it("a page that was opened again takes over by a reload, and stays paired", async () => {
    await open();
    gateway.refusal = {
      code: "ALREADY_RUNNING",
      happened: "The same page was opened again, and that one counts from now on",
      remedy: "Close this one, or reload it to take over",
    };
    gateway.dropConnections();
    await page.getByText("Refused: The same page was opened again").waitFor();
    expect(await page.getByRole("button", { name: "Pair again" }).count()).toBe(0);
    gateway.refusal = undefined;
    await page.getByRole("button", { name: "Reload" }).click();
    await page.locator('[data-state="holding"]').waitFor();
  });

  it("an address with a code pairs also where the page is open already", async () => {
    await open();
    await page.evaluate(() => {
      (globalThis as unknown as { localStorage: { clear(): void } }).localStorage.clear();
    });
    await page.goto("about:blank");
    await page.goto(`${gateway.url}/`);
    await page.getByText("Pair this browser").waitFor();
    // Nothing but the part after the # is another one.
    await page.goto(gateway.consoleUrl);
    await page.locator('[data-state="holding"]').waitFor();
  });

  it("a daemon of another version is said to be one", async () => {
    await open();
    gateway.sayStrange();
    await page.getByText("This page is of another version").waitFor();
    await page.getByRole("button", { name: "Reload" }).click();
    await page.getByText("This page is of another version").waitFor({ state: "detached" });
  });

  it("a code that was used already is no way out for a browser that is paired", async () => {
    await open();
    gateway.pairingRefusal = { code: "NOT_AUTHORISED", happened: "The code is unknown", remedy: "Make one" };
    await page.goto("about:blank");
    await page.goto(gateway.consoleUrl);
    await page.locator('[data-state="holding"]').waitFor();
  });

  it("plots take the colours of a system that turns light", async () => {
    await open();
    await page.emulateMedia({ colorScheme: "dark" });
    await goTo("signals");
    const canvas = page.locator(".plot canvas").first();
    await canvas.evaluate((element) => element.setAttribute("data-dark", ""));
    await page.emulateMedia({ colorScheme: "light" });
    await page.locator(".plot canvas[data-dark]").waitFor({ state: "detached" });
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

  it("shows the set that was chosen last, also when the answer about another one comes later", async () => {
    await open();
    gateway.answerMs = (request) => (request.do === "listEpisodes" && request.task === undefined ? 900 : 0);
    await goTo("episodes");
    // The whole list is still on its way.
    await page.getByLabel("Task").evaluate((select) => {
      select.append(Object.assign(select.ownerDocument.createElement("option"), { value: "reach-block" }));
    });
    await page.getByLabel("Task").selectOption("reach-block");
    await page.locator("[data-episode]").first().waitFor();
    const count = await page.locator("[data-episode]").count();
    await pause(1300);
    expect(await page.locator("[data-episode]").count()).toBe(count);
  });

  it("a calibration that loses its connection says so once", async () => {
    await open();
    await goTo("calibration");
    await page.getByRole("button", { name: "Calibrate vive again" }).click();
    await page.getByRole("button", { name: "Begin the stroke" }).waitFor();
    await gateway.close();
    await page.locator("[data-connection]").waitFor();
    await pause(1500);
    expect(await page.locator(".toast").count()).toBe(0);
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
