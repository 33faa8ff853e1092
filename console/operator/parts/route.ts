/** Pages by the hash of the address. */
import { useEffect, useState } from "preact/hooks";

export const PAGE_NAMES = [
  "drive",
  "signals",
  "episodes",
  "policies",
  "calibration",
  "cell",
  "events",
] as const;
export type PageName = (typeof PAGE_NAMES)[number];

export const pageInHash = (hash: string): PageName =>
  PAGE_NAMES.find((name) => hash === `#/${name}`) ?? "drive";

export function useRoute(): PageName {
  const [page, setPage] = useState(() => pageInHash(location.hash));
  useEffect(() => {
    const follow = () => setPage(pageInHash(location.hash));
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return page;
}
