/** Entry of the operator's console: pairs, connects, draws the shell. */
import "../shared/tokens.css";
import "../shared/base.css";
import "../shared/controls.css";
import "./shell.css";
import { render } from "preact";
import { browserPairing, randomMark } from "../link/browserPairing.js";
import { openBrowserSocket } from "../link/browserSocket.js";
import { GatewayLink } from "../link/gatewayLink.js";
import { browserClock } from "../link/pageClock.js";
import { openPairing, type Pairing } from "../link/pairing.js";
import { PairPage } from "./pages/PairPage.js";
import { Shell } from "./parts/Shell.js";
import { bindKeys } from "./sources/bindKeys.js";
import { AppContext } from "./state/context.js";
import { pressEpisodeKey } from "./state/episodeControls.js";
import { OperatorApp } from "./state/operatorApp.js";
import { applyTheme } from "./state/theme.js";

applyTheme();
const root = document.getElementById("app")!;

function open(pairing: Extract<Pairing, { kind: "paired" }>): void {
  const link = new GatewayLink({
    origin: location.origin,
    token: pairing.token,
    client: "console",
    name: pairing.device,
    clock: browserClock,
    openSocket: openBrowserSocket,
    onMisfit: (why) => console.warn(why),
  });
  const app = new OperatorApp(link, browserClock, () => randomMark(16));
  app.token = pairing.token;
  bindKeys(app, { onLetter: (code) => pressEpisodeKey(app, code) });
  render(
    <AppContext.Provider value={app}>
      <Shell />
    </AppContext.Provider>,
    root,
  );
  link.connect();
}

const pairing = await openPairing(browserPairing());
if (pairing.kind === "paired") open(pairing);
else
  render(
    <PairPage refusal={pairing.kind === "refused" ? pairing.refusal : undefined} onPaired={open} />,
    root,
  );
