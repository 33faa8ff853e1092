/**
 * The servo's side of the black box. A tick becomes one row in shared memory: no allocation, no wait, no call of the
 * system. Events are rare and become one note each; a flood of them is cut to a bounded rate, each trigger for itself,
 * so that no kind of news can push another one out.
 */
import { nsToMs } from "../../../core/clock.js";
import type { FloatingBase } from "../../../core/floatingBase.js";
import { SERVO_STATES, type ServoEvent, type ServoStateName } from "../api.js";
import type { BlackBox, InputAges } from "../blackBox.js";
import { triggersOf } from "../legTriggers.js";
import type { MutableSnapshot } from "../snapshot.js";
import { streams } from "../states.js";
import type { TriggerResponse } from "../triggers.js";
import {
  BASE_NUMBERS,
  CHUNK_TYPES,
  FLAG_INCIDENT,
  JOINT_BLOCKS,
  type JointBlock,
  PROCESS_KIND,
  ROW,
} from "./format.js";
import { pushNote, type Ring, WORD } from "./ring.js";

/** In a second: events without a trigger, and events of each trigger. */
const NEWS_PER_S = 50;
const TRIGGERED_PER_S = 20;
const TEXT_MAX = 400;

/** After such a response somebody will ask why. */
const ENDS_WORK: ReadonlySet<TriggerResponse> = new Set(["endLease", "stop", "fault", "disconnect"]);

export class RingRecorder implements BlackBox {
  /** Events that were left out because too many came. */
  eventsLost = 0;
  readonly #ring: Ring;
  readonly #jointCount: number;
  readonly #ticksPerS: number;
  readonly #triggers: ReturnType<typeof triggersOf>;
  readonly #told = new Map<string, number>();
  #ticksToNextSecond: number;
  #lostRows = 0;
  #state: ServoStateName = "disconnected";
  #commander = "";
  #commanderNumber = 0;
  #overrun = false;
  #brokenBecause: string | undefined;
  #failureNumber = 0;
  #failureText: string | undefined;

  /** @param isOnLegs the robot's triggers are those of `LEG_TRIGGERS` */
  constructor(ring: Ring, size: { jointCount: number; rateHz: number }, isOnLegs = false) {
    this.#ring = ring;
    this.#triggers = triggersOf(isOnLegs);
    this.#jointCount = size.jointCount;
    this.#ticksPerS = Math.round(size.rateHz);
    this.#ticksToNextSecond = this.#ticksPerS;
  }

