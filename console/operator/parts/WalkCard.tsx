/** Steering a robot on legs: with what, how fast, what its policy takes of it, and who else steers. */
import type { Telemetry } from "../../../core/gateway/server.js";
import { type SteeringStatus, VELOCITY_FIELDS } from "../../../core/gateway/steering.js";
import { fixed } from "../../shared/format.js";
import { PACES, type PaceName } from "../sources/velocityStream.js";
import { useApp } from "../state/context.js";
import { type PageSource, walkOf } from "../state/driveControl.js";
import { useValue } from "../state/value.js";
import { Choices } from "./Choices.js";
import { SourceHelp } from "./SourceHelp.js";

const SOURCES: readonly (readonly [PageSource, string])[] = [
  ["keyboard", "Keyboard"],
  ["gamepad", "Gamepad"],
  ["spacemouse", "SpaceMouse"],
];
const WORDS = { forwardMPerS: "forward", leftMPerS: "left", yawRateRadPerS: "turn left" } as const;
const UNITS = { forwardMPerS: "m/s", leftMPerS: "m/s", yawRateRadPerS: "rad/s" } as const;

export function WalkCard({ robot }: { robot: string }) {
  const app = useApp();
  const { drive } = app;
  const telemetry = useValue(app.telemetry);
  const isDriving = useValue(drive.isDriving);
  const isHeld = useValue(drive.isHeld);
  const source = useValue(drive.source);
  const pace = useValue(drive.pace);
  const letGoWhy = useValue(drive.letGoWhy);
  const me = useValue(app.welcome)?.client;
  const steering = telemetry?.policy?.steering ?? undefined;
  const cannot = whyNot(app.isOperator, telemetry, robot);
  const other = steering !== undefined && steering.by !== "" && steering.by !== me ? steering.by : "";
  return (
    <section class="card teleop" aria-labelledby="walk">
      <div class="spread">
        <h2 id="walk">Walking</h2>
        <span class={isHeld ? "chip on" : "chip"} data-walk={isHeld ? "held" : isDriving ? "ready" : "off"}>
          {isHeld ? "It is asked to walk" : isDriving ? "Ready: hold to walk" : "You do not steer"}
        </span>
      </div>
      <Choices label="Steer with" options={SOURCES} chosen={source} onChoose={(next) => drive.choose(next)} />
      {isDriving ? (
        <button type="button" class="button wide" onClick={() => void drive.give()}>
          Steer no more
        </button>
      ) : (
        <button
          type="button"
          class="button primary wide big"
          disabled={cannot !== ""}
          onClick={() => drive.walk(robot)}
        >
          Steer the robot
        </button>
      )}
      {cannot !== "" && <p class="quiet">{cannot}</p>}
      {other !== "" && <p class="why care">{other} steers it now.</p>}
      {letGoWhy !== "" && isDriving && <p class="why care">Let go: {letGoWhy}.</p>}
      <SourceHelp source={source} walks />
      {isDriving && (
        <Choices
          label="Pace"
          options={Object.entries(PACES).map(([name, { words }]) => [name as PaceName, words] as const)}
          chosen={pace}
          onChoose={(next) => drive.setPace(next)}
        />
      )}
      {steering !== undefined && <Velocities steering={steering} />}
    </section>
  );
}

function whyNot(isOperator: boolean, telemetry: Telemetry | undefined, robot: string): string {
  if (!isOperator) return "This browser is paired as an observer: it may look and stop.";
  const policy = telemetry?.policy;
  if (policy == null || policy.policy === "") return "No policy is loaded: without one nobody walks.";
  if (policy.steering?.robot !== robot) return `Policy ${policy.policy} takes no velocity.`;
  return walkOf(telemetry, robot) === undefined ? "The policy does not run: start it first." : "";
}

function Velocities({ steering: { range, cutoff, given } }: { steering: SteeringStatus }) {
  return (
    <table class="stages" aria-label="What the policy is asked for">
      <thead>
        <tr>
          <th>asked for</th>
          <th class="number">now</th>
          <th class="number">from</th>
          <th class="number">to</th>
          <th class="number">stands below</th>
        </tr>
      </thead>
      <tbody>
        {VELOCITY_FIELDS.map((field) => (
          <tr key={field} data-velocity={field}>
            <td>
              {WORDS[field]} <span class="quiet">{UNITS[field]}</span>
            </td>
            <td class="number">{fixed(given[field], 2)}</td>
            <td class="number">{fixed(range[field][0], 2)}</td>
            <td class="number">{fixed(range[field][1], 2)}</td>
            <td class="number">{fixed(cutoff[field], 2)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
