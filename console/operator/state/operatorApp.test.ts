import { afterEach, describe, expect, it, vi } from "vitest";
import { ClientMessage } from "../../../core/gateway/client.js";
import type { ServerMessage } from "../../../core/gateway/server.js";
import { FAKE_TELEOP, FAKE_WELCOME, fakeTelemetry } from "../../../test/support/console/fakeCell.js";
import {
  FAKE_STEERING,
  fakeDigitTelemetry,
  fakeWalkPolicy,
} from "../../../test/support/console/fakeDigit.js";
import { PageSimClock } from "../../../test/support/console/pageSimClock.js";
import { GatewayLink } from "../../link/gatewayLink.js";
import type { SocketEvents } from "../../link/pageSocket.js";
import { question } from "./confirm.js";
import { pressEpisodeKey } from "./episodeControls.js";
import { OperatorApp, TELEMETRY_OLD_MS } from "./operatorApp.js";

function rig({ isTold = true } = {}) {
  const clock = new PageSimClock();
  const sent: ClientMessage[] = [];
  let events: SocketEvents | undefined;
  let isOpen = true;
  const link = new GatewayLink({
    origin: "http://127.0.0.1:1",
    token: "token",
    client: "console",
    name: "laptop",
    clock,
    openSocket: (_url, given) => {
      events = given;
      isOpen = true;
      return {
        get isOpen() {
          return isOpen;
        },
        bufferedBytes: 0,
        send: (text) => sent.push(ClientMessage.parse(JSON.parse(text))),
        close: () => {},
      };
    },
  });
  const app = new OperatorApp(link, clock, () => "0123456789abcdef");
  app.drive.isShown = true;
  const hear = (message: ServerMessage) => events!.onText(JSON.stringify(message));
  link.connect();
  events!.onOpen();
  hear(FAKE_WELCOME);
  const tell = (state = "holding", episode = "") => {
    const telemetry = fakeTelemetry(clock.nowMs() / 1000, 1_000_000 + clock.nowMs());
    telemetry.robots.arm!.state = state;
    if (episode !== "") Object.assign(telemetry.recorder!, { state: "recording", episode });
    hear(telemetry);
  };
  if (isTold) tell();
  return {
    app,
    clock,
    sent,
    hear,
    tell,
    lose: () => {
      isOpen = false;
      events!.onClose();
    },
    clutches: () => sent.flatMap((one) => (one.kind === "pose" ? [one.pose.hands[0]!.clutch] : [])),
    answer: (ok = true) => {
      const request = sent.findLast((one) => one.kind === "request")!;
      if (ok) hear({ kind: "answer", id: request.id, ok: true, message: "" });
      else hear({ kind: "refusal", id: request.id, ok: false, code: "X", happened: "No", remedy: "Wait" });
    },
  };
}

const shift = {
  code: "ShiftLeft",
  repeat: false,
  shiftKey: true,
  ctrlKey: false,
  altKey: false,
  metaKey: false,
};

async function driving() {
  const page = rig();
  const taken = page.app.drive.take("arm");
  page.answer();
  expect(await taken).toBe(true);
  page.hear({ kind: "teleop", status: { ...FAKE_TELEOP, state: "ready", operator: FAKE_WELCOME.client } });
  page.app.drive.keyboard.keyDown(shift);
  page.clock.advance(200);
  expect(page.clutches().at(-1)).toBe(1);
  return page;
}

describe("driving ends", () => {
  it.each<[string, (page: Awaited<ReturnType<typeof driving>>) => void, boolean]>([
    ["by STOP", ({ app }) => app.stop.press("test"), true],
    ["when the page is hidden", ({ app }) => app.setVisible(false), true],
    ["when the standpoint changes", ({ app }) => app.drive.setStandpoint("facing"), true],
    ["when another source is chosen", ({ app }) => app.drive.choose("gamepad"), true],
    [
      "when another operator has it",
      ({ hear }) => hear({ kind: "teleop", status: { ...FAKE_TELEOP, state: "ready", operator: "quest3" } }),
      false,
    ],
    ["when the daemon ended it", ({ hear }) => hear({ kind: "teleop", status: FAKE_TELEOP }), false],
  ])("%s: the last pose says that the clutch is open", async (_, happens, isStillTaken) => {
    const page = await driving();
    happens(page);
    expect(page.clutches().at(-1)).toBe(0);
    const count = page.clutches().length;
    page.clock.advance(2000);
    expect(page.clutches().length).toBe(count);
    expect(page.app.drive.isDriving.current).toBe(isStillTaken);
  });

  it("with the connection, and is not taken up again by itself", async () => {
    const page = await driving();
    page.lose();
    expect(page.app.drive.isDriving.current).toBe(false);
    expect(page.app.linkState.current).toBe("lost");
    const count = page.clutches().length;
    page.clock.advance(5000);
    page.hear(FAKE_WELCOME);
    page.app.drive.keyboard.keyDown(shift);
    page.clock.advance(500);
    expect(page.clutches().length).toBe(count);
  });

  it("STOP leaves after the open clutch, in the same moment", async () => {
    const page = await driving();
    page.app.stop.press("test");
    expect(page.sent.slice(-2).map(({ kind }) => kind)).toEqual(["pose", "stop"]);
  });
});

