/** Each joint's measured place within its limits, the tool and the gripper, as numbers that do not dance. */
import type { RobotDescription } from "../../../core/gateway/server.js";
import { degrees, fixed, UNKNOWN } from "../../shared/format.js";
import { groupWords, jointGroups, kindOf, type NamedJoint } from "../../shared/joints.js";
import { useApp } from "../state/context.js";
import { useValue } from "../state/value.js";

/** A joint that is nearer to its limit than this share of its range is marked. */
const NEAR_SHARE = 0.04;

export function JointStrip({ robot }: { robot: RobotDescription }) {
  const state = useValue(useApp().telemetry)?.robots[robot.robot];
  return (
    <section
      class={kindOf(robot) === "arm" ? "card joints" : "card joints groups"}
      aria-label={`${robot.robot}: joints`}
    >
      {jointGroups(robot).map(({ name, joints }) => (
        <ol key={name} aria-label={name === "" ? undefined : groupWords(robot, name)}>
          {name !== "" && <li class="group">{name}</li>}
          {joints.map((one) => (
            <JointRow key={one.label} {...one} robot={robot} atRad={state?.positionRad[one.joint]} />
          ))}
        </ol>
      ))}
      {kindOf(robot) === "arm" && <ToolFigures robot={robot} />}
      {kindOf(robot) === "legs" && <BaseFigures robot={robot} />}
    </section>
  );
}

interface JointRowProps extends NamedJoint {
  readonly robot: RobotDescription;
  readonly atRad: number | null | undefined;
}

function JointRow({ joint, label, robot, atRad }: JointRowProps) {
  const [min, max] = [robot.positionMinRad[joint]!, robot.positionMaxRad[joint]!];
  const share = atRad == null ? undefined : (atRad - min) / (max - min);
  const isNear = share !== undefined && (share < NEAR_SHARE || share > 1 - NEAR_SHARE);
  return (
    <li title={`${degrees(min, 0)}° to ${degrees(max, 0)}°`}>
      <span class="quiet">{label}</span>
      <span class="track" aria-hidden="true">
        {share !== undefined && (
          <i class={isNear ? "near" : ""} style={{ left: `${100 * Math.min(1, Math.max(0, share))}%` }} />
        )}
      </span>
      <span class={isNear ? "number warn" : "number"}>{degrees(atRad)}°</span>
    </li>
  );
}

/** Where the torso is, and how it leans: of its whole turn in the world what is not yaw. */
function BaseFigures({ robot }: { robot: RobotDescription }) {
  const base = useValue(useApp().telemetry)?.robots[robot.robot]?.base;
  const [qx = 0, qy = 0] = base?.quatXyzw ?? [];
  const figures: readonly (readonly [string, string])[] = [
    ...["x", "y", "height"].map(
      (axis, index) => [axis, `${base == null ? UNKNOWN : fixed(base.positionM[index]!, 2)} m`] as const,
    ),
    ["lean", `${base == null ? UNKNOWN : degrees(2 * Math.asin(Math.min(1, Math.hypot(qx, qy))))}°`],
  ];
  return (
    <dl class="tool">
      {figures.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function ToolFigures({ robot }: { robot: RobotDescription }) {
  const state = useValue(useApp().telemetry)?.robots[robot.robot];
  const tool = state?.tool?.positionM;
  return (
    <dl class="tool">
      {["x", "y", "z"].map((axis, index) => (
        <div key={axis}>
          <dt>{axis}</dt>
          <dd>{tool === undefined ? UNKNOWN : fixed(1000 * tool[index]!, 0)} mm</dd>
        </div>
      ))}
      {robot.hasGripper && (
        <div>
          <dt>gripper</dt>
          <dd>{state?.gripperOpeningM == null ? UNKNOWN : fixed(1000 * state.gripperOpeningM, 0)} mm</dd>
        </div>
      )}
    </dl>
  );
}