  tick(snapshot: MutableSnapshot, ages: InputAges): void {
    const ring = this.#ring;
    const { tickMs } = snapshot;
    this.#state = snapshot.state;
    if (--this.#ticksToNextSecond <= 0) {
      this.#ticksToNextSecond = this.#ticksPerS;
      this.#told.clear();
    }
    if (snapshot.commander !== this.#commander) this.#nameCommander(snapshot.commander, tickMs);
    const pending = ring.rowsPending;
    // Once rows were lost, writing must have caught up by half before it counts as working again.
    if (this.#overrun && pending <= ring.rowCapacity / 2) this.#overrun = false;
    if (pending >= ring.rowCapacity) {
      this.#overrun = true;
      this.#lostRows++;
      return;
    }
    const counter = ring.get(WORD.rowsWritten);
    const at = ring.rowAt(counter);
    const view = ring.rowView;
    view.setFloat64(at + ROW.tick, snapshot.tick, true);
    view.setFloat64(at + ROW.tickMs, tickMs, true);
    view.setFloat64(at + ROW.commandWireMs, snapshot.commandWireMs, true);
    view.setUint32(at + ROW.epoch, snapshot.epoch, true);
    view.setUint32(at + ROW.reasons, snapshot.reasons, true);
    view.setUint32(at + ROW.commandSeq, snapshot.commandSeq, true);
    view.setUint32(at + ROW.lostRows, this.#lostRows, true);
    view.setUint16(at + ROW.deviceErrorCode, snapshot.deviceErrorCode, true);
    view.setUint16(at + ROW.commander, this.#commanderNumber, true);
    view.setUint8(at + ROW.state, SERVO_STATES.indexOf(snapshot.state));
    view.setFloat32(at + ROW.stateAgeMs, ages.stateMs, true);
    view.setFloat32(at + ROW.commandAgeMs, ages.commandMs, true);
    view.setFloat32(at + ROW.inputAgeMs, ages.inputMs, true);
    view.setFloat32(at + ROW.supervisorAgeMs, ages.supervisorMs, true);
    view.setFloat32(at + ROW.commanderAgeMs, ages.commanderMs, true);
    view.setFloat32(at + ROW.gripperOpeningM, snapshot.gripperOpeningM, true);
    this.#putJoints(at, "positionRad", snapshot.positionRad);
    this.#putJoints(at, "velocityRadPerS", snapshot.velocityRadPerS);
    this.#putJoints(at, "effortNm", snapshot.effortNm);
    this.#putJoints(at, "requestedRad", snapshot.requestedRad);
    this.#putJoints(at, "sentRad", snapshot.sentRad);
    if (ring.shape.baseCount > 0 && snapshot.base !== undefined) this.#putBase(at, snapshot.base);
    ring.set(WORD.rowsWritten, (counter + 1) | 0);
  }

  #putJoints(rowAt: number, block: JointBlock, values: Float64Array): void {
    const at = rowAt + ROW.joints + 4 * JOINT_BLOCKS.indexOf(block) * this.#jointCount;
    for (let joint = 0; joint < this.#jointCount; joint++)
      this.#ring.rowView.setFloat32(at + 4 * joint, values[joint]!, true);
  }

  /** In the order of `BASE_NUMBERS`, then as many joints without motor as there is room for. */
  #putBase(rowAt: number, base: FloatingBase): void {
    const at = rowAt + ROW.joints + 4 * JOINT_BLOCKS.length * this.#jointCount;
    this.#putNumbers(at, base.quatWorldBaseXyzw);
    this.#putNumbers(at + 16, base.translationWorldM);
    this.#putNumbers(at + 28, base.linearVelocityBaseMPerS);
    this.#putNumbers(at + 40, base.angularVelocityBaseRadPerS);
    this.#putNumbers(at + 52, base.specificForceBaseMPerS2);
    const passive = this.#ring.shape.baseCount - BASE_NUMBERS;
    for (let joint = 0; joint < passive; joint++)
      this.#ring.rowView.setFloat32(at + 4 * (BASE_NUMBERS + joint), base.passivePositionRad[joint]!, true);
  }

  #putNumbers(at: number, values: Float64Array): void {
    for (let i = 0; i < values.length; i++) this.#ring.rowView.setFloat32(at + 4 * i, values[i]!, true);
  }

  event(event: ServoEvent): void {
    const subject = event.trigger ?? "";
    const told = this.#told.get(subject) ?? 0;
    if (told >= (event.trigger === undefined ? NEWS_PER_S : TRIGGERED_PER_S)) {
      this.eventsLost++;
      return;
    }
    this.#told.set(subject, told + 1);
    const { kind, trigger, fault } = event;
    const isIncident = this.#endsWork(event);
    const payload = Buffer.from(
      JSON.stringify({ kind, text: event.text.slice(0, TEXT_MAX), trigger, fault }),
    );
    const note = {
      type: CHUNK_TYPES.event,
      flags: isIncident ? FLAG_INCIDENT : 0,
      timeMs: nsToMs(event.atNs),
      payload,
    };
    if (!pushNote(this.#ring, note)) {
      this.eventsLost++;
      this.#overrun ||= isIncident;
      return;
    }
    if (trigger !== undefined) this.#ring.wakeConsumer();
  }

  /** Why the process is about to end: a signal's name, a defect's text. */
  processEnds(why: string, atMs: number): void {
    const payload = Buffer.from(JSON.stringify({ kind: PROCESS_KIND, text: why.slice(0, TEXT_MAX) }));
    pushNote(this.#ring, { type: CHUNK_TYPES.event, flags: 0, timeMs: atMs, payload });
    this.#ring.wakeConsumer();
  }

  /** The thread that writes is gone; nothing mends that but a new process. */
  broken(because: string): void {
    this.#brokenBecause = because;
  }

  get failure(): string | undefined {
    const number = this.#ring.get(WORD.failure);
    if (number !== this.#failureNumber) {
      this.#failureNumber = number;
      this.#failureText =
        number === 0
          ? undefined
          : Buffer.from(this.#ring.failureText.subarray(0, this.#ring.get(WORD.failureBytes))).toString();
    }
    if (this.#brokenBecause !== undefined) return this.#brokenBecause;
    if (this.#failureText !== undefined) return this.#failureText;
    return this.#overrun ? OVERRUN : undefined;
  }

  #endsWork({ trigger }: ServoEvent): boolean {
    if (trigger === undefined || !ENDS_WORK.has(this.#triggers[trigger].response)) return false;
    // Whatever follows on a stop belongs to it.
    return streams(this.#state) && this.#state !== "stopping";
  }

  #nameCommander(name: string, tickMs: number): void {
    this.#commander = name;
    this.#commanderNumber = (this.#commanderNumber + 1) & 0xffff;
    const text = Buffer.from(name);
    const payload = Buffer.alloc(2 + text.length);
    payload.writeUInt16LE(this.#commanderNumber);
    payload.set(text, 2);
    pushNote(this.#ring, { type: CHUNK_TYPES.commander, flags: 0, timeMs: tickMs, payload });
  }
}

const OVERRUN =
  "the black box's thread has not written for so long that its memory is full (4 s of ticks); expected a write " +
  "every 0.1 s: its disk hangs, or this computer is overloaded";
