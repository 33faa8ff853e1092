/**
 * What a hand tells of its well-being when it is asked, once a second: servo on, fault bits, temperatures; and how many
 * positions it has sent meanwhile. Judged only while it is powered.
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
/** Of the period that was asked for: a pause of the longest kind before a second brings a fifth more sets into it. */
const PERIOD_SHARE_MIN = 0.75;

export class HandHealth {
  /** Whether this hand answers for its information at all; V5 firmware often does not. */
  answersInfo = false;
  readonly #config: AllegroConfig;
  readonly #link: HandLink;
  readonly #report: (fault: Fault) => void;
  #askedMs = 0;
  /** Position sets by then. */
  #askedSets = 0;
  #heardMs = 0;
  /** When each temperature came last [ms], and a bit for each that has come since the start. */
  readonly #warmthMs = new Float64Array(FINGERS.length);
  #warmths = 0;

  constructor(config: AllegroConfig, link: HandLink, report: (fault: Fault) => void) {
    this.#config = config;
    this.#link = link;
    this.#report = report;
  }

  start(nowMs: number): void {
    this.#askedMs = nowMs;
    this.#askedSets = this.#link.poses.state.sequence;
    this.#heardMs = nowMs;
    this.#warmthMs.fill(nowMs);
    this.#warmths = 0;
  }

  tick(nowMs: number): void {
    if (this.answersInfo && nowMs - this.#heardMs > SILENCE_MS_MAX) {
      this.#report(handFault("INFO_SILENT", `${((nowMs - this.#heardMs) / 1000).toFixed(1)} s`));
      return;
    }
    const passedMs = nowMs - this.#askedMs;
    if (passedMs < ASK_MS) return;
    this.#askedMs = nowMs;
    this.#link.write([requestInfo(), ...FINGER_INDICES.map((sensor) => requestTemperature(sensor))]);
    // Last: nothing may follow what a report can bring.
    this.#judgePeriod(passedMs);
    this.#missTemperatures(nowMs);
  }

  onInfo(info: HandInfo, nowMs: number): void {
    this.#heardMs = nowMs;
    if (!info.servoOn) this.#report(handFault("SERVO_OFF"));
    else if (info.overTemperature) this.#report(handFault("OVER_TEMPERATURE"));
    else if (info.communicationFault) this.#report(handFault("COMMUNICATION"));
    if (info.temperatureC !== undefined) this.#judge("The hand", info.temperatureC);
  }

  onTemperature(sensor: FingerIndex, celsius: number, nowMs: number): void {
    this.#warmthMs[sensor] = nowMs;
    this.#warmths |= 1 << sensor;
    this.#judge(`The ${FINGERS[sensor]} finger`, celsius);
  }

  #judgePeriod(passedMs: number): void {
    const sets = this.#link.poses.state.sequence - this.#askedSets;
    this.#askedSets += sets;
    const foundMs = passedMs / sets;
    if (foundMs < PERIOD_SHARE_MIN * this.#config.periodMs)
      this.#report(handFault("PERIOD_SHORT", `${foundMs.toFixed(1)} ms instead of ${this.#config.periodMs}`));
  }

  /** A sensor that has told its temperature goes on doing so; of one that never has, that is said. */
  #missTemperatures(nowMs: number): void {
    for (const sensor of FINGER_INDICES) {
      if (nowMs - this.#warmthMs[sensor]! <= SILENCE_MS_MAX) continue;
      const isNew = (this.#warmths & (1 << sensor)) === 0;
      this.#report(
        handFault(isNew ? "TEMPERATURE_UNANSWERED" : "TEMPERATURE_SILENT", `the ${FINGERS[sensor]} finger`),
      );
    }
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
