/** Entry of the headset's page: pairs, connects, and leads into the headset's view. */
import "./page.css";
import type { Refusal } from "../../core/gateway/server.js";
import { browserPairing, followAddress, randomMark } from "../link/browserPairing.js";
import { openBrowserSocket } from "../link/browserSocket.js";
import { GatewayLink } from "../link/gatewayLink.js";
import { browserClock } from "../link/pageClock.js";
import {
  forgetPaired,
  openPairing,
  type Paired,
  type Pairing,
  pairWithCode,
  readPaired,
} from "../link/pairing.js";
import { createEntryPage, type EntryState } from "./entryPage.js";
import { findObstacle, readFacts } from "./environment.js";
import { runImmersive, SEEN_FROM_OUTSIDE } from "./immersive.js";

const pairing = browserPairing();
const query = new URLSearchParams(location.search);
/** `?robot=NAME` in a cell of several. */
const robot = query.get("robot");
let beforeFrame: (() => void) | undefined;
let link: GatewayLink | undefined;
let state: EntryState = {
  robot,
  pairing: "checking",
  device: pairing.deviceName,
  link: "connecting",
  welcome: undefined,
  refusal: undefined,
  obstacle: undefined,
  hasPassthrough: false,
  isInside: false,
  isEmulated: false,
};

const show = createEntryPage(document.getElementById("app")!, {
  enter: (mode) => void enter(mode),
  pair: (code) => void pairWithCode(code, pairing).then(onPairing),
  forget: () => {
    forgetPaired(pairing.storage);
    leaveLink();
    update({ pairing: "unpaired", refusal: undefined });
  },
});

function update(change: Partial<EntryState>): void {
  state = { ...state, ...change };
  show(state);
}

function onPairing(result: Pairing): void {
  // An address that is opened a second time has a code that is used up: what was paired before is as good.
  const paired = result.kind === "paired" ? result : readPaired(pairing.storage);
  if (paired !== undefined) connect(paired);
  else if (result.kind === "refused") update({ pairing: "unpaired", refusal: result.refusal });
  else update({ pairing: "unpaired" });
}

function leaveLink(): void {
  link?.close();
  link = undefined;
}

function connect({ token, device }: Paired): void {
  leaveLink();
  const opened = new GatewayLink({
    origin: location.origin,
    token,
    client: "headset",
    name: device,
    clock: browserClock,
    openSocket: openBrowserSocket,
    onMisfit: (why) => update({ refusal: misfit(why) }),
  });
  link = opened;
  opened.onState((now) => {
    if (link !== opened) return;
    if (now === "refused" && opened.refusal?.code === "NOT_AUTHORISED") {
      // Kept no longer: a token that is refused once is refused always.
      forgetPaired(pairing.storage);
      update({ pairing: "unpaired", link: now, welcome: undefined, refusal: opened.refusal });
      return;
    }
    update({ link: now, welcome: opened.welcome, refusal: now === "refused" ? opened.refusal : undefined });
  });
  opened.subscribe(SEEN_FROM_OUTSIDE);
  update({ pairing: "paired", device, refusal: undefined });
  opened.connect();
}

async function enter(mode: "immersive-vr" | "immersive-ar"): Promise<void> {
  if (link === undefined || state.isInside) return;
  update({ isInside: true, refusal: undefined });
  try {
    await runImmersive({
      mode,
      link,
      device: state.device,
      newSession: () => randomMark(16),
      clock: browserClock,
      ...(robot !== null ? { robot } : {}),
      ...(beforeFrame !== undefined ? { beforeFrame } : {}),
    });
    update({ isInside: false });
  } catch (error) {
    update({ isInside: false, refusal: noSession(error) });
  }
}

const noSession = (error: unknown): Refusal => ({
  code: "DEVICE_REFUSED",
  happened: `The headset did not start its view (${error instanceof Error ? error.message : String(error)})`,
  remedy:
    "Allow this page to use virtual reality when the headset asks, close other VR pages, and press Enter VR again",
});

const misfit = (why: string): Refusal => ({
  code: "MESSAGE_INVALID",
  happened: "The robot's computer says something that this page does not understand",
  remedy: `Reload the page (${why.slice(0, 200)})`,
});

async function start(): Promise<void> {
  followAddress();
  show(state);
  if (query.get("emulate") === "1") {
    const { installEmulatedHeadset } = await import("./emulate.js");
    const device = installEmulatedHeadset();
    beforeFrame = () => device.beforeFrame();
    update({ isEmulated: true });
  }
  const facts = await readFacts();
  update({ obstacle: findObstacle(facts), hasPassthrough: facts.hasAr });
  onPairing(await openPairing(pairing));
}

void start();
