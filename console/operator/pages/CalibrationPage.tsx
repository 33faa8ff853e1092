/** How trackers lie to the robot, and the guided motion that finds it out: three strokes of a hand. */
import "./calibration.css";
import { useEffect, useState } from "preact/hooks";
import { CalibrationStatus, STROKES } from "../../../core/gateway/library.js";
import type { GatewayRequest } from "../../../core/gateway/requests.js";
import { dayAndTime, fixed } from "../../shared/format.js";
import { useAsked } from "../state/asked.js";
import { useApp } from "../state/context.js";
import { useValue } from "../state/value.js";

type Running = NonNullable<CalibrationStatus["running"]>;
type Stroke = (typeof STROKES)[number];
/** A stroke of this length gives a direction that can be trusted [m]. */
const LENGTH_WANTED_M = 0.3;
const POLL_MS = 300;

/** Directions on the drawing: the base's x goes up the page, y to the left, z out of it along a slope. */
const ARROWS: Readonly<Record<Stroke, { x: number; y: number; words: string }>> = {
  forward: { x: 0, y: -1, words: "x, away from the base" },
  left: { x: -1, y: 0, words: "y, to its left" },
  up: { x: 0.64, y: -0.64, words: "z, up" },
};

export function CalibrationPage() {
  const app = useApp();
  const { data, again } = useAsked({ do: "calibrationStatus" }, CalibrationStatus);
  const devices = useValue(app.teleop)?.device ?? "";
  const [device, setDevice] = useState("");
  const running = data?.running ?? null;
  useEffect(() => {
    if (running === null) return;
    return app.clock.every(POLL_MS, () => {
      if (app.isVisible.current && app.linkState.current === "open") again();
    });
  }, [app, running === null]);
  const act = async (request: GatewayRequest) => {
    await app.ask(request);
    again();
  };
  const name = device.trim() || devices;
  return (
    <div class="page">
      <h1>Calibration</h1>
      <p class="quiet">
        A tracker has axes of its own. Three strokes along the robot's axes tell how they lie; until then
        point it along the robot's x axis and recentre. A headset's lie otherwise after each start: recentre
        it.
      </p>
      {running !== null ? (
        <Guide running={running} act={act} />
      ) : (
        <div class="card">
          <h2>Calibrate a tracker</h2>
          <div class="row">
            <label class="field inline">
              Device
              <input
                list="devices"
                value={device}
                placeholder={devices || "vive"}
                onInput={(event) => setDevice(event.currentTarget.value)}
              />
              <datalist id="devices">
                {data?.known.map((one) => (
                  <option key={one.device} value={one.device} />
                ))}
              </datalist>
            </label>
            <button
              type="button"
              class="button primary"
              disabled={name === "" || !app.isOperator}
              onClick={() => void act({ do: "calibrationStart", device: name })}
            >
              Calibrate {name}
            </button>
          </div>
        </div>
      )}
      <div class="card">
        <h2>In force</h2>
        <table>
          <thead>
            <tr>
              <th>device</th>
              <th>space</th>
              <th>from</th>
              <th class="number">residual</th>
              <th>identity</th>
              <th />
            </tr>
          </thead>
          <tbody>
            {data?.known.map((one) => (
              <tr key={one.sha256}>
                <td>
                  <strong>{one.device}</strong>
                </td>
                <td>{one.space}</td>
                <td>{dayAndTime(one.createdEpochMs)}</td>
                <td class="number">{fixed(one.residualDeg, 1)}°</td>
                <td>
                  <code class="quiet">{one.sha256.slice(0, 12)}</code>
                </td>
                <td>
                  <button
                    type="button"
                    class="button"
                    aria-label={`Calibrate ${one.device} again`}
                    disabled={!app.isOperator || running !== null}
                    onClick={() => void act({ do: "calibrationStart", device: one.device })}
                  >
                    Again
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
        {data?.known.length === 0 && <p class="quiet">None yet.</p>}
      </div>
    </div>
  );
}

function Guide({ running, act }: { running: Running; act: (request: GatewayRequest) => Promise<void> }) {
  const { isOperator } = useApp();
  const { stroke, isMoving, lengthM, instruction, result, device } = running;
  return (
    <div class="card guide">
      <StrokeDrawing running={running} />
      <div class="words">
        <h2>{device}</h2>
        <ol class="steps">
          {STROKES.map((one, index) => {
            const at = stroke === null ? STROKES.length : STROKES.indexOf(stroke);
            return (
              <li
                key={one}
                class={index === at ? "chip on" : "chip"}
                aria-current={index === at ? "step" : undefined}
              >
                {index < at ? "✓ " : ""}
                {one}
              </li>
            );
          })}
        </ol>
        <p class="instruction" role="status">
          {instruction}
        </p>
        {stroke !== null && (
          <>
            <p class="quiet">
              {fixed(100 * lengthM, 0)} cm of {fixed(100 * LENGTH_WANTED_M, 0)} cm
            </p>
            <button
              type="button"
              class="button primary"
              disabled={!isOperator}
              onClick={() => void act({ do: "calibrationStroke", phase: isMoving ? "end" : "begin" })}
            >
              {isMoving ? "The stroke is done" : "Begin the stroke"}
            </button>
          </>
        )}
        {result !== null && (
          <p class={result.problem === null ? "" : "why"}>
            Residual {fixed(result.residualDeg, 1)}°, tilt {fixed(result.tiltDeg, 1)}°.{" "}
            {result.problem ?? "Good: the strokes fit together."}
          </p>
        )}
        <div class="row">
          {result !== null && result.problem === null && (
            <button
              type="button"
              class="button primary"
              disabled={!isOperator}
              onClick={() => void act({ do: "calibrationFinish", keep: true })}
            >
              Keep it
            </button>
          )}
          <button
            type="button"
            class="button"
            disabled={!isOperator}
            onClick={() => void act({ do: "calibrationFinish", keep: false })}
          >
            Give up
          </button>
        </div>
      </div>
    </div>
  );
}

/** The robot from above, with the arrow to follow; it fills as the hand moves. */
function StrokeDrawing({ running: { stroke, lengthM } }: { running: Running }) {
  const share = Math.min(1, lengthM / LENGTH_WANTED_M);
  return (
    <svg
      class="strokes"
      viewBox="-110 -110 220 170"
      role="img"
      aria-label={stroke === null ? "All strokes are done" : `Move ${stroke}`}
    >
      <circle r="17" class="base" />
      <circle r="8" class="base" />
      {STROKES.map((name) => {
        const { x, y, words } = ARROWS[name];
        const [toX, toY] = [86 * x, 86 * y];
        return (
          <g key={name} class={name === stroke ? "arrow now" : "arrow"}>
            <line x1={22 * x} y1={22 * y} x2={toX} y2={toY} />
            <circle cx={toX} cy={toY} r="4" />
            {name === stroke && (
              <line
                class="done"
                x1={22 * x}
                y1={22 * y}
                x2={22 * x + 64 * x * share}
                y2={22 * y + 64 * y * share}
              />
            )}
            <text x={toX} y={toY - 9} text-anchor="middle">
              {words}
            </text>
          </g>
        );
      })}
    </svg>
  );
}
