/** The velocity that a walking policy is asked for: within the range it was trained in, and nothing or enough. */
import type { VelocityCommand } from "../../core/floatingBase.js";
import type { CommandRule } from "./manifest.js";

export const STANDING: VelocityCommand = { forwardMPerS: 0, leftMPerS: 0, yawRateRadPerS: 0 };

/** Numbers that are not finite count as zero. Writes forward, left [m/s], yaw [rad/s] into `into`. */
export function applyCommandRule(asked: VelocityCommand, rule: CommandRule, into: Float64Array): void {
  into[0] = component(asked.forwardMPerS, rule.cutoff.forwardMPerS, rule.range.forwardMPerS);
  into[1] = component(asked.leftMPerS, rule.cutoff.leftMPerS, rule.range.leftMPerS);
  into[2] = component(asked.yawRateRadPerS, rule.cutoff.yawRateRadPerS, rule.range.yawRateRadPerS);
}

function component(asked: number, cutoff: number, [low, high]: readonly [number, number]): number {
  if (!Number.isFinite(asked)) return 0;
  const within = Math.min(high, Math.max(low, asked));
  return Math.abs(within) < cutoff ? 0 : within;
}