describe("only a page that is looked at drives", () => {
  const pad = (isDown: boolean) => ({
    id: "pad",
    connected: true,
    mapping: "standard",
    axes: [0, -1, 0, 0],
    buttons: Array.from({ length: 17 }, (_, index) => ({ pressed: isDown && index === 4, value: 0 })),
  });
  afterEach(() => {
    vi.unstubAllGlobals();
    question.set(undefined);
  });

  async function withGamepad() {
    let isDown = false;
    vi.stubGlobal("navigator", { getGamepads: () => [pad(isDown)] });
    const page = await driving();
    page.app.drive.choose("gamepad");
    page.clock.advance(100);
    const press = (isTold = true) => {
      if (isTold) page.tell();
      for (const down of [false, true]) {
        isDown = down;
        page.clock.advance(200);
      }
      return page.clutches().at(-1);
    };
    expect(press()).toBe(1);
    return { ...page, press };
  }

  it.each<[string, (app: OperatorApp) => void, (app: OperatorApp) => void]>([
    [
      "while another page is shown",
      ({ drive }) => {
        drive.isShown = false;
      },
      ({ drive }) => {
        drive.isShown = true;
      },
    ],
    [
      "while another window has the focus",
      ({ drive }) => {
        drive.hasFocus = () => false;
      },
      ({ drive }) => {
        drive.hasFocus = () => true;
      },
    ],
    [
      "while a question covers the pictures",
      () => question.set({ text: "?", detail: "", yes: "Yes", onYes: () => {} }),
      () => question.set(undefined),
    ],
    [
      "while nothing new comes from the daemon",
      ({ isTelemetryOld }) => isTelemetryOld.set(true),
      ({ isTelemetryOld }) => isTelemetryOld.set(false),
    ],
  ])("a gamepad moves nothing %s, and needs a new press after it", async (_, begins, ends) => {
    const { app, clock, clutches, press } = await withGamepad();
    begins(app);
    clock.advance(100);
    expect(clutches().at(-1)).toBe(0);
    expect(press(false)).toBe(0);
    ends(app);
    const count = clutches().length;
    clock.advance(500);
    expect(clutches().length).toBe(count);
    expect(press()).toBe(1);
  });
});

describe("a robot on legs is steered", () => {
  function walking() {
    const page = rig();
    const tell = (phase: string, steering: typeof FAKE_STEERING | null = FAKE_STEERING) => {
      const telemetry = fakeTelemetry(page.clock.nowMs() / 1000, 1_000_000 + page.clock.nowMs());
      telemetry.robots = { digit: fakeDigitTelemetry(0) };
      telemetry.policy = fakeWalkPolicy(phase, steering);
      page.hear(telemetry);
    };
    tell("running");
    page.app.drive.walk("digit");
    const asked = () =>
      page.sent.flatMap((one) => (one.kind === "velocity" ? [one.isHeld && one.velocity.forwardMPerS] : []));
    page.app.drive.keyboard.keyDown(shift);
    page.app.drive.keyboard.keyDown({ ...shift, code: "KeyW" });
    page.clock.advance(1000);
    expect(asked().at(-1)).toBeCloseTo(0.7, 9);
    return { ...page, tell, asked };
  }

  it.each<[string, (page: ReturnType<typeof walking>) => void]>([
    ["STOP is pressed", ({ app }) => app.stop.press("test")],
    ["the page is hidden", ({ app }) => app.setVisible(false)],
    ["the key goes up", ({ app }) => app.drive.keyboard.keyUp({ ...shift, shiftKey: false })],
    ["its policy ends", ({ tell }) => tell("failed")],
    ["another policy runs, which takes no velocity", ({ tell }) => tell("running", null)],
    ["another page is opened", ({ app }) => app.drive.release("another page was opened")],
    ["it is steered no more", ({ app }) => void app.drive.give()],
  ])("until %s: then it is asked to stand, once", (_, happens) => {
    const page = walking();
    happens(page);
    page.clock.advance(100);
    expect(page.asked().at(-1)).toBe(false);
    const count = page.asked().length;
    page.clock.advance(1000);
    expect(page.asked().length).toBe(count);
    // Nothing was taken, so nothing is given back.
    expect(page.sent.filter(({ kind }) => kind === "request")).toEqual([]);
  });

  it("as long as its connection lives, and not by itself after it", () => {
    const page = walking();
    page.lose();
    expect(page.app.drive.isDriving.current).toBe(false);
    const count = page.asked().length;
    page.clock.advance(5000);
    page.hear(FAKE_WELCOME);
    page.app.drive.keyboard.keyDown(shift);
    page.clock.advance(500);
    expect(page.asked().length).toBe(count);
  });
});

