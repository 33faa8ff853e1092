/** Joints as asked for, limited, sent and measured; how late the loop is, how old every input. */
import "./signals.css";
import { useMemo, useState } from "preact/hooks";
import type { RobotDescription } from "../../../core/gateway/server.js";
import { REASON_BITS } from "../../../core/reasons.js";
import { DEG_PER_RAD, fixed } from "../../shared/format.js";
import { groupWords, isHand, jointGroups, jointLabels } from "../../shared/joints.js";
import { Choices } from "../parts/Choices.js";
import { Stages } from "../parts/PolicyCard.js";
import { RobotChoice, useRobot } from "../parts/RobotChoice.js";
import { Plot, type PlotSeries } from "../plots/Plot.js";
import { PlotPacer } from "../plots/pacer.js";
import { useApp, useWant } from "../state/context.js";
import { cameraKey, type JointSeries, jointKey, robotKey } from "../state/history.js";
import { useValue } from "../state/value.js";

const SIGNALS_HZ = 30;
/** More at once cannot be read, and cost drawing time. */
const JOINTS_MAX = 4;

const LINES: Readonly<Record<JointSeries, Omit<PlotSeries, "key">>> = {
  requestedRad: { words: "requested", colour: "--series-requested", dash: [6, 4] },
  limitedRad: { words: "limited", colour: "--series-limited", dash: [2, 3] },
  sentRad: { words: "sent", colour: "--accent", widthPx: 1.5 },
  positionRad: { words: "measured", colour: "--series-measured", widthPx: 1.5 },
  velocityRadPerS: { words: "measured", colour: "--series-measured", widthPx: 1.5 },
  effortNm: { words: "measured", colour: "--series-measured", widthPx: 1.5 },
};

const QUANTITIES = {
  position: {
    words: "Position",
    unit: "°",
    scale: DEG_PER_RAD,
    series: ["requestedRad", "limitedRad", "sentRad", "positionRad"],
  },
  velocity: { words: "Velocity", unit: "°/s", scale: DEG_PER_RAD, series: ["velocityRadPerS"] },
  effort: { words: "Effort", unit: "N·m", scale: 1, series: ["effortNm"] },
} as const satisfies Record<
  string,
  { words: string; unit: string; scale: number; series: readonly JointSeries[] }
>;
type Quantity = keyof typeof QUANTITIES;

/** Torque as it was commanded, in the vendor's own unit: a hand measures none. */
const HAND_EFFORT_UNIT = "vendor's N·m, commanded";

const CAMERA_LINES: readonly Omit<PlotSeries, "key" | "words">[] = [
  { colour: "--accent" },
  { colour: "--series-requested" },
  { colour: "--series-requested", dash: [3, 3] },
];

export function SignalsPage() {
  const robot = useRobot();
  useWant({ telemetryHz: SIGNALS_HZ }, "signals");
  return robot === undefined ? (
    <p class="page quiet">This cell has no robot.</p>
  ) : (
    <Signals key={robot.robot} robot={robot} />
  );
}

