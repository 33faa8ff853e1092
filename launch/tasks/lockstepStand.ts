/** A standing Digit in simulated time, in this process and as fast as it goes: the lab's body, the driver and the servo. */
import { nsToMs } from "../../core/clock.js";
import { CerebellumError, invariant } from "../../core/errors.js";
import { tiltRad } from "../../lab/digit/body.js";
import type { DigitFault } from "../../lab/digit/digitFaults.js";
import { MujocoDigit } from "../../lab/digit/mujocoBody.js";
import { DIGIT_SCENES, type DigitSceneName } from "../../lab/digit/scenes.js";
import { type DigitRobotConfig, digitsOf } from "../cell/robotConfig.js";
import type { CellConfig } from "../cell/schema.js";
import { DigitServo } from "./digitServo.js";
import type { DigitSample, DriveSpan } from "./digitTruth.js";
import type { LetGo, StandStage } from "./standRun.js";

const SETTLE_MS = 3000;

export class LockstepStand implements StandStage {
  readonly #robot: DigitRobotConfig;
  readonly #cell: CellConfig;
  #body: MujocoDigit | undefined;
  #rig: DigitServo | undefined;

  /** @throws CerebellumError CONFIG_INVALID for a cell without a simulated Digit */
  constructor(cell: CellConfig) {
    const [found] = digitsOf(cell.robots);
    if (cell.lab === undefined || found === undefined)
      throw new CerebellumError(
        "CONFIG_INVALID",
        `Cell ${cell.name} has no lab with a Digit`,
        "Use launch/cells/digit-lab.yaml",
      );
    this.#cell = cell;
    this.#robot = found[1];
  }

  nowMs(): number {
    return this.#standing.nowMs;
  }

  /** A new robot each time, so that a trial does not depend on the one before. @throws what driver and servo refuse */
  async begin(scene: DigitSceneName): Promise<void> {
    await this.close();
    const body = await MujocoDigit.load({ scene: DIGIT_SCENES[scene] });
    this.#body = body;
    const { digit, seed } = this.#cell.lab!;
    const rig = new DigitServo({ robot: this.#robot, body, conventions: digit.frames, seed });
    this.#rig = rig;
    await rig.enable();
    rig.digit.emulator.robot.motorLog.clear();
    rig.events.length = 0;
    await rig.run(SETTLE_MS);
  }

  async disturb(fault: DigitFault): Promise<void> {
    this.#standing.digit.emulator.inject(fault);
  }

  async sample(atS: number): Promise<DigitSample> {
    const { truth } = this.#body!;
    const [x, y, z] = truth.positionWorldM;
    const [left, right] = truth.footContact;
    return {
      atS,
      positionM: [x!, y!, z!],
      tiltRad: tiltRad(truth),
      feetDown: [left === 1, right === 1],
    };
  }

  letGo(): LetGo | undefined {
    const event = this.#standing.events.find(({ trigger }) => trigger !== undefined);
    return event && { atMs: nsToMs(event.atNs), because: event.text };
  }

  async spans(): Promise<readonly DriveSpan[]> {
    return this.#standing.digit.emulator.robot.motorLog.spans;
  }

  async waitUntil(atMs: number, signal: AbortSignal): Promise<void> {
    const rig = this.#standing;
    while (rig.nowMs < atMs && !signal.aborted) await rig.tick();
  }

  async close(): Promise<void> {
    await this.#rig?.close();
    this.#body?.dispose();
    this.#rig = undefined;
    this.#body = undefined;
  }

  get #standing(): DigitServo {
    invariant(this.#rig !== undefined, "a trial begins before anything happens in it");
    return this.#rig;
  }
}
