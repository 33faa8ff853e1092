/** Each joint's measured place within its limits, the tool and the gripper, as numbers that do not dance. */
import type { RobotDescription } from "../../../core/gateway/server.js";
import { degrees, fixed, UNKNOWN } from "../../shared/format.js";
import { isHand, jointGroups, type NamedJoint } from "../../shared/joints.js";
import { useApp } from "../state/context.js";
import { useValue } from "../state/value.js";

/** A joint that is nearer to its limit than this share of its range is marked. */
const NEAR_SHARE = 0.04;

export function JointStrip({ robot }: { robot: RobotDescription }) {
  const state = useValue(useApp().telemetry)?.robots[robot.robot];
  return (
    <section
      class={isHand(robot) ? "card joints fingers" : "card joints"}
      aria-label={`${robot.robot}: joints`}
    >
      {jointGroups(robot).map(({ name, joints }) => (
        <ol key={name} aria-label={name === "" ? undefined : `${name} finger`}>
          {name !== "" && <li class="finger">{name}</li>}
          {joints.map((one) => (
            <JointRow key={one.label} {...one} robot={robot} atRad={state?.positionRad[one.joint]} />
          ))}
        </ol>
      ))}
      {!isHand(robot) && <ToolFigures robot={robot} />}
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