it("driving ends when nothing new comes from the daemon, and needs a new press when it does", async () => {
  const { app, clock, clutches, tell } = await driving();
  clock.advance(TELEMETRY_OLD_MS + 600);
  expect(clutches().at(-1)).toBe(0);
  const count = clutches().length;
  tell();
  clock.advance(500);
  expect(clutches().length).toBe(count);
  app.drive.keyboard.keyUp({ ...shift, shiftKey: false });
  app.drive.keyboard.keyDown(shift);
  clock.advance(100);
  expect(clutches().at(-1)).toBe(1);
});

describe("a question about an episode", () => {
  afterEach(() => question.set(undefined));
  const requests = ({ sent }: ReturnType<typeof rig>) =>
    sent.flatMap((one) => (one.kind === "request" ? [one.request.do] : []));

  it("takes the keys: they end nothing behind it", () => {
    const page = rig();
    page.tell("holding", "episode-0014");
    pressEpisodeKey(page.app, "KeyD");
    expect(question.current?.text).toContain("episode-0014");
    for (const key of ["KeyS", "KeyF", "KeyR"]) pressEpisodeKey(page.app, key);
    expect(requests(page)).toEqual([]);
  });

  it("discards that one or none", () => {
    const page = rig();
    page.tell("holding", "episode-0014");
    pressEpisodeKey(page.app, "KeyD");
    page.tell("holding", "episode-0015");
    question.current!.onYes();
    expect(requests(page)).toEqual([]);
    expect(page.app.toasts.current.at(-1)?.text).toContain("episode-0014");
    page.tell("holding", "episode-0014");
    question.current!.onYes();
    expect(requests(page)).toEqual(["discardRecording"]);
  });
});

it("a refused take drives nothing and shows the words", async () => {
  const { app, answer, clock, clutches } = rig();
  const taken = app.drive.take("arm");
  answer(false);
  expect(await taken).toBe(false);
  app.drive.keyboard.keyDown(shift);
  clock.advance(500);
  expect(clutches()).toEqual([]);
  expect(app.toasts.current).toMatchObject([{ level: "error", text: "No", remedy: "Wait" }]);
  clock.advance(20_000);
  expect(app.toasts.current).toEqual([]);
});

it("says when what it shows is old, and not while it is hidden", () => {
  const { app, clock, tell } = rig();
  clock.advance(TELEMETRY_OLD_MS + 600);
  expect(app.isTelemetryOld.current).toBe(true);
  tell();
  expect(app.isTelemetryOld.current).toBe(false);
  app.setVisible(false);
  clock.advance(10_000);
  expect(app.isTelemetryOld.current).toBe(false);
});

it("gives a page that is shown again the time to hear something", () => {
  const { app, clock } = rig();
  app.setVisible(false);
  clock.advance(60_000);
  app.setVisible(true);
  clock.advance(600);
  expect(app.isTelemetryOld.current).toBe(false);
  clock.advance(TELEMETRY_OLD_MS);
  expect(app.isTelemetryOld.current).toBe(true);
});

it("says so also when nothing has come since the welcome", () => {
  const { app, clock } = rig({ isTold: false });
  clock.advance(1000);
  expect(app.isTelemetryOld.current).toBe(false);
  clock.advance(TELEMETRY_OLD_MS);
  expect(app.isTelemetryOld.current).toBe(true);
});

it("events come newest first, once, also after a reconnection", () => {
  const { app, hear } = rig();
  const event = (id: number) =>
    hear({ kind: "event", id, epochMs: 1000 * id, level: "info", source: "s", text: `${id}`, remedy: "" });
  for (const id of [1, 2, 3, 2, 1, 3]) event(id);
  expect(app.events.current.map(({ id }) => id)).toEqual([3, 2, 1]);
  for (let id = 4; id < 1000; id++) event(id);
  expect(app.events.current.length).toBe(300);
  expect(app.events.current[0]!.id).toBe(999);
});

it("knows the daemon's time of day from its telemetry", () => {
  const { app, clock } = rig();
  const before = app.epochMs!;
  clock.advance(1234);
  expect(app.epochMs! - before).toBeCloseTo(1234, 6);
});
