/**
 * Takes a series of pictures of the operator's console: `node dist/test/campaigns/consolePictures.js FOLDER [--cell ADDRESS
 * [--move]] [--only PREFIX]`. ADDRESS is what `up` prints, with its pairing code; without it a made-up cell is shown. On a
 * real cell pages are only opened, unless `--move` allows to drive the arm, run its policy, record and stop: for the lab.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { BrowserContext, Page } from "playwright-core";
import { sleepMs } from "../../core/clock.js";
import { systemClock } from "../../launch/systemClock.js";
import { launchBrowser } from "../support/browser.js";
import { type FakeGateway, startFakeGateway } from "../support/fakeGateway.js";

interface Shot {
  readonly name: string;
  readonly page: string;
  readonly size?: { readonly width: number; readonly height: number };
  readonly colours?: "dark" | "light";
  /** What the cell must allow: only to be looked at (default), to be moved, or to be made up. */
  readonly needs?: "look" | "move" | "fake";
  readonly arrange?: (page: Page, gateway: FakeGateway | undefined) => Promise<void>;
  /** Leaves the cell as it was. */
  readonly after?: (page: Page) => Promise<void>;
}

const LAPTOP = { width: 1366, height: 768 };
const TABLET = { width: 1024, height: 768 };
const HOLDS_MAX = 8;

const pause = (ms: number) => sleepMs(systemClock, ms);
const press = (page: Page, name: string | RegExp) => page.getByRole("button", { name }).first().click();

const startPolicy = async (page: Page) => {
  await press(page, "Start the policy");
  await page.locator('[data-policy="running"]').waitFor({ timeout: 60_000 });
  await pause(4000);
};
const stopPolicy = (page: Page) => press(page, "Stop the policy");

/** A page without a GPU may stand still and let go: then it is pressed again, as a person would. */
const drive = async (page: Page) => {
  await press(page, "Drive the arm");
  await page.locator('[data-teleop="ready"]').waitFor({ timeout: 60_000 });
  for (let hold = 0; hold < HOLDS_MAX; hold++) {
    await letGo(page);
    await page.keyboard.down("Shift");
    await page.keyboard.down("KeyE");
    await page.keyboard.down("KeyA");
    await pause(900);
    if ((await page.locator('[data-teleop="engaged"]').count()) > 0) return;
  }
};
const letGo = async (page: Page) => {
  for (const key of ["KeyA", "KeyE", "Shift"]) await page.keyboard.up(key);
  await pause(300);
};
const giveBack = async (page: Page) => {
  await letGo(page);
  await press(page, "Give the arm back");
};

const SHOTS: readonly Shot[] = [
  { name: "drive", page: "drive" },
  { name: "drive-policy", page: "drive", needs: "move", arrange: startPolicy, after: stopPolicy },
  { name: "drive-keyboard", page: "drive", needs: "move", arrange: drive, after: giveBack },
  {
    name: "drive-keyboard-light",
    page: "drive",
    colours: "light",
    needs: "move",
    arrange: drive,
    after: giveBack,
  },
  {
    name: "drive-recording-tablet",
    page: "drive",
    size: TABLET,
    needs: "move",
    arrange: async (page) => {
      await press(page, /^Record/);
      await page.locator('[data-recorder="recording"]').waitFor();
      await pause(1500);
    },
    after: async (page) => {
      await press(page, /^Success/);
      await page.locator('[data-recorder="idle"]').waitFor();
    },
  },
  {
    name: "stopped",
    page: "drive",
    needs: "move",
    arrange: async (page) => {
      await page.keyboard.press("Escape");
      await page.locator('[data-rearm="stopped"]').waitFor();
      await pause(300);
    },
    after: async (page) => {
      await press(page, "1 Reset");
      await page.locator('[data-rearm="connected"]').waitFor();
      await press(page, "2 Enable");
      // Where a task goes on by itself, the arm holds for a moment only.
      await page.locator('[data-state="holding"], [data-state="following"]').first().waitFor();
    },
  },
  {
    name: "pair-headset",
    page: "drive",
    colours: "light",
    arrange: async (page) => {
      await press(page, "Headset");
      await press(page, /Show the code/);
      await page.locator("[data-qr]").waitFor();
    },
  },
  {
    name: "signals",
    page: "signals",
    needs: "move",
    arrange: async (page) => {
      await page.goto(`${new URL(page.url()).origin}/#/drive`);
      await startPolicy(page);
      await page.goto(`${new URL(page.url()).origin}/#/signals`);
      await pause(12_000);
    },
    after: async (page) => {
      await page.goto(`${new URL(page.url()).origin}/#/drive`);
      await stopPolicy(page);
    },
  },
  { name: "signals-tablet", page: "signals", size: TABLET, colours: "light" },
  { name: "episodes", page: "episodes", arrange: () => pause(4000) },
  { name: "policies", page: "policies", arrange: () => pause(2000) },
  {
    name: "calibration",
    page: "calibration",
    needs: "fake",
    arrange: async (page) => {
      await press(page, "Calibrate vive again");
      await press(page, "Begin the stroke");
      await pause(500);
    },
  },
  { name: "cell", page: "cell", colours: "light" },
  {
    name: "events",
    page: "events",
    arrange: async (_page, gateway) => {
      gateway?.event("info", "cell", "bench is up: arm, wrist, scene");
      gateway?.event(
        "warn",
        "camera wrist",
        "no picture for 412 ms (limit 120 ms)",
        "Check its cable and USB port",
      );
      gateway?.event(
        "error",
        "arm",
        "device error 31: collision detected",
        "Clear the way, then reset and enable",
      );
      await pause(500);
    },
  },
  {
    name: "lost",
    page: "drive",
    size: TABLET,
    colours: "light",
    needs: "fake",
    arrange: async (_page, gateway) => {
      await gateway?.close();
      await pause(700);
    },
  },
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { cell: { type: "string" }, move: { type: "boolean" }, only: { type: "string" } },
});
const [folder = "pictures"] = positionals;

const isAllowed = ({ name, needs = "look" }: Shot): boolean =>
  (values.only === undefined || name.startsWith(values.only)) &&
  (values.cell === undefined || needs === "look" || (needs === "move" && values.move === true));

async function takePictures(): Promise<void> {
  await mkdir(folder, { recursive: true });
  const browser = await launchBrowser();
  let state: Awaited<ReturnType<BrowserContext["storageState"]>> | undefined;
  for (const shot of SHOTS.filter(isAllowed)) {
    const gateway = values.cell === undefined ? await startFakeGateway() : undefined;
    const context = await browser.newContext({
      viewport: shot.size ?? LAPTOP,
      colorScheme: shot.colours ?? "dark",
      ignoreHTTPSErrors: true,
      // A code is good once: the next pages use the token that the first one got.
      ...(state !== undefined && gateway === undefined && { storageState: state }),
    });
    const page = await context.newPage();
    page.on("pageerror", (error) => console.log(`${shot.name}: ${error.message}`));
    const address = values.cell ?? gateway!.consoleUrl;
    const { origin } = new URL(address);
    await page.goto(state === undefined || gateway !== undefined ? address : `${origin}/`);
    await page.locator("[data-state]").first().waitFor();
    await page.goto(`${origin}/#/${shot.page}`);
    await pause(1800);
    await shot.arrange?.(page, gateway);
    await page.screenshot({ path: join(folder, `${shot.name}.png`) });
    console.log(join(folder, `${shot.name}.png`));
    if (gateway === undefined) await shot.after?.(page);
    state = await context.storageState();
    await context.close();
    if (shot.name !== "lost") await gateway?.close();
  }
  await browser.close();
}

await takePictures();
