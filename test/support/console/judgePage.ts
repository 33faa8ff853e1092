/** What a test asks a page in a browser. These functions run in the page: they see nothing of this file but themselves. */

interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}
interface ElementLike {
  readonly outerHTML: string;
  readonly textContent: string;
  readonly scrollWidth: number;
  readonly clientWidth: number;
  readonly labels?: { readonly length: number };
  getAttribute(name: string): string | null;
  closest(selector: string): ElementLike | null;
  contains(other: ElementLike | null): boolean;
  getBoundingClientRect(): Box;
  scrollIntoView(options: { block: "center" }): void;
}
interface RangeLike {
  selectNodeContents(element: ElementLike): void;
  getBoundingClientRect(): Box;
}
interface PageLike {
  readonly document: {
    readonly documentElement: ElementLike;
    readonly activeElement: ElementLike | null;
    querySelectorAll(selector: string): Iterable<ElementLike>;
    elementFromPoint(x: number, y: number): ElementLike | null;
    createRange(): RangeLike;
  };
  getComputedStyle(element: ElementLike): { readonly textOverflow: string };
}

export interface Judgement {
  readonly nameless: string[];
  readonly small: string[];
  readonly covered: string[];
  readonly cut: string[];
  readonly overflowPx: number;
}

/** Controls without a name, targets under 40 px, controls that something lies on, words cut off, what sticks out. */
export function judgePage(): Judgement {
  const { document, getComputedStyle } = globalThis as unknown as PageLike;
  const all = [...document.querySelectorAll("button, a[href], input, select, textarea")].filter(
    (element) => element.getBoundingClientRect().width > 0,
  );
  const nameOf = (element: ElementLike) =>
    (element.getAttribute("aria-label") ?? "").trim() ||
    (element.textContent ?? "").trim() ||
    ((element.labels?.length ?? 0) > 0 ? "labelled" : "");
  const isSmall = (element: ElementLike) => {
    // The whole label of a box is its target.
    const { width, height } = (element.closest(".check") ?? element).getBoundingClientRect();
    return height < 39.5 || width < 39.5;
  };
  const isCovered = (element: ElementLike) => {
    element.scrollIntoView({ block: "center" });
    const { left, top, width, height } = element.getBoundingClientRect();
    const found = document.elementFromPoint(left + width / 2, top + height / 2);
    return found === null || !(element.contains(found) || found.contains(element));
  };
  const isCut = (element: ElementLike) => {
    const range = document.createRange();
    range.selectNodeContents(element);
    const [words, box] = [range.getBoundingClientRect(), element.getBoundingClientRect()];
    if (words.width === 0 || getComputedStyle(element).textOverflow === "ellipsis") return false;
    return words.left < box.left - 0.5 || words.right > box.right + 0.5;
  };
  const shown = (elements: readonly ElementLike[]) =>
    elements.map(({ outerHTML }) => outerHTML.slice(0, 120));
  const { scrollWidth, clientWidth } = document.documentElement;
  const content = [...document.querySelectorAll("main.content")];
  return {
    nameless: shown(all.filter((element) => nameOf(element) === "")),
    small: shown(all.filter(isSmall)),
    covered: shown(all.filter(isCovered)),
    cut: shown(all.filter(isCut)),
    overflowPx: Math.max(
      scrollWidth - clientWidth,
      ...content.map((one) => one.scrollWidth - one.clientWidth),
    ),
  };
}

/** Where the focus is: in a question, in the part that stays in reach, or behind the question. */
export function focusedPlace(): "question" | "header" | "behind" {
  const { document } = globalThis as unknown as PageLike;
  const isIn = (selector: string) => (document.activeElement?.closest(selector) ?? null) !== null;
  if (isIn("dialog")) return "question";
  return isIn("body *") && !isIn("header, .toasts") ? "behind" : "header";
}
