/** A servo's snapshot as clients see it: plain numbers, rounded to what a person can tell apart, null where unknown. */
import { type MonotonicNs, nsToMs } from "../../core/clock.js";
import type { FloatingBase } from "../../core/floatingBase.js";
import type { BaseTelemetry, RobotTelemetry } from "../../core/gateway/server.js";
import { ArmChain, poseBuffer } from "../../kinematics/chain.js";
import { quatFromRotation } from "../../kinematics/pose.js";
import type { ServoSnapshot } from "../servo/api.js";
import type { GatewaySetup } from "./messages.js";

/** Decimals: 0.00001 rad is 0.0006 degrees; JSON of full doubles would be more than twice as long. */
const DECIMALS = 5;

/** Turns snapshots of one robot into telemetry; owns the buffers that it needs. */
export class RobotTelemetryMaker {
  /** Undefined for a hand, which has no flange. */
  readonly #chain: ArmChain | undefined;
  readonly #pose = poseBuffer();

  constructor(robot: string, { toolPointsM }: Pick<GatewaySetup, "toolPointsM">) {
    const toolPointM = toolPointsM[robot];
    this.#chain = toolPointM === undefined ? undefined : new ArmChain(undefined, toolPointM);
  }

  make(
    snapshot: ServoSnapshot,
    nowNs: MonotonicNs,
    latenessUs: RobotTelemetry["latenessUs"],
  ): RobotTelemetry {
    return {
      state: snapshot.state,
      epoch: snapshot.epoch,
      commander: snapshot.commander,
      positionRad: numbers(snapshot.positionRad),
      velocityRadPerS: numbers(snapshot.velocityRadPerS),
      effortNm: numbers(snapshot.effortNm),
      requestedRad: numbers(snapshot.requestedRad),
      limitedRad: numbers(snapshot.limitedRad),
      sentRad: numbers(snapshot.sentRad),
      reasons: snapshot.reasons,
      gripperOpeningM: rounded(snapshot.gripperOpeningM),
      gripperCommandM: rounded(snapshot.gripperCommandM),
      tool: this.#tool(snapshot.positionRad),
      base: baseOf(snapshot.base),
      stateAgeMs: Math.round(10 * nsToMs(nowNs - snapshot.stateNs)) / 10,
      deviceErrorCode: snapshot.deviceErrorCode,
      latenessUs,
    };
  }

  /** Unknown while no joint has been measured. */
  #tool(positionRad: Float64Array): RobotTelemetry["tool"] {
    const chain = this.#chain;
    if (positionRad.length !== chain?.jointCount || !positionRad.every(Number.isFinite)) return null;
    chain.update(positionRad);
    quatFromRotation(chain.flangeRotation, this.#pose.quatXyzw);
    const [x = 0, y = 0, z = 0] = Array.from(chain.toolM, round);
    const [qx = 0, qy = 0, qz = 0, qw = 1] = Array.from(this.#pose.quatXyzw, round);
    return { positionM: [x, y, z], quatXyzw: [qx, qy, qz, qw] };
  }
}

/** Unknown before the robot has told where it is. */
function baseOf(base: FloatingBase | undefined): BaseTelemetry | null {
  if (base === undefined) return null;
  const [x, y, z] = Array.from(base.translationWorldM, rounded);
  const [qx, qy, qz, qw] = Array.from(base.quatWorldBaseXyzw, rounded);
  if (x == null || y == null || z == null || qx == null || qy == null || qz == null || qw == null)
    return null;
  return { positionM: [x, y, z], quatXyzw: [qx, qy, qz, qw], passiveRad: numbers(base.passivePositionRad) };
}

/** Zero without a sign: JSON has none. */
const round = (value: number): number => Math.round(value * 10 ** DECIMALS) / 10 ** DECIMALS + 0;
const rounded = (value: number): number | null => (Number.isFinite(value) ? round(value) : null);
const numbers = (values: Float64Array): (number | null)[] => Array.from(values, rounded);