function Signals({ robot }: { robot: RobotDescription }) {
  const app = useApp();
  const cameras = useValue(app.welcome)?.cameras ?? [];
  const telemetry = useValue(app.telemetry);
  const pacer = useMemo(() => new PlotPacer(app.clock, app.history, () => app.isVisible.current), [app]);
  const [isPaused, setPaused] = useState(false);
  const [quantity, setQuantity] = useState<Quantity>("position");
  const [joints, setJoints] = useState<readonly number[]>(() => firstJoints(robot));
  const { scale, series } = QUANTITIES[quantity];
  const unit = quantity === "effort" && isHand(robot) ? HAND_EFFORT_UNIT : QUANTITIES[quantity].unit;
  const labels = jointLabels(robot);
  const choose = (joint: number) =>
    setJoints((now) =>
      now.includes(joint)
        ? now.filter((one) => one !== joint)
        : [...now.slice(now.length >= JOINTS_MAX ? 1 : 0), joint].sort((one, other) => one - other),
    );
  const state = telemetry?.robots[robot.robot];
  return (
    <div class="page signals">
      <div class="row">
        <h1>Signals</h1>
        <RobotChoice />
        <Choices
          label="Quantity"
          options={Object.entries(QUANTITIES).map(([name, { words }]) => [name as Quantity, words] as const)}
          chosen={quantity}
          onChoose={setQuantity}
        />
        <JointChoice robot={robot} chosen={joints} onChoose={choose} onChooseAll={setJoints} />
        <button
          type="button"
          class={isPaused ? "button chosen" : "button"}
          aria-pressed={isPaused}
          onClick={() => {
            pacer.isPaused = !isPaused;
            setPaused(!isPaused);
          }}
        >
          {isPaused ? "Go on" : "Pause"}
        </button>
        <span class="limits">{state === undefined ? "" : reasonWords(state.reasons)}</span>
      </div>
      <div class="plots">
        {joints.map((joint) => (
          <Plot
            key={`${quantity} ${joint}`}
            pacer={pacer}
            title={labels[joint]!}
            unit={unit}
            scale={scale}
            heightPx={150}
            series={series.map((name) => ({ ...LINES[name], key: jointKey(robot.robot, name, joint) }))}
          />
        ))}
      </div>
      <div class="plots three">
        <Plot
          pacer={pacer}
          title="Servo lateness"
          unit="µs"
          heightPx={120}
          fromZero
          digits={0}
          series={[
            { key: robotKey(robot.robot, "latenessP50Us"), words: "p50", colour: "--series-measured" },
            { key: robotKey(robot.robot, "latenessP99Us"), words: "p99", colour: "--accent" },
          ]}
        />
        <Plot
          pacer={pacer}
          title="Input ages"
          unit="ms"
          heightPx={120}
          fromZero
          digits={0}
          series={[
            { key: robotKey(robot.robot, "stateAgeMs"), words: robot.robot, colour: "--series-measured" },
            ...cameras.slice(0, CAMERA_LINES.length).map(({ camera }, index) => ({
              ...CAMERA_LINES[index]!,
              key: cameraKey(camera),
              words: camera,
            })),
          ]}
        />
        <section class="card" aria-label="Policy stages">
          <div class="spread">
            <h3>Policy</h3>
            <span class="quiet">{telemetry?.policy?.phase ?? "none"}</span>
          </div>
          {telemetry?.policy != null && <Stages policy={telemetry.policy} />}
          <p class="quiet small">
            lateness max {fixed(state?.latenessUs?.max, 0)} µs
            {cameras.map(
              ({ camera }) => ` · ${camera} skipped ${telemetry?.cameras[camera]?.skipped ?? "–"}`,
            )}
          </p>
        </section>
      </div>
    </div>
  );
}

/** Of an arm those that tell most; of a hand its first finger, of legs the left one's first four. */
const firstJoints = (robot: RobotDescription): number[] =>
  robot.jointGroups === undefined
    ? [0, 1, 3, 5]
    : jointGroups(robot)[0]!
        .joints.slice(0, JOINTS_MAX)
        .map(({ joint }) => joint);

interface JointChoiceProps {
  readonly robot: RobotDescription;
  readonly chosen: readonly number[];
  readonly onChoose: (joint: number) => void;
  readonly onChooseAll: (joints: readonly number[]) => void;
}

/** One button a joint; where joints come in groups, one more for each whole group. */
function JointChoice({ robot, chosen, onChoose, onChooseAll }: JointChoiceProps) {
  return (
    <>
      {jointGroups(robot).map(({ name, joints }) => {
        const all = joints.map(({ joint }) => joint);
        return (
          <fieldset
            key={name}
            class="choices"
            aria-label={name === "" ? "Joints, at most four" : `Joints of the ${groupWords(robot, name)}`}
          >
            {name !== "" && (
              <button
                type="button"
                aria-pressed={
                  chosen.every((joint) => all.includes(joint)) &&
                  chosen.length === Math.min(all.length, JOINTS_MAX)
                }
                onClick={() => onChooseAll(all.slice(0, JOINTS_MAX))}
              >
                {name}
              </button>
            )}
            {joints.map(({ joint, label }) => (
              <button
                key={label}
                type="button"
                aria-pressed={chosen.includes(joint)}
                onClick={() => onChoose(joint)}
              >
                {label}
              </button>
            ))}
          </fieldset>
        );
      })}
    </>
  );
}

function reasonWords(reasons: number) {
  const names = Object.entries(REASON_BITS)
    .filter(([, bit]) => (reasons & bit) !== 0)
    .map(([name]) => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`));
  return names.length === 0 ? (
    <span class="quiet">sent as asked for</span>
  ) : (
    <span class="warn">limited by {names.join(", ")}</span>
  );
}
