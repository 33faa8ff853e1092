/**
 * The real driver of the Allegro Hand and the emulated hand behind its SLCAN adapter, in simulated time: what fault
 * scripts are run against. Text goes both ways as on a serial line; only the operating system's port is missing.
 */
import { SimClock } from "../../core/simClock.js";
import { AllegroConfig } from "../../drivers/allegro/config.js";
import { AllegroDriver } from "../../drivers/allegro/driver.js";
import { FakeGuardian } from "../../drivers/allegro/testing.js";
import { openSlcanBus } from "../../drivers/can/slcanBus.js";
import type { Fault } from "../../drivers/contract.js";
import { ALLEGRO_JOINT_NAMES } from "../../kinematics/allegro/hand.js";
import { AllegroEmulator } from "../../lab/allegro/emulator.js";
import type { HandFaultScript } from "../../lab/allegro/faultScripts.js";
import { IdealHandPlant } from "../../lab/allegro/idealPlant.js";
import { EmulatedLine } from "../support/allegro/emulatedLine.js";

const CAN = { slcan: { path: "/dev/hand" } };
const TICK_MS = 4;
/** The commander's movement: all joints together but the spread, slowly, to the side on which there is room. */
const SWING_RAD = 0.1;
const SWING_RAD_PER_S = 2;

export class AllegroRig {
  readonly clock = new SimClock();
  readonly plant = new IdealHandPlant();
  readonly guardian = new FakeGuardian();
  readonly emulator: AllegroEmulator;
  readonly driver: AllegroDriver;
  readonly faults: Fault[] = [];
  readonly never = new AbortController().signal;
  readonly #line = new EmulatedLine((bytes) => this.emulator.receive(bytes));
  #centreRad: Float64Array | undefined;
  #swingMs = 0;
  #targetRad = new Float64Array(ALLEGRO_JOINT_NAMES.length);
  answers: Record<ReturnType<AllegroDriver["command"]>, number> = {
    sent: 0,
    notReady: 0,
    busy: 0,
    refused: 0,
  };

  constructor({ given: { hand, allegro } }: HandFaultScript) {
    const { model, side, streamsWhileOff, answersInfo } = hand;
    this.emulator = new AllegroEmulator({
      model,
      side,
      plant: this.plant,
      clock: this.clock,
      send: (bytes) => this.#line.send(bytes),
      onPlug: (isPlugged) => this.#line.plug(isPlugged),
      ...(streamsWhileOff === undefined ? {} : { streamsWhileOff }),
      ...(answersInfo === undefined ? {} : { answersInfo }),
    });
    const config = AllegroConfig.parse({ can: CAN, model, side, ...allegro });
    const openBus = openSlcanBus({ ...config.can.slcan!, clock: this.clock, openLine: this.#line.open });
    this.driver = new AllegroDriver(config, { clock: this.clock, openBus, guardian: this.guardian });
    this.driver.onFault((fault) => this.faults.push(fault));
    this.emulator.start();
  }

  get isFollowing(): boolean {
    return this.driver.state().ready;
  }

  /** Lets simulated time pass while the commander sends its targets, whatever became of the last. */
  async run(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += TICK_MS) {
      this.command();
      await this.clock.advance(Math.min(TICK_MS, ms - passed));
    }
  }

  /** A commander begins its movement where the hand is now. */
  lead(): void {
    this.#centreRad = Float64Array.from(this.driver.state().positionRad);
    this.#swingMs = this.clock.nowMs();
  }

  command(): void {
    if (this.#centreRad === undefined) return;
    const phase = (SWING_RAD_PER_S * (this.clock.nowMs() - this.#swingMs)) / 1000;
    for (let joint = 0; joint < this.#targetRad.length; joint++)
      this.#targetRad[joint] =
        this.#centreRad[joint]! + (joint % 4 === 0 ? 0 : SWING_RAD * (1 - Math.cos(phase)));
    this.answers[this.driver.command(this.#targetRad)]++;
  }

  /** Waits for something of the driver's in simulated time; answers with what it threw. */
  async settle(work: Promise<unknown>, withinMs = 10_000): Promise<unknown> {
    let thrown: unknown;
    let isDone = false;
    work.then(
      () => {
        isDone = true;
      },
      (error) => {
        isDone = true;
        thrown = error ?? new Error("rejected without a reason");
      },
    );
    for (let passed = 0; !isDone && passed < withinMs; passed++) await this.clock.advance(1);
    if (!isDone) throw new Error(`not settled within ${withinMs} ms`);
    return thrown;
  }

  async close(): Promise<void> {
    this.#centreRad = undefined;
    await this.settle(this.driver.close());
    await this.emulator.close();
  }
}
