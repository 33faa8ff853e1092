/**
 * What a hand tells of its well-being when it is asked, once a second: servo on, fault bits, temperatures. Judged only
 * while it is powered.
 */
import { FINGERS } from "../../kinematics/allegro/hand.js";
import type { Fault } from "../contract.js";
import type { AllegroConfig } from "./config.js";
import { handFault } from "./faults.js";
import type { HandLink } from "./handLink.js";
import {
  FINGER_INDICES,
  type FingerIndex,
  type HandInfo,
  requestInfo,
  requestTemperature,
} from "./protocol/index.js";

const ASK_MS = 1000;
/** Three answers may be lost. */
const SILENCE_MS_MAX = 3.5 * ASK_MS;

export class HandHealth {
  /** Whether this hand answers for its information at all; V5 firmware often does not. */
  answersInfo = false;
  readonly #config: AllegroConfig;
  readonly #link: HandLink;
  readonly #report: (fault: Fault) => void;
  #askedMs = 0;
  #heardMs = 0;

  constructor(config: AllegroConfig, link: HandLink, report: (fault: Fault) => void) {
    this.#config = config;
    this.#link = link;
    this.#report = report;
  }

  start(nowMs: number): void {
    this.#askedMs = nowMs;
    this.#heardMs = nowMs;
  }

  tick(nowMs: number): void {
    if (this.answersInfo && nowMs - this.#heardMs > SILENCE_MS_MAX) {
      this.#report(handFault("INFO_SILENT", `${((nowMs - this.#heardMs) / 1000).toFixed(1)} s`));
      return;
    }
    if (nowMs - this.#askedMs < ASK_MS) return;
    this.#askedMs = nowMs;
    this.#link.write([requestInfo(), ...FINGER_INDICES.map((sensor) => requestTemperature(sensor))]);
  }

  onInfo(info: HandInfo, nowMs: number): void {
    this.#heardMs = nowMs;
    if (!info.servoOn) this.#report(handFault("SERVO_OFF"));
    else if (info.overTemperature) this.#report(handFault("OVER_TEMPERATURE"));
    else if (info.communicationFault) this.#report(handFault("COMMUNICATION"));
    if (info.temperatureC !== undefined) this.#judge("The hand", info.temperatureC);
  }

  onTemperature(sensor: FingerIndex, celsius: number): void {
    this.#judge(`The ${FINGERS[sensor]} finger`, celsius);
  }

  #judge(what: string, celsius: number): void {
    const { temperatureWarnC, temperatureStopC } = this.#config;
    if (celsius >= temperatureStopC)
      this.#report(handFault("HOT", `${what} has ${celsius} °C (limit ${temperatureStopC} °C)`));
    else if (celsius >= temperatureWarnC)
      this.#report(
        handFault("WARM", `${what} has ${celsius} °C and will be stopped at ${temperatureStopC} °C`),
      );
  }
}
