/** The keys as they lie on the keyboard, lit while they are down, and pads that do the same under a finger. */
import { useRef, useState } from "preact/hooks";
import { KEY_AXES } from "../sources/keyboardSource.js";
import { PADS, type PadName } from "../sources/padSource.js";
import { useApp } from "../state/context.js";
import { useValue } from "../state/value.js";

interface Layout {
  readonly words: string;
  /** Columns and rows of keys; null is a gap. */
  readonly blocks: readonly (readonly (readonly (string | null)[])[])[];
  readonly pads: readonly (readonly [pad: PadName, words: string])[];
}

/** What can be moved: a tool has six directions and a gripper, a robot that walks three. */
const LAYOUTS = {
  tool: {
    words: "Keys and pads that move the arm",
    blocks: [
      [
        ["KeyQ", "KeyW", "KeyE"],
        ["KeyA", "KeyS", "KeyD"],
      ],
      [
        ["Comma", "ArrowUp", "Period"],
        ["ArrowLeft", "ArrowDown", "ArrowRight"],
      ],
    ],
    pads: (Object.keys(PADS) as PadName[]).map((pad) => [pad, PADS[pad].words]),
  },
  walk: {
    words: "Keys and pads that steer the robot",
    blocks: [
      [
        [null, "KeyW", null],
        ["KeyA", "KeyS", "KeyD"],
      ],
      [
        [null, null, null],
        ["ArrowLeft", null, "ArrowRight"],
      ],
    ],
    pads: [
      ["move", "Walk"],
      ["turn", "Turn"],
    ],
  },
} as const satisfies Readonly<Record<string, Layout>>;
const CAPS: Readonly<Record<string, string>> = {
  ArrowUp: "↑",
  ArrowDown: "↓",
  ArrowLeft: "←",
  ArrowRight: "→",
  Comma: ",",
  Period: ".",
};
const capOf = (code: string) => CAPS[code] ?? code.replace("Key", "");

export function DriveKeys({ moves }: { moves: keyof typeof LAYOUTS }) {
  const app = useApp();
  const { drive } = app;
  useValue(drive.pressed);
  const isDriving = useValue(drive.isDriving);
  const isHeld = useValue(drive.isHeld);
  const source = useValue(drive.source);
  const { words, blocks, pads }: Layout = LAYOUTS[moves];
  return (
    <section class={isDriving ? "card keys" : "card keys idle"} aria-label={words}>
      {source === "keyboard" && (
        <>
          <div class={drive.keyboard.isHeld ? "cap clutch down" : "cap clutch"}>
            <kbd>Shift</kbd>
            <span>hold to move</span>
          </div>
          {blocks.map((rows, block) => (
            <div key={block} class="block">
              {rows.flat().map((code, place) => {
                const down = code !== null && drive.keyboard.down.has(code);
                return code === null ? (
                  <i key={`gap ${place}`} />
                ) : (
                  <div key={code} class={down ? "cap down" : "cap"}>
                    <kbd>{capOf(code)}</kbd>
                    <span>{KEY_AXES[code]?.words}</span>
                  </div>
                );
              })}
            </div>
          ))}
        </>
      )}
      {moves === "tool" && <GripperKey isHeld={isHeld} />}
      <div class="pads">
        {pads.map(([pad, words]) => (
          <Pad key={pad} pad={pad} words={words} isEnabled={isDriving} />
        ))}
      </div>
      <span class="unseen" role="status">
        {isHeld ? "moving" : ""}
      </span>
    </section>
  );
}

function GripperKey({ isHeld }: { isHeld: boolean }) {
  const { drive } = useApp();
  const isClosed = drive.gripper >= 0.5;
  return (
    <button
      type="button"
      class={isClosed ? "cap tall down" : "cap tall"}
      disabled={!isHeld}
      title={isHeld ? "" : "While you hold, as everything that moves"}
      // The other hand's finger is on a pad: a browser makes clicks of the first finger only.
      onPointerDown={({ button }) => {
        if (button === 0) drive.toggleGripper();
      }}
      onClick={({ detail }) => {
        if (detail === 0) drive.toggleGripper();
      }}
    >
      <kbd>G</kbd>
      <span>{isClosed ? "open gripper" : "close gripper"}</span>
    </button>
  );
}

function Pad({ pad, words, isEnabled }: { pad: PadName; words: string; isEnabled: boolean }) {
  const { drive } = useApp();
  const start = useRef({ x: 0, y: 0 });
  const [knob, setKnob] = useState({ x: 0, y: 0 });
  const isDown = drive.pad.pointerOn(pad) !== undefined;
  const end = (event: PointerEvent) => drive.pad.lift(pad, event.pointerId);
  return (
    <button
      type="button"
      class={isDown ? `pad ${pad} down` : `pad ${pad}`}
      disabled={!isEnabled}
      aria-label={`${words}: press, hold and drag`}
      data-pad={pad}
      onPointerDown={(event) => {
        if (event.button !== 0 || !isEnabled) return;
        event.preventDefault();
        if (drive.pad.pointerOn(pad) !== undefined) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        start.current = { x: event.clientX, y: event.clientY };
        drive.pad.press(pad, event.pointerId);
        setKnob({ x: 0, y: 0 });
      }}
      onPointerMove={(event) => {
        if (event.pointerId !== drive.pad.pointerOn(pad)) return;
        const [right, down] = [event.clientX - start.current.x, event.clientY - start.current.y];
        drive.pad.move(pad, event.pointerId, right, -down);
        setKnob({ x: PADS[pad].across === undefined ? 0 : bound(right), y: bound(down) });
      }}
      onPointerUp={end}
      onPointerCancel={end}
      onLostPointerCapture={end}
      onContextMenu={(event) => event.preventDefault()}
    >
      <i style={{ transform: isDown ? `translate(${knob.x}px, ${knob.y}px)` : "" }} aria-hidden="true" />
      <span>{words}</span>
    </button>
  );
}

const bound = (px: number): number => Math.min(30, Math.max(-30, px));
