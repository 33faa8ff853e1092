/**
 * Digit's low-level wire without sockets, for trials in simulated time: the same datagrams both ways, handed over at once.
 * The robot's side gives what it sends to `receive`.
 */
import type { Clock } from "../../core/clock.js";
import type { DigitUdp, DigitUdpCounters } from "../../drivers/digit/links.js";
import {
  CommandWriter,
  DescriptionCycle,
  type DigitCommand,
  type DigitLimits,
  DigitObservation,
  limitsOf,
  ObservationReader,
  StreamReader,
  type StreamState,
} from "../../drivers/digit/protocol/index.js";

const ROBOT_PORT = 40_000;

export class DirectUdp implements DigitUdp {
  readonly observation = new DigitObservation();
  receivedMs = Number.NEGATIVE_INFINITY;
  limits: DigitLimits | undefined;
  missing: readonly string[] = [];
  /** Datagrams get lost, both ways. */
  isCut = false;
  readonly #clock: Clock;
  readonly #toRobot: (datagram: Uint8Array) => void;
  readonly #writer = new CommandWriter();
  readonly #cycle = new DescriptionCycle(this.#writer.descriptionChunks);
  readonly #stream: StreamReader;
  readonly #observationListeners = new Set<Parameters<DigitUdp["onObservation"]>[0]>();
  readonly #stateListeners = new Set<Parameters<DigitUdp["onState"]>[0]>();
  readonly #counts = { sent: 0, observations: 0, repeated: 0, lost: 0 };
  #reader: ObservationReader | undefined;
  #isOpen = false;

  constructor(clock: Clock, toRobot: (datagram: Uint8Array) => void) {
    this.#clock = clock;
    this.#toRobot = toRobot;
    this.#stream = new StreamReader({
      onDescription: (description) => {
        this.#reader = new ObservationReader(description);
        this.limits = limitsOf(description);
        this.missing = [...this.#reader.missing, ...this.limits.missing];
        this.#tell("live", "the robot's description is complete");
      },
      onMessage: (view, start) => this.#onMessage(view, start),
      onLost: (reason) => {
        this.#counts.lost++;
        this.#forget();
        this.#tell(this.state, reason);
      },
    });
  }

  get state(): StreamState {
    return this.#stream.state;
  }

  get counters(): DigitUdpCounters {
    const { wrongSize, foreign } = this.#stream.counters;
    return { ...this.#counts, unsent: 0, reordered: 0, corrupt: wrongSize, foreign };
  }

  open(): Promise<void> {
    this.#isOpen = true;
    this.#cycle.restart();
    return Promise.resolve();
  }

  send(command: DigitCommand): boolean {
    if (!this.#isOpen) return false;
    this.#counts.sent++;
    const chunks = this.#cycle.due(this.#clock.nowMs());
    const message = this.#writer.write(command);
    if (this.isCut) return true;
    for (const chunk of chunks) this.#toRobot(chunk);
    this.#toRobot(message);
    return true;
  }

  /** A datagram of the robot. */
  receive(datagram: Uint8Array): void {
    if (this.#isOpen && !this.isCut)
      this.#stream.push(datagram, "127.0.0.1", ROBOT_PORT, this.#clock.nowMs());
  }

  /** To be called as time goes on: silence ends the connection. */
  expire(): void {
    this.#stream.expire(this.#clock.nowMs());
  }

  describeState(): string {
    return `${this.state}, in this process`;
  }

  onObservation(listener: Parameters<DigitUdp["onObservation"]>[0]): () => void {
    this.#observationListeners.add(listener);
    return () => this.#observationListeners.delete(listener);
  }

  onState(listener: Parameters<DigitUdp["onState"]>[0]): () => void {
    this.#stateListeners.add(listener);
    return () => this.#stateListeners.delete(listener);
  }

  close(): Promise<void> {
    this.#isOpen = false;
    this.#forget();
    this.#stream.reset();
    return Promise.resolve();
  }

  #onMessage(view: DataView, start: number): void {
    if (this.#reader === undefined) return;
    const beforeS = this.observation.timeS;
    this.#reader.read(view, start, this.observation);
    if (this.observation.timeS === beforeS) this.#counts.repeated++;
    this.receivedMs = this.#clock.nowMs();
    this.#counts.observations++;
    for (const listener of this.#observationListeners) listener(this.observation, this.receivedMs);
  }

  #forget(): void {
    this.#reader = undefined;
    this.limits = undefined;
    this.missing = [];
  }

  #tell(state: StreamState, reason: string): void {
    for (const listener of this.#stateListeners) listener(state, reason);
  }
}
