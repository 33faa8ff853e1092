/** What a robot on legs felt at one moment, as a policy takes it. */
import { createFloatingBase, type FloatingBase, type VelocityCommand } from "../../core/floatingBase.js";
import type { RecordedReading } from "./manifest.js";

export interface BodyReading {
  /** Since the run's first step [s]; the gait's clock follows it. */
  readonly timeS: number;
  /** Motors, in the device's order [rad], [rad/s]. */
  readonly positionRad: ArrayLike<number>;
  readonly velocityRadPerS: ArrayLike<number>;
  readonly base: FloatingBase;
  /** As asked for, before cut-offs and ranges. */
  readonly command: VelocityCommand;
}

export function fromRecorded(recorded: RecordedReading): BodyReading {
  const base = createFloatingBase(recorded.passivePositionRad.length);
  base.quatWorldBaseXyzw.set(recorded.quatWorldBaseXyzw);
  base.linearVelocityBaseMPerS.set(recorded.linearVelocityBaseMPerS);
  base.angularVelocityBaseRadPerS.set(recorded.angularVelocityBaseRadPerS);
  base.passivePositionRad.set(recorded.passivePositionRad);
  base.passiveVelocityRadPerS.set(recorded.passiveVelocityRadPerS);
  const [forwardMPerS, leftMPerS, yawRateRadPerS] = recorded.command as [number, number, number];
  return {
    timeS: recorded.timeS,
    positionRad: recorded.positionRad,
    velocityRadPerS: recorded.velocityRadPerS,
    base,
    command: { forwardMPerS, leftMPerS, yawRateRadPerS },
  };
}

/** A copy with every number that a policy can read, to the last bit. */
export function toRecorded({
  timeS,
  positionRad,
  velocityRadPerS,
  base,
  command,
}: BodyReading): RecordedReading {
  return {
    timeS,
    positionRad: Array.from(positionRad),
    velocityRadPerS: Array.from(velocityRadPerS),
    passivePositionRad: Array.from(base.passivePositionRad),
    passiveVelocityRadPerS: Array.from(base.passiveVelocityRadPerS),
    quatWorldBaseXyzw: Array.from(base.quatWorldBaseXyzw),
    linearVelocityBaseMPerS: Array.from(base.linearVelocityBaseMPerS),
    angularVelocityBaseRadPerS: Array.from(base.angularVelocityBaseRadPerS),
    command: [command.forwardMPerS, command.leftMPerS, command.yawRateRadPerS],
  };
}
