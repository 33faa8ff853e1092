/** Entry of the operator's console: pairs, connects, draws the shell. */
import "../shared/tokens.css";
import "../shared/base.css";
import "../shared/controls.css";
import "./shell.css";
import { render } from "preact";
import { browserPairing, followAddress, randomMark } from "../link/browserPairing.js";
import { openBrowserSocket } from "../link/browserSocket.js";
import { GatewayLink } from "../link/gatewayLink.js";
import { browserClock } from "../link/pageClock.js";
import { openPairing, type Paired, readPaired } from "../link/pairing.js";
import { PairPage } from "./pages/PairPage.js";
import { Shell } from "./parts/Shell.js";
import { bindKeys } from "./sources/bindKeys.js";
import { AppContext } from "./state/context.js";
import { pressEpisodeKey } from "./state/episodeControls.js";
import { OperatorApp } from "./state/operatorApp.js";
import { followTheme } from "./state/theme.js";

followTheme();
followAddress();
const root = document.getElementById("app")!;

function open(pairing: Paired): OperatorApp {
  const link = new GatewayLink({
    origin: location.origin,
    token: pairing.token,
    client: "console",
    name: pairing.device,
    clock: browserClock,
    openSocket: openBrowserSocket,
    onMisfit: (why) => {
      console.warn(why);
      app.isMisfit.set(true);
    },
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
  return app;
}

const pairing = await openPairing(browserPairing());
const refusal = pairing.kind === "refused" ? pairing.refusal : undefined;
// An address that is opened a second time has a code that is used up: what was paired before is as good.
const paired = pairing.kind === "paired" ? pairing : readPaired(localStorage);
if (paired === undefined) render(<PairPage refusal={refusal} onPaired={open} />, root);
else {
  const app = open(paired);
  if (refusal !== undefined) app.toast("warn", `${refusal.happened}; this browser was paired before`);
}
