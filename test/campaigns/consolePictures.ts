/**
 * Takes a series of pictures of the operator's console: `node dist/test/campaigns/consolePictures.js FOLDER [ADDRESS]`.
 * ADDRESS is what `up` prints (with its pairing code) for a console of a running cell; without it a made-up cell is shown.
 * Against a real cell it drives nothing: it opens pages only.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { sleepMs } from "../../core/clock.js";
import { systemClock } from "../../launch/systemClock.js";
import { launchBrowser } from "../support/browser.js";
import { type FakeGateway, startFakeGateway } from "../support/fakeGateway.js";

interface Shot {
  readonly name: string;
  readonly hash: string;
  readonly size: { readonly width: number; readonly height: number };
  readonly colours: "dark" | "light";
  /** Needs the made-up cell. */
  readonly arrange?: (page: Page, gateway: FakeGateway) => Promise<void>;
}

const LAPTOP = { width: 1366, height: 768 };
const TABLET = { width: 1024, height: 768 };

const drive = async (page: Page, gateway: FakeGateway) => {
  gateway.world.policyPhase = "ready";
  await page.getByRole("button", { name: "Drive the arm" }).click();
  await page.keyboard.down("Shift");
  await page.keyboard.down("KeyW");
  await sleepMs(systemClock, 1200);
};

const SHOTS: readonly Shot[] = [
  { name: "drive", hash: "#/drive", size: LAPTOP, colours: "dark" },
  {
    name: "drive-policy",
    hash: "#/drive",
    size: LAPTOP,
    colours: "dark",
    arrange: async (_page, gateway) => {
      gateway.world.policyPhase = "running";
      await sleepMs(systemClock, 2500);
    },
  },
  { name: "drive-keyboard", hash: "#/drive", size: LAPTOP, colours: "dark", arrange: drive },
  { name: "drive-keyboard-light", hash: "#/drive", size: LAPTOP, colours: "light", arrange: drive },
  {
    name: "drive-recording-tablet",
    hash: "#/drive",
    size: TABLET,
    colours: "dark",
    arrange: async (page) => {
      await page.getByRole("button", { name: "Record" }).click();
      await sleepMs(systemClock, 1500);
    },
  },
  {
    name: "stopped",
    hash: "#/drive",
    size: LAPTOP,
    colours: "dark",
    arrange: async (page) => {
      await page.keyboard.press("Escape");
      await sleepMs(systemClock, 600);
    },
  },
  {
    name: "pair-headset",
    hash: "#/drive",
    size: LAPTOP,
    colours: "light",
    arrange: async (page) => {
      await page.getByRole("button", { name: "Headset" }).click();
      await page.getByRole("button", { name: /Show the code/ }).click();
      await sleepMs(systemClock, 400);
    },
  },
  {
    name: "signals",
    hash: "#/signals",
    size: LAPTOP,
    colours: "dark",
    arrange: async (_page, gateway) => {
      gateway.world.policyPhase = "running";
      await sleepMs(systemClock, 8000);
    },
  },
  { name: "signals-light", hash: "#/signals", size: TABLET, colours: "light" },
  { name: "episodes", hash: "#/episodes", size: LAPTOP, colours: "dark" },
  { name: "policies", hash: "#/policies", size: LAPTOP, colours: "dark" },
  {
    name: "calibration",
    hash: "#/calibration",
    size: LAPTOP,
    colours: "dark",
    arrange: async (page) => {
      await page.getByRole("button", { name: "Calibrate quest3 again" }).click();
      await sleepMs(systemClock, 300);
      await page.getByRole("button", { name: "Begin the stroke" }).click();
      await sleepMs(systemClock, 500);
    },
  },
  { name: "cell", hash: "#/cell", size: LAPTOP, colours: "light" },
  {
    name: "events",
    hash: "#/events",
    size: LAPTOP,
    colours: "dark",
    arrange: async (_page, gateway) => {
      gateway.event("info", "cell", "bench is up: arm, wrist, scene");
      gateway.event(
        "warn",
        "camera wrist",
        "no picture for 412 ms (limit 120 ms)",
        "Check its cable and its USB port",
      );
      gateway.event(
        "error",
        "arm",
        "device error 31: collision detected",
        "Clear the way, then reset and enable",
      );
      await sleepMs(systemClock, 500);
    },
  },
  {
    name: "lost",
    hash: "#/drive",
    size: TABLET,
    colours: "light",
    arrange: async (page, gateway) => {
      gateway.refusal = undefined;
      await page.evaluate(() => undefined);
      await gateway.close();
      await sleepMs(systemClock, 700);
    },
  },
];

async function takePictures(
  folder: string,
  address: string | undefined,
  only: string | undefined,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const browser = await launchBrowser();
  let state: Awaited<ReturnType<Awaited<ReturnType<typeof browser.newContext>>["storageState"]>> | undefined;
  for (const { name, hash, size, colours, arrange } of SHOTS) {
    if ((address !== undefined && arrange !== undefined) || (only !== undefined && !name.startsWith(only)))
      continue;
    const gateway = address === undefined ? await startFakeGateway() : undefined;
    const context = await browser.newContext({
      viewport: size,
      colorScheme: colours,
      ignoreHTTPSErrors: true,
      ...(state !== undefined && address !== undefined && { storageState: state }),
    });
    const page = await context.newPage();
    page.on("pageerror", (error) => console.log(`${name}: ${error.message}`));
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning")
        console.log(`${name}: ${message.text()}`);
    });
    // A code is good once: the next pages use the token that the first one got.
    const origin = new URL(address ?? gateway!.url).origin;
    await page.goto(
      state === undefined || gateway !== undefined ? (address ?? gateway!.consoleUrl) : `${origin}/`,
    );
    await page.locator("[data-state]").first().waitFor();
    await page.goto(`${origin}/${hash}`);
    await sleepMs(systemClock, 1800);
    if (gateway !== undefined) await arrange?.(page, gateway);
    await page.screenshot({ path: join(folder, `${name}.png`) });
    console.log(`${join(folder, `${name}.png`)}`);
    state = await context.storageState();
    await context.close();
    if (name !== "lost") await gateway?.close();
  }
  await browser.close();
}

const [folder = "pictures", address, only] = process.argv.slice(2);
await takePictures(folder, address === "-" ? undefined : address, only);
