/** The plain page before the headset's view: what this is, whether it is paired and connected, and the way in. */
import type { Refusal } from "../../core/gateway/server.js";
import type { LinkState, Welcome } from "../link/gatewayLink.js";
import type { Obstacle } from "./environment.js";

export interface EntryState {
  /** The robot of the address; the gateway's first when null. */
  readonly robot: string | null;
  readonly pairing: "checking" | "unpaired" | "paired";
  readonly device: string;
  readonly link: LinkState;
  readonly welcome: Welcome | undefined;
  /** Of the pairing, the connection, or the start of the view. */
  readonly refusal: Refusal | undefined;
  readonly obstacle: Obstacle | undefined;
  readonly hasPassthrough: boolean;
  readonly isInside: boolean;
  readonly isEmulated: boolean;
}

export interface EntryActions {
  readonly enter: (mode: "immersive-vr" | "immersive-ar") => void;
  readonly pair: (code: string) => void;
  readonly forget: () => void;
}

/** What the hands do, as a table: controllers and bare hands. */
const CONTROLS: readonly (readonly [what: string, controller: string, hand: string])[] = [
  ["Move the robot", "squeeze the grip, and hold it", "thumb and index finger together"],
  ["Close the gripper", "trigger", "thumb and middle finger together"],
  ["Recentre: face along the robot's arm", "hold B (or Y)", "thumb and little finger together"],
  ["Record, and stop", "hold A (or X)", "thumb and ring finger together"],
  ["Then: success or failure", "hold A or B", "ring or little finger"],
  ["Discard while recording", "hold the stick down", "–"],
  ["Next camera", "stick to the side", "–"],
];

/** The same for a robot's hand: one hand leads and does nothing else, all of this is the other's. */
const FINGER_CONTROLS: typeof CONTROLS = [
  ["Lead the robot's fingers", "squeeze the grip, and hold it", "thumb and index finger together"],
  ["Measure your hand, once", "hold the trigger", "thumb and middle finger together"],
  ["Record, and stop", "hold A (or X)", "thumb and ring finger together"],
  ["Then: success or failure", "hold A or B", "ring or little finger"],
  ["Discard while recording", "hold the stick down", "–"],
  ["Next camera", "stick to the side", "–"],
];
const FINGERS_LEAD =
  "Your bare hand of the same side as the robot's leads its fingers: put its controller down. Your other hand does all of this:";

const EMULATED_KEYS =
  "Emulated headset: arrow keys, Page Up and Page Down move the right controller; space squeezes, T pulls the trigger, A, B and S are its buttons and the stick; H changes to bare hands and back, with which space pinches with the left hand and F with the right one; Esc leaves.";

/** Draws the page anew at each call; a code that is being typed stays. */
export function createEntryPage(root: HTMLElement, actions: EntryActions): (state: EntryState) => void {
  let typed = "";
  return (state) => {
    const form =
      state.pairing === "unpaired" ? codeForm(typed, actions.pair, (text) => (typed = text)) : undefined;
    const keepsFocus = document.activeElement?.id === "code";
    root.replaceChildren(
      element("header", {}, element("h1", {}, "Move the robot with your hands"), stateLine(state)),
      ...(state.refusal !== undefined ? [refusalBox(state.refusal)] : []),
      ...(state.obstacle !== undefined ? [obstacleBox(state.obstacle)] : []),
      ...(form !== undefined ? [form] : [entrance(state, actions)]),
      ...(state.isEmulated ? [element("p", { className: "quiet" }, EMULATED_KEYS)] : []),
      controlsTable(leadsFingers(state)),
      footer(state, actions),
    );
    if (keepsFocus) document.getElementById("code")?.focus();
  };
}

function stateLine({ pairing, link, welcome, device, isEmulated }: EntryState): HTMLElement {
  const [tone, text] =
    pairing === "checking"
      ? ["wait", "Checking the pairing"]
      : pairing === "unpaired"
        ? ["bad", "Not paired yet"]
        : link === "open" && welcome !== undefined
          ? [
              "good",
              `Connected to ${welcome.cell} as ${device}${welcome.role === "observer" ? ", to look only" : ""}`,
            ]
          : link === "refused"
            ? ["bad", "The robot's computer refuses this headset"]
            : ["wait", "Looking for the robot's computer"];
  return element(
    "p",
    { className: `state ${tone}`, id: "state" },
    text,
    ...(isEmulated ? [element("span", { className: "tag" }, "emulated headset")] : []),
  );
}

