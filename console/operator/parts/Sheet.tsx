/** A contact sheet, fetched with the token when it comes near the visible part of the page. */
import { useEffect, useRef, useState } from "preact/hooks";
import { useApp } from "../state/context.js";

export function Sheet({ path, words }: { path: string | null; words: string }) {
  const app = useApp();
  const place = useRef<HTMLDivElement>(null);
  const [url, setUrl] = useState("");
  const [trouble, setTrouble] = useState("");
  useEffect(() => {
    const target = place.current;
    if (path === null || target === null) return;
    const abort = new AbortController();
    let made = "";
    const load = async () => {
      const response = await fetch(path, {
        headers: { authorization: `Bearer ${app.token}` },
        signal: abort.signal,
      });
      if (!response.ok) throw new Error(`status ${response.status}`);
      made = URL.createObjectURL(await response.blob());
      setUrl(made);
    };
    const observer = new IntersectionObserver(
      (entries) => {
        if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
        observer.disconnect();
        load().catch(() => setTrouble("no contact sheet"));
      },
      { rootMargin: "300px" },
    );
    observer.observe(target);
    return () => {
      observer.disconnect();
      abort.abort();
      URL.revokeObjectURL(made);
    };
  }, [app, path]);
  return (
    <div ref={place} class="sheet">
      {url !== "" ? (
        <img src={url} alt={`Contact sheet of ${words}`} />
      ) : (
        <span class="quiet">{path === null ? "no contact sheet" : trouble || "…"}</span>
      )}
    </div>
  );
}
