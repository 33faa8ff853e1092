/** Each joint's measured place within its limits, the tool and the gripper, as numbers that do not dance. */
import type { RobotDescription } from "../../../core/gateway/server.js";
import { degrees, fixed, UNKNOWN } from "../../shared/format.js";
import { useApp } from "../state/context.js";
import { jointLabels } from "../state/history.js";
import { useValue } from "../state/value.js";

/** A joint that is nearer to its limit than this share of its range is marked. */
const NEAR_SHARE = 0.04;

export function JointStrip({ robot }: { robot: RobotDescription }) {
  const state = useValue(useApp().telemetry)?.robots[robot.robot];
  const tool = state?.tool?.positionM;
  return (
    <section class="card joints" aria-label={`${robot.robot}: joints`}>
      <ol>
        {jointLabels(robot).map((label, joint) => {
          const [min, max] = [robot.positionMinRad[joint]!, robot.positionMaxRad[joint]!];
          const at = state?.positionRad[joint];
          const share = at == null ? undefined : (at - min) / (max - min);
          const isNear = share !== undefined && (share < NEAR_SHARE || share > 1 - NEAR_SHARE);
          return (
            <li key={label} title={`${degrees(min, 0)}° to ${degrees(max, 0)}°`}>
              <span class="quiet">{label}</span>
              <span class="track" aria-hidden="true">
                {share !== undefined && (
                  <i
                    class={isNear ? "near" : ""}
                    style={{ left: `${100 * Math.min(1, Math.max(0, share))}%` }}
                  />
                )}
              </span>
              <span class={isNear ? "number warn" : "number"}>{degrees(at)}°</span>
            </li>
          );
        })}
      </ol>
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
    </section>
  );
}
