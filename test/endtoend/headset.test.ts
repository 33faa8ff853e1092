/** The headset's page in real Chromium: an emulated headset, the built page, a real gateway. */
import type { Browser, Page } from "playwright-core";
import sharp from "sharp";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { HAND_JOINTS } from "../../core/teleop/pose.js";
import { robotDescription } from "../../runtime/gateway/partTesting.js";
import { handPose, webxrJoints } from "../support/allegro/handPoses.js";
import { CHROMIUM_PATH, launchBrowser } from "../support/browser.js";
import { judgePage } from "../support/console/judgePage.js";
import {
  enterVr,
  freshPage,
  HeadsetStage,
  hasPages,
  onHeadset,
  openPaired,
  until,
} from "../support/headsetPage.js";

const AT_REST = { positionM: [0.3, 1.2, -0.4], quatXyzw: [0, 0, 0, 1] } as const;

const COLOURS = [
  [204, 68, 51],
  [40, 90, 200],
] as const;

describe.skipIf(CHROMIUM_PATH === undefined || !hasPages)("the headset's page", () => {
  let browser: Browser;
  let stage: HeadsetStage;
  let page: Page;
  const errors: string[] = [];

  beforeAll(async () => {
    browser = await launchBrowser();
    stage = await HeadsetStage.open({ gateway: { host: "0.0.0.0" } });
  });
  afterAll(async () => {
    await browser?.close();
    await stage?.close();
  });
  beforeEach(async () => {
    page = await freshPage(browser);
    page.on("pageerror", (error) => errors.push(error.message));
  });
  afterEach(async () => {
    await page.context().close();
    expect(errors).toEqual([]);
    expect(stage.malformed).toEqual([]);
  });

  const right = () => stage.newest().hands.find(({ hand }) => hand === "right");
  const teleopState = () => stage.gateway.ofKind("teleop").at(-1)?.status.state;
  const controlRequests = () => stage.gateway.ofKind("request").map(({ request }) => request);

  it("pairs by the code in its address, which is gone afterwards, and is known again without one", async () => {
    await openPaired(page, stage);
    expect(page.url()).not.toContain("pair=");
    expect(await page.locator("#state").textContent()).toMatch(/Connected to test as \S+/);
    await page.goto(`${stage.gateway.origin}/xr/?emulate=1`);
    await page.locator("#enter-vr:enabled").waitFor();
  });

  it("opens with what it was paired by before when its address has a code that is used up", async () => {
    const address = `${stage.gateway.origin}/xr/?emulate=1#pair=${await stage.gateway.code()}`;
    for (let visit = 0; visit < 2; visit++) {
      await page.goto("about:blank");
      await page.goto(address);
      await page.locator("#enter-vr:enabled").waitFor();
    }
  });

  it("every control has a name and is large enough, paired and not", async () => {
    const good = { nameless: [], small: [], covered: [], cut: [], overflowPx: 0 };
    await page.goto(`${stage.gateway.origin}/xr/?emulate=1`);
    await page.locator("#code").waitFor();
    expect(await page.evaluate(judgePage)).toEqual(good);
    await openPaired(page, stage);
    expect(await page.evaluate(judgePage)).toEqual(good);
  });

  it("pairs by a typed code", async () => {
    await page.goto(`${stage.gateway.origin}/xr/?emulate=1`);
    await page.locator("#code").fill((await stage.gateway.code()).toLowerCase());
    await page.getByRole("button", { name: "Pair", exact: true }).click();
    await page.locator("#enter-vr:enabled").waitFor();
  });

  it("says that a code is no good, in the gateway's words", async () => {
    await page.goto(`${stage.gateway.origin}/xr/?emulate=1#pair=XXXXXXXX`);
    expect(await page.locator("#refusal").textContent()).not.toBe("");
    expect(page.url()).not.toContain("pair=");
    await page.locator("#code").waitFor();
  });

  it("forgets a token that the gateway refuses, and asks for pairing", async () => {
    await page.goto(`${stage.gateway.origin}/xr/?emulate=1`);
    await page.locator("#code").waitFor();
    await page.evaluate(
      `localStorage.setItem("cerebellum.pairing", '{"token":"wrong","device":"quest3-zzzz","role":"operator"}')`,
    );
    await page.reload();
    await page.locator("#code").waitFor();
    expect(await page.locator("#refusal").textContent()).toMatch(/\w+/);
    expect(await page.evaluate(`localStorage.getItem("cerebellum.pairing")`)).toBeNull();
  });

  it("without a headset says what to do", async () => {
    await page.goto(`${stage.gateway.origin}/xr/`);
    expect(await page.locator("#obstacle").textContent()).toMatch(/No headset here.*Quest Browser/);
  });

  it("an observer may look, not enter", async () => {
    await page.goto(`${stage.gateway.origin}/xr/?emulate=1#pair=${await stage.gateway.code("observer")}`);
    await page.getByText("to look only").waitFor();
    expect(await page.locator("#enter-vr").isDisabled()).toBe(true);
  });

  it("takes teleoperation and sends poses: numbers without a gap, the grip where it is", async () => {
    await openPaired(page, stage);
    const before = stage.poses.length;
    await enterVr(page, stage);
    await until(() => stage.gateway.ofKind("teleop").some(({ status }) => status.state === "ready"));
    await onHeadset(page, (device, pose) => device.setController("right", pose as never), AT_REST);
    await until(() => Math.abs((right()?.pose?.positionM[0] ?? 0) - 0.3) < 1e-4, "the grip's pose");
    await until(() => stage.poses.length > before + 20);
    const sent = stage.poses.slice(before);
    expect(new Set(sent.map(({ session }) => session)).size).toBe(1);
    expect(sent.map(({ seq }) => seq)).toEqual(sent.map((_, index) => sent[0]!.seq + index));
    const times = sent.map(({ deviceTimeMs }) => deviceTimeMs);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(right()).toMatchObject({ mode: "controller", tracked: true, joints: null });
    expect(stage.newest()).toMatchObject({ source: "webxr", space: "local-floor", visibility: "visible" });
  });

  it("carries buttons, bare hands with their joints, lost controllers and a hidden view", async () => {
    await openPaired(page, stage);
    await enterVr(page, stage);
    await onHeadset(page, (device) => device.setButtons("right", { squeeze: 1, trigger: 0.5 }), null);
    await until(() => right()?.clutch === 1 && right()?.gripper === 0.5, "the buttons");

    await onHeadset(page, (device) => device.setTracked("right", false), null);
    await until(() => right()?.tracked === false, "a guessed pose");
    await onHeadset(page, (device) => device.setConnected("right", false), null);
    await until(() => right()?.pose === null, "a lost controller");
    expect(right()).toMatchObject({ tracked: false, clutch: 1 });
    await onHeadset(page, (device) => device.setConnected("right", true), null);

    await onHeadset(page, (device, pose) => device.setHand("right", pose as never, { index: 1 }), AT_REST);
    await until(() => right()?.mode === "hand" && right()?.clutch === 1, "a pinching hand");
    expect(right()?.joints).toHaveLength(8 * HAND_JOINTS.length);

    await onHeadset(page, (device) => device.setVisibility("hidden"), null);
    await until(() => stage.newest().visibility === "hidden", "the hidden view");
    expect(stage.newest().hands.some(({ tracked }) => tracked)).toBe(false);
  });

  it("another page in front: says so before it falls silent", async () => {
    await openPaired(page, stage);
    await enterVr(page, stage);
    await page.evaluate(`
      Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));`);
    await until(() => stage.poses.some(({ visibility, head }) => visibility === "hidden" && head === null));
  });

  it("a page that is loaded again is another session, and gives teleoperation back in between", async () => {
    await openPaired(page, stage);
    await enterVr(page, stage);
    const { session } = stage.newest();
    await until(() => teleopState() === "ready");
    await page.reload();
    await until(() => teleopState() === "off");
    await page.locator("#enter-vr:enabled").waitFor();
    await enterVr(page, stage);
    expect(stage.newest().session).not.toBe(session);
  });

  it("records, stops and labels by held buttons", async () => {
    await openPaired(page, stage);
    await enterVr(page, stage);
    const before = controlRequests().length;
    const hold = async (button: "a" | "b", arrived: () => boolean) => {
      await onHeadset(page, (device, key) => device.setButtons("right", { [key]: true }), button);
      await until(arrived, `a held ${button}`);
      await onHeadset(page, (device, key) => device.setButtons("right", { [key]: false }), button);
      await until(() => right()?.buttons[button] === false);
    };
    /** Telemetry has come, and frames after it: a key that is down when its meaning changes does not count. */
    const settled = async () => {
      await page.waitForTimeout(700);
      const { seq } = stage.newest();
      await until(() => stage.newest().seq > seq + 8, "frames");
    };
    const newest = () => controlRequests()[before + asked - 1];
    let asked = 1;
    await hold("a", () => newest()?.do === "startRecording");
    stage.tellRecorder("recording", "0003");
    await settled();
    asked = 2;
    await hold("a", () => newest()?.do === "stopRecording");
    stage.tellRecorder("idle", "0003");
    await settled();
    asked = 3;
    await hold("b", () => newest()?.do === "labelEpisode");
    expect(newest()).toMatchObject({ outcome: "failure", task: "demonstrations", episode: "0003" });
    expect(controlRequests()).toHaveLength(before + 3);
  });

  it("passes the gateway's pulses on to the hand", async () => {
    await openPaired(page, stage);
    await enterVr(page, stage);
    await onHeadset(page, (device, pose) => device.setController("right", pose as never), AT_REST);
    // A press in the same frame as the jump to there would not count.
    await until(() => right()?.clutch === 0 && Math.abs((right()?.pose?.positionM[0] ?? 0) - 0.3) < 1e-4);
    const { seq } = stage.newest();
    await until(() => stage.newest().seq > seq + 5 && teleopState() === "ready");
    // Nobody has said how the headset lies to the robot: engaging is refused, and felt.
    await onHeadset(page, (device) => device.setButtons("right", { squeeze: 1 }), null);
    await until(() => teleopState() === "latched", "a refused engagement");
    await page.waitForFunction(`window.cerebellumHeadset.lastPulse("right") !== undefined`);
  });

  it("works over https and wss alike, once the certificate is accepted", async () => {
    const context = await browser.newContext({
      viewport: { width: 360, height: 270 },
      ignoreHTTPSErrors: true,
    });
    const secure = await context.newPage();
    const origin = stage.gateway.origin.replace("http:", "https:");
    await secure.goto(`${origin}/xr/?emulate=1#pair=${await stage.gateway.code()}`);
    await secure.locator("#enter-vr:enabled").waitFor();
    await enterVr(secure, stage);
    await context.close();
  });

  it("leaves the view again, gives teleoperation back, and enters with the room in view", async () => {
    await openPaired(page, stage);
    await enterVr(page, stage);
    await until(() => teleopState() === "ready");
    await page.evaluate(`window.cerebellumHeadset.xrDevice.activeSession.end()`);
    await page.locator("#enter-ar:enabled").waitFor();
    await until(() => teleopState() === "off");
    const { session } = stage.newest();
    await page.locator("#enter-ar").click();
    await until(() => stage.newest().session !== session && stage.newest().visibility === "visible");
  });

  it("shows the camera's newest picture", async () => {
    const large = await freshPage(browser, 480, 300);
    await openPaired(large, stage);
    await enterVr(large, stage);
    for (const colour of COLOURS) {
      const showing = setInterval(() => stage.showColour(colour), 100);
      try {
        let share = 0;
        for (let look = 0; look < 30 && share < 0.05; look++) {
          await large.waitForTimeout(200);
          share = await shareOf(await large.screenshot(), colour);
        }
        expect(share).toBeGreaterThan(0.05);
      } finally {
        clearInterval(showing);
      }
    }
    await large.context().close();
  });
});

