/**
 * What the wire of Digit costs in each period: an observation is read and a command packed. Both happen a thousand times a
 * second, and neither may leave garbage behind.
 */
import type { Clock } from "../../core/clock.js";
import { LatenessHistogram, type LatenessSummary } from "../../core/histogram.js";
import {
  CommandWriter,
  createCommand,
  DigitObservation,
  encodeObservationStream,
  ObservationReader,
  ObservationWriter,
  StreamReader,
} from "../../drivers/digit/protocol/index.js";
import { DIGIT_MOTORS } from "../../kinematics/digit/motors.js";
import { type Garbage, measureGarbage } from "./garbage.js";

const PERIOD_MS = 1;
const WARM_UP_PERIODS = 20_000;
const ROBOT = { address: "10.10.1.1", port: 40_000 } as const;

export interface DigitWireResult extends Garbage {
  readonly periods: number;
  /** An observation read from its datagram [µs]. */
  readonly readUs: LatenessSummary;
  /** A command packed into its datagram [µs]. */
  readonly writeUs: LatenessSummary;
}

/** @param options.collect a full collection of garbage */
export function measureDigitWire(options: {
  readonly clock: Clock;
  readonly periods: number;
  readonly collect: () => void;
}): DigitWireResult {
  const { clock, periods, collect } = options;
  const wire = new Wire();
  wire.run(WARM_UP_PERIODS);
  const readUs = new LatenessHistogram();
  const writeUs = new LatenessHistogram();
  for (let period = 0; period < periods; period++) {
    const startMs = clock.nowMs();
    wire.read();
    const readMs = clock.nowMs();
    wire.write();
    writeUs.add(1000 * (clock.nowMs() - readMs));
    readUs.add(1000 * (readMs - startMs));
  }
  return {
    periods,
    readUs: readUs.summaryUs(),
    writeUs: writeUs.summaryUs(),
    ...measureGarbage({ runs: periods, run: (count) => wire.run(count), collect }),
  };
}

/** Both ends of a robot that stands still, without sockets. */
class Wire {
  /** Newest of what was read. */
  readonly observation = new DigitObservation();
  readonly #command = createCommand();
  readonly #writer = new CommandWriter();
  readonly #stream: StreamReader;
  readonly #datagram: Buffer;
  #reader: ObservationReader | undefined;
  #nowMs = 0;

  constructor() {
    const limitOf = (limit: (motor: (typeof DIGIT_MOTORS)[number]) => number) =>
      Float64Array.from(DIGIT_MOTORS, limit);
    const { chunks, description } = encodeObservationStream({
      torqueNm: limitOf((motor) => motor.announcedTorqueMaxNm),
      dampingNmSPerRad: limitOf((motor) => motor.announcedDampingMaxNmSPerRad),
      velocityRadPerS: limitOf((motor) => motor.announcedVelocityMaxRadPerS),
      errorShutdownDelayS: 0.5,
    });
    this.#stream = new StreamReader({
      onDescription: (found) => {
        this.#reader = new ObservationReader(found);
      },
      onMessage: (view, start) => this.#reader?.read(view, start, this.observation),
      onLost: () => {},
    });
    for (const chunk of chunks) this.#stream.push(chunk, ROBOT.address, ROBOT.port, 0);
    const told = new DigitObservation();
    for (let index = 0; index < told.values.length; index++) told.values[index] = 0.1 * (index % 7);
    this.#datagram = new ObservationWriter(description).write(told);
  }

  run(periods: number): void {
    for (let period = 0; period < periods; period++) {
      this.read();
      this.write();
    }
  }

  read(): void {
    this.#nowMs += PERIOD_MS;
    this.#stream.push(this.#datagram, ROBOT.address, ROBOT.port, this.#nowMs);
  }

  /** Torques that depend on what was read, so that nothing of it can be left out. */
  write(): void {
    const { torqueNm } = this.#command;
    for (let motor = 0; motor < torqueNm.length; motor++)
      torqueNm[motor] = -100 * this.observation.motorPositionRad[motor]!;
    this.#writer.write(this.#command);
  }
}
