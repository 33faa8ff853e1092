/** The list of pages. */
import { chooseTheme, THEMES, theme } from "../state/theme.js";
import { useValue } from "../state/value.js";
import type { PageName } from "./route.js";

/** Drawn on a square of 24. */
const ENTRIES: readonly (readonly [page: PageName, words: string, path: string])[] = [
  ["drive", "Drive", "M4 20h8M8 20v-5l6-6M14 9l5 3M13 8a2 2 0 1 0 2-2 2 2 0 0 0-2 2M19 12v3"],
  ["signals", "Signals", "M3 12h3l2-6 4 13 3-9 2 4h4"],
  ["episodes", "Episodes", "M4 5h16v14H4zM4 9h16M4 15h16M8 5v14M16 5v14"],
  ["policies", "Policies", "M6 6h.01M6 18h.01M18 12h.01M6 12h.01M6 6l12 6M6 12h12M6 18l12-6"],
  ["calibration", "Calibrate", "M12 12V4M12 12l7 4M12 12l-7 4M12 4l-2 2M12 4l2 2"],
  ["cell", "Cell", "M5 4h14v6H5zM5 14h14v6H5zM8 7h.01M8 17h.01M12 7h4M12 17h4"],
  ["events", "Events", "M5 6h14M5 12h14M5 18h9"],
];

/** With Shift held, as whoever drives holds it, a browser would open another window. */
function openHere(event: MouseEvent, name: PageName): void {
  if (!event.shiftKey) return;
  event.preventDefault();
  location.hash = `#/${name}`;
}

export function Rail({ page, isInert }: { page: PageName; isInert: boolean }) {
  const now = useValue(theme);
  return (
    <nav class="rail" aria-label="Pages" inert={isInert}>
      {ENTRIES.map(([name, words, path]) => (
        <a
          key={name}
          href={`#/${name}`}
          aria-current={name === page ? "page" : undefined}
          onClick={(event) => openHere(event, name)}
        >
          <svg viewBox="0 0 24 24" aria-hidden="true">
            <path d={path} />
          </svg>
          {words}
        </a>
      ))}
      <button
        type="button"
        class="button theme"
        aria-label={`Colours: ${now}. Change`}
        onClick={() => chooseTheme(THEMES[(THEMES.indexOf(now) + 1) % THEMES.length]!)}
      >
        {now === "system" ? "auto" : now}
      </button>
    </nav>
  );
}