function entrance(state: EntryState, { enter }: EntryActions): HTMLElement {
  const isReady =
    state.link === "open" &&
    state.welcome?.role === "operator" &&
    state.obstacle === undefined &&
    !state.isInside;
  const button = (text: string, id: string, mode: "immersive-vr" | "immersive-ar", className: string) =>
    element("button", { id, className, disabled: !isReady, onclick: () => enter(mode) }, text);
  return element(
    "section",
    { className: "entrance" },
    button("Enter VR", "enter-vr", "immersive-vr", "main"),
    ...(state.hasPassthrough
      ? [button("Enter, with the room in view", "enter-ar", "immersive-ar", "second")]
      : []),
    element(
      "p",
      { className: "quiet" },
      "The robot moves only while you hold the clutch. Letting go, taking the headset off, or losing the connection holds it.",
    ),
  );
}

function codeForm(typed: string, pair: (code: string) => void, onType: (text: string) => void): HTMLElement {
  const input = element("input", {
    id: "code",
    ariaLabel: "Code",
    value: typed,
    autocomplete: "off" as AutoFill,
    autocapitalize: "characters",
    spellcheck: false,
    placeholder: "ABCD2345",
    maxLength: 20,
    oninput: () => onType(input.value),
  });
  return element(
    "form",
    {
      className: "pair",
      onsubmit: (event: Event) => {
        event.preventDefault();
        if (input.value.trim() !== "") pair(input.value.trim().toUpperCase());
      },
    },
    element("h2", {}, "Pair this headset"),
    element("p", {}, "On the robot's computer run "),
    element("pre", {}, "./cerebellum pair"),
    element(
      "p",
      {},
      "Open the address that it shows, or type the code here. A code works once, for five minutes.",
    ),
    element(
      "div",
      { className: "row" },
      input,
      element("button", { className: "main", type: "submit" }, "Pair"),
    ),
  );
}

const refusalBox = ({ happened, remedy }: Refusal): HTMLElement =>
  element(
    "section",
    { className: "box bad", id: "refusal", role: "alert" },
    element("strong", {}, `${happened}.`),
    element("p", {}, `${remedy}.`),
  );

const obstacleBox = ({ title, text, remedies }: Obstacle): HTMLElement =>
  element(
    "section",
    { className: "box warn", id: "obstacle" },
    element("strong", {}, title),
    element("p", {}, text),
    element("ul", {}, ...remedies.map((remedy) => element("li", {}, remedy))),
  );

/** Whether the robot that will be taken is a hand. */
function leadsFingers({ welcome, robot }: EntryState): boolean {
  const robots = welcome?.robots ?? [];
  return (robots.find((one) => one.robot === robot) ?? robots[0])?.device === "allegro";
}

function controlsTable(isFingers: boolean): HTMLElement {
  const row = (tag: "th" | "td", cells: readonly string[]) =>
    element("tr", {}, ...cells.map((cell, index) => element(index === 0 ? "th" : tag, {}, cell)));
  return element(
    "section",
    { id: "controls" },
    ...(isFingers ? [element("p", {}, FINGERS_LEAD)] : []),
    element(
      "table",
      {},
      element("thead", {}, row("th", ["", "Controller", "Bare hand"])),
      element("tbody", {}, ...(isFingers ? FINGER_CONTROLS : CONTROLS).map((cells) => row("td", cells))),
    ),
  );
}

function footer({ pairing, isEmulated }: EntryState, { forget }: EntryActions): HTMLElement {
  const links = [element("a", { href: "/" }, "Console")];
  if (!isEmulated) links.push(element("a", { href: "?emulate=1" }, "No headset here? Emulate one"));
  return element(
    "footer",
    {},
    ...links,
    ...(pairing === "paired"
      ? [element("button", { className: "link", onclick: forget }, "Forget this pairing")]
      : []),
  );
}

type Properties<K extends keyof HTMLElementTagNameMap> = Partial<
  Omit<HTMLElementTagNameMap[K], "children" | "style">
>;

/** Text becomes text nodes: nothing that the gateway says is ever read as HTML. */
function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Properties<K>,
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}
