/** Taking and giving back the arm, with what, how fast, and what is in the way. */
import { useState } from "preact/hooks";
import type { TeleopStatus } from "../../../core/gateway/server.js";
import { fixed, milliseconds, UNKNOWN } from "../../shared/format.js";
import { SPEEDS, type SpeedName, STANDPOINTS, type Standpoint } from "../sources/driveInput.js";
import { useApp } from "../state/context.js";
import type { PageSource } from "../state/driveControl.js";
import { useValue } from "../state/value.js";
import { Choices } from "./Choices.js";
import { LatencyBar } from "./LatencyBar.js";
import { PairHeadset } from "./PairHeadset.js";
import { SourceHelp } from "./SourceHelp.js";

const STATE_WORDS: Readonly<Record<TeleopStatus["state"], string>> = {
  off: "Nobody drives",
  ready: "Ready: hold to move",
  engaging: "Asking for the arm …",
  engaged: "The arm follows",
  latched: "Let go, then press again",
};
const SOURCES: readonly (readonly [PageSource | "headset", string])[] = [
  ["keyboard", "Keyboard"],
  ["headset", "Headset"],
  ["gamepad", "Gamepad"],
  ["spacemouse", "SpaceMouse"],
];
const SCALE_RANGE = { min: 0.1, max: 2, step: 0.1 } as const;

export function TeleopCard({ robot }: { robot: string }) {
  const app = useApp();
  const { drive } = app;
  const status = useValue(app.teleop);
  const isDriving = useValue(drive.isDriving);
  const source = useValue(drive.source);
  const letGoWhy = useValue(drive.letGoWhy);
  const state = useValue(app.telemetry)?.robots[robot]?.state;
  const [wantsHeadset, setWantsHeadset] = useState(false);
  if (status === undefined) return null;
  const other = status.operator !== "" && !isDriving ? status.operator : "";
  const cannot = whyNot(app.isOperator, state, other);
  const isLatched = status.state === "latched";
  const showsHeadset = wantsHeadset && !isDriving;
  return (
    <section class="card teleop" aria-labelledby="teleop">
      <div class="spread">
        <h2 id="teleop">Teleoperation</h2>
        <span class={chipOf(status.state)} data-teleop={status.state}>
          {STATE_WORDS[status.state]}
        </span>
      </div>
      <Choices
        label="Drive with"
        isTight
        options={SOURCES}
        chosen={showsHeadset ? "headset" : source}
        onChoose={(next) => {
          setWantsHeadset(next === "headset");
          if (next !== "headset") drive.choose(next);
          // The headset cannot take what this page has.
          else if (isDriving) void drive.give();
        }}
      />
      {showsHeadset ? (
        <PairHeadset />
      ) : isDriving ? (
        <button type="button" class="button wide" onClick={() => void drive.give()}>
          Give the arm back
        </button>
      ) : (
        <button
          type="button"
          class="button primary wide big"
          disabled={cannot !== ""}
          onClick={() => void drive.take(robot)}
        >
          Drive the arm
        </button>
      )}
      {cannot !== "" && <p class="quiet">{cannot}</p>}
      {status.why !== null && (
        <p class={isLatched ? "why" : "why care"} role="alert">
          {status.why.happened}. <span class="quiet">{status.why.remedy}.</span>
        </p>
      )}
      {letGoWhy !== "" && isDriving && <p class="why care">Let go: {letGoWhy}.</p>}
      {!showsHeadset && <SourceHelp source={source} />}
      {(isDriving || other !== "") && <Settings status={status} />}
    </section>
  );
}

function whyNot(isOperator: boolean, state: string | undefined, other: string): string {
  if (!isOperator) return "This browser is paired as an observer: it may look and stop.";
  if (other !== "") return `${other} drives the arm now.`;
  if (state === undefined) return "The arm has not told its state yet.";
  if (state === "holding" || state === "following") return "";
  if (state === "connected") return "The arm is not enabled: press Enable above.";
  if (state === "teaching") return "The arm is led by hand now: press Hold again first.";
  return "Reset and enable the arm first.";
}

const chipOf = (state: TeleopStatus["state"]): string =>
  state === "engaged" ? "chip on" : state === "latched" ? "chip bad" : "chip";

function Settings({ status }: { status: TeleopStatus }) {
  const app = useApp();
  const { drive } = app;
  const isDriving = useValue(drive.isDriving);
  const speed = useValue(drive.speed);
  const standpoint = useValue(drive.standpoint);
  // Between two holds a page sends nothing: its rate and age mean something only meanwhile.
  const isHeld = status.state === "engaging" || status.state === "engaged";
  return (
    <>
      {isDriving && (
        <Choices
          label="Speed"
          options={Object.entries(SPEEDS).map(([name, { words }]) => [name as SpeedName, words] as const)}
          chosen={speed}
          onChoose={(speed) => drive.setSpeed(speed)}
        />
      )}
      <div class="row even">
        <label class="field">
          I stand
          <select
            value={standpoint}
            onChange={(event) => drive.setStandpoint(event.currentTarget.value as Standpoint)}
          >
            {Object.entries(STANDPOINTS).map(([name, { words }]) => (
              <option key={name} value={name}>
                {words}
              </option>
            ))}
          </select>
        </label>
        <ScaleSlider scale={status.translationScale} isEnabled={isDriving} />
      </div>
      <p class="limits" role="status">
        {status.limitedBy.length === 0 ? (
          <span class="quiet">nothing holds it back</span>
        ) : (
          <span class="warn">held back by {status.limitedBy.join(", ")}</span>
        )}
      </p>
      {status.warning !== "" && (
        <p class="limits" role="status">
          <span class="warn">{status.warning}</span>
        </p>
      )}
      <dl class="facts">
        <Fact
          words="poses"
          value={isHeld && status.rateHz !== null ? `${fixed(status.rateHz, 0)} Hz` : UNKNOWN}
        />
        <Fact words="age" value={isHeld ? milliseconds(status.poseAgeMs) : UNKNOWN} />
        <Fact words="lost" value={String(status.lost)} />
        <Fact
          words="behind"
          value={status.leashM === null ? UNKNOWN : `${fixed(1000 * status.leashM, 0)} mm`}
        />
      </dl>
      <LatencyBar latency={status.latency} />
    </>
  );
}

/** The daemon tells its scale twenty times a second: while somebody drags, the slider is his. */
function ScaleSlider({ scale, isEnabled }: { scale: number; isEnabled: boolean }) {
  const app = useApp();
  const [wanted, setWanted] = useState<number | undefined>(undefined);
  return (
    <label class="field">
      Scale ×{fixed(wanted ?? scale, 1)}
      <input
        type="range"
        {...SCALE_RANGE}
        value={wanted ?? scale}
        disabled={!isEnabled}
        onInput={(event) => setWanted(Number(event.currentTarget.value))}
        onChange={(event) => {
          const translationScale = Number(event.currentTarget.value);
          void app.ask({ do: "teleopSettings", translationScale }).then(() => setWanted(undefined));
        }}
      />
    </label>
  );
}

const Fact = ({ words, value }: { words: string; value: string }) => (
  <div>
    <dt>{words}</dt>
    <dd>{value}</dd>
  </div>
);
