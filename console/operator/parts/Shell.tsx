/** One frame for all pages: where one is, what state things are in, and STOP. */
import type { FunctionComponent } from "preact";
import { CalibrationPage } from "../pages/CalibrationPage.js";
import { CellPage } from "../pages/CellPage.js";
import { DrivePage } from "../pages/DrivePage.js";
import { EpisodesPage } from "../pages/EpisodesPage.js";
import { EventsPage } from "../pages/EventsPage.js";
import { PoliciesPage } from "../pages/PoliciesPage.js";
import { SignalsPage } from "../pages/SignalsPage.js";
import { question } from "../state/confirm.js";
import { useApp } from "../state/context.js";
import { useValue } from "../state/value.js";
import { Banners } from "./Banners.js";
import { ConfirmDialog } from "./ConfirmDialog.js";
import { Rail } from "./Rail.js";
import { type PageName, useRoute } from "./route.js";
import { Toasts } from "./Toasts.js";
import { TopBar } from "./TopBar.js";

const PAGES: Readonly<Record<PageName, FunctionComponent>> = {
  drive: DrivePage,
  signals: SignalsPage,
  episodes: EpisodesPage,
  policies: PoliciesPage,
  calibration: CalibrationPage,
  cell: CellPage,
  events: EventsPage,
};

export function Shell() {
  const app = useApp();
  const page = useRoute();
  const isKnown = useValue(app.welcome) !== undefined;
  const isOpen = useValue(app.linkState) === "open";
  const isOld = useValue(app.isTelemetryOld) || !isOpen;
  const isAsked = useValue(question) !== undefined;
  const Page = PAGES[page];
  return (
    <div class="shell">
      <Rail page={page} isInert={isAsked} />
      <TopBar />
      <Banners />
      <main class={isOld && isKnown ? "content old" : "content"} tabIndex={-1} inert={!isOpen || isAsked}>
        {isKnown && <Page key={page} />}
      </main>
      <Toasts />
      <ConfirmDialog />
    </div>
  );
}