describe.skipIf(CHROMIUM_PATH === undefined || !hasPages)("the headset's page of a robot's hand", () => {
  let browser: Browser;
  let stage: HeadsetStage;

  beforeAll(async () => {
    browser = await launchBrowser();
    stage = await HeadsetStage.open({
      setup: {
        sockets: { hand: "/nowhere" },
        robots: [{ ...robotDescription("hand"), device: "allegro", hasGripper: false }],
        toolPointsM: {},
        arms: {},
        hands: { hand: { model: "v4", side: "right", mountedOn: null } },
      },
    });
  });
  afterAll(async () => {
    await browser?.close();
    await stage?.close();
  });

  it("says which hand does what, sends every joint, and only the other hand's pinch asks for the robot", async () => {
    const page = await freshPage(browser);
    await openPaired(page, stage);
    expect(await page.locator("#controls").textContent()).toMatch(
      /Lead the robot's fingers.*Measure your hand/,
    );
    await enterVr(page, stage);
    const status = () => stage.gateway.ofKind("teleop").at(-1)?.status;
    const side = (which: "left" | "right") => stage.newest().hands.find(({ hand }) => hand === which);
    const joints = webxrJoints(handPose("pinch_index_touch"));
    await onHeadset(page, (device, shown) => device.setJoints("right", shown as number[]), joints);
    // A message of before, and one of the hand on its way into view, may still come.
    const isShown = () =>
      side("right")?.joints?.every((value, at) => at % 8 > 2 || Math.abs(value - joints[at]!) < 1e-3) ===
      true;
    await until(() => isShown() && side("right")?.clutch === 1, "every joint of a hand that pinches");
    await until(() => status()?.state === "ready" && status()?.why === null, "a hand without any doubt");
    expect(status()).toMatchObject({ leads: "fingers", hand: "right", alignment: "unneeded" });
    // The servo of this stage is played by nobody: what asks for it is told so.
    await onHeadset(page, (device) => device.setPinch("left", true), null);
    await until(() => status()?.state === "latched", "a pinch that asks for the robot");
    expect(status()?.why?.code).toBe("SERVO_GONE");
    await page.context().close();
  });
});

/** Share of a picture's pixels that have nearly this colour. */
async function shareOf(png: Buffer, colour: readonly number[]): Promise<number> {
  const { data, info } = await sharp(png).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  let count = 0;
  for (let at = 0; at < data.length; at += 3)
    if (colour.every((value, index) => Math.abs(data[at + index]! - value) < 12)) count++;
  return count / (info.width * info.height);
}
