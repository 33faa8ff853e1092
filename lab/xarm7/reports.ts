/** What the controller says of itself on its four report ports, built from its present state. */
import {
  createReport,
  createReportBytes,
  encodeReport,
  modeStateByte,
  type ReportKind,
  type ReportOf,
} from "../../drivers/xarm7/protocol/index.js";
import type { Controller } from "./controller.js";
import { poseToAxisAngle, toolPose } from "./pose.js";

/** Current per torque; only its order of magnitude is right. */
const AMPERE_PER_NM = 0.05;
const CENTIVOLTS = 4800;
const TEMPERATURE_C = 32;
const FIRST_JOINT_ERROR = 11;

/** Lengths in use: the newest firmware seen in a log sends 574 on the rich port. */
export type RichBytes = 574 | 587;

export class ReportBuilder {
  readonly #controller: Controller;
  readonly #reports = {
    highRate: createReport("highRate"),
    normal: createReport("normal"),
    rich: createReport("rich"),
    realTime: createReport("realTime"),
  };
  readonly #frameBytes: Readonly<Record<ReportKind, number>>;
  readonly #lastPose = { planned: new Float64Array(6), actual: new Float64Array(6), atUs: 0 };

  constructor(controller: Controller, richBytes: RichBytes) {
    this.#controller = controller;
    this.#frameBytes = { highRate: 804, normal: 145, rich: richBytes, realTime: 135 };
    this.#fillConstants(this.#reports.rich);
  }

  /** A frame of its own: sockets may still hold it when the next one is built. */
  frame(kind: ReportKind): Uint8Array {
    const into = createReportBytes(kind, this.#frameBytes[kind]);
    switch (kind) {
      case "highRate":
        this.#fillHighRate(this.#reports.highRate);
        return encodeReport(kind, this.#reports.highRate, into);
      case "normal":
        this.#fillStatus(this.#reports.normal);
        return encodeReport(kind, this.#reports.normal, into);
      case "rich":
        this.#fillStatus(this.#reports.rich);
        this.#fillRich(this.#reports.rich);
        return encodeReport(kind, this.#reports.rich, into);
      case "realTime":
        this.#fillCommon(this.#reports.realTime);
        return encodeReport(kind, this.#reports.realTime, into);
    }
  }

  #fillCommon(report: ReportOf<"normal"> | ReportOf<"rich"> | ReportOf<"realTime">): void {
    const { state, motion, plant } = this.#controller;
    report.modeState = modeStateByte(state.mode, state.state);
    report.queueCount = motion.queue.count;
    report.positionRad.set(plant.positionRad);
    report.toolPoseMmRad.set(this.#controller.actualPose());
    report.effortNm.set(plant.effortNm);
  }

  #fillStatus(report: ReportOf<"normal"> | ReportOf<"rich">): void {
    const { state, settings } = this.#controller;
    this.#fillCommon(report);
    report.brakeBits = state.releasedBits;
    report.enableBits = state.enableBits;
    report.errorCode = state.errorCode;
    report.warningCode = state.warningCode;
    report.toolOffsetMmRad.set(settings.toolOffset);
    report.toolLoadKgMm.set(settings.toolLoad);
    report.collisionSensitivity = settings.collisionSensitivity;
    report.teachSensitivity = settings.teachSensitivity;
    report.gravityDirection.set(settings.gravityDirection);
  }

  #fillConstants(report: ReportOf<"rich">): void {
    const { version } = this.#controller;
    report.robotType = 7;
    report.robotAxes = 7;
    report.masterId = 0xaa;
    report.slaveId = 0x55;
    report.version = version.slice(version.lastIndexOf("v"), version.lastIndexOf("v") + 30);
    report.toolAccelerationMinMmPerS2 = 1;
    report.toolSpeedMinMmPerS = 0.1;
    report.toolSpeedMaxMmPerS = 1000;
    report.jointAccelerationMinRadPerS2 = 0.01;
    report.jointSpeedMinRadPerS = 1e-4;
    report.jointSpeedMaxRadPerS = Math.PI;
    report.rotationJerk = 2.3;
    report.rotationAccelerationMax = 2.7;
    report.temperaturesC.fill(TEMPERATURE_C);
    report.voltagesRaw.fill(CENTIVOLTS);
  }

  #fillRich(report: ReportOf<"rich">): void {
    const { state, motion, plant, settings } = this.#controller;
    report.toolJerkMmPerS3 = settings.toolJerkMmPerS3;
    report.toolAccelerationMaxMmPerS2 = settings.toolAccelerationMaxMmPerS2;
    report.jointJerkRadPerS3 = settings.jointJerkRadPerS3;
    report.jointAccelerationMaxRadPerS2 = settings.jointAccelerationMaxRadPerS2;
    report.servoCodes.fill(0);
    const joint = state.errorCode - FIRST_JOINT_ERROR;
    if (joint >= 0 && joint < 7) {
      report.servoCodes[2 * joint] = 3;
      report.servoCodes[2 * joint + 1] = this.#controller.jointDetail;
    }
    report.targetVelocityRadPerS.set(motion.velocityRadPerS);
    report.isSimulation = settings.simulation ? 1 : 0;
    report.selfCollisionCheck = settings.selfCollisionCheck ? 1 : 0;
    for (const [i, effort] of plant.effortNm.entries()) report.currentsA[i] = effort * AMPERE_PER_NM;
    report.axisAngleRad.set(poseToAxisAngle(toolPose(plant.positionRad, motion.toolOffset)).slice(3));
    report.configFlags =
      (settings.reduced ? 1 : 0) | (settings.fence ? 2 : 0) | (settings.reportCurrent ? 4 : 0);
    report.isReduced = settings.reduced ? 1 : 0;
    report.reducedBoundsMm.set(settings.reducedBoundsMm);
    report.reducedToolSpeedMmPerS = settings.reducedToolSpeedMmPerS;
    report.reducedJointSpeedRadPerS = settings.reducedJointSpeedRadPerS;
    report.reducedJointRangeRad.set(settings.reducedJointRangeRad);
    report.isFence = settings.fence ? 1 : 0;
    report.isRebound = settings.rebound ? 1 : 0;
  }

  #fillHighRate(report: ReportOf<"highRate">): void {
    const { state, motion, plant, timeUs } = this.#controller;
    const [planned, actual] = [this.#controller.plannedPose(), this.#controller.actualPose()];
    const dtS = (timeUs - this.#lastPose.atUs) / 1e6;
    report.timeUs = timeUs;
    report.modeState = modeStateByte(state.mode, state.state);
    report.queueCount = motion.queue.count;
    report.targetPositionRad.set(motion.setpointRad);
    report.targetVelocityRadPerS.set(motion.velocityRadPerS);
    report.targetAccelerationRadPerS2.set(motion.accelerationRadPerS2);
    report.positionRad.set(plant.positionRad);
    report.velocityRadPerS.set(plant.velocityRadPerS);
    report.effortNm.set(plant.effortNm);
    for (const [i, effort] of plant.effortNm.entries()) report.currentsA[i] = effort * AMPERE_PER_NM;
    if (dtS > 0 && this.#lastPose.atUs > 0) {
      differentiate(report.targetToolSpeedMmPerS, planned, this.#lastPose.planned, dtS);
      differentiate(report.toolSpeedMmPerS, actual, this.#lastPose.actual, dtS);
    }
    report.targetToolPoseMmRad.set(planned);
    report.toolPoseMmRad.set(actual);
    if (dtS > 0) {
      this.#lastPose.planned.set(planned);
      this.#lastPose.actual.set(actual);
      this.#lastPose.atUs = timeUs;
    }
  }
}

/** Angles differ by less than half a turn between two reports. */
function differentiate(
  into: Float64Array,
  now: ArrayLike<number>,
  before: ArrayLike<number>,
  dtS: number,
): void {
  for (let i = 0; i < 6; i++) {
    const change = now[i]! - before[i]!;
    into[i] = (i < 3 ? change : Math.atan2(Math.sin(change), Math.cos(change))) / dtS;
  }
}
