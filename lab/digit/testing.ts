/** A client of the emulated Digit without sockets, for tests of the emulator: the codec, and nothing that is clever. */
import { SimClock } from "../../core/simClock.js";
import {
  CommandWriter,
  createCommand,
  DescriptionCycle,
  type DigitCommand,
  DigitObservation,
  type Inflate,
  ObservationReader,
  StreamReader,
} from "../../drivers/digit/protocol/index.js";
import { Conventions } from "./digitFaults.js";
import { DigitEmulator, type SourceId, STRANGER } from "./emulator.js";
import { IdealBody } from "./idealBody.js";

export const CLIENT_ADDRESS = "10.10.1.2";
const CLIENT_PORT = 40_000;

export class DigitRig {
  readonly clock = new SimClock();
  readonly body = new IdealBody();
  readonly emulator: DigitEmulator;
  readonly command: DigitCommand = createCommand();
  readonly observation = new DigitObservation();
  readonly stream: StreamReader;
  /** Source ports from which datagrams came. */
  readonly sources = new Set<SourceId>();
  readonly losses: string[] = [];
  reader: ObservationReader | undefined;
  observations = 0;
  sends = true;
  readonly #writer = new CommandWriter();
  readonly #cycle = new DescriptionCycle(this.#writer.descriptionChunks);

  constructor(conventions: Partial<Conventions> = {}, inflate?: Inflate) {
    this.stream = new StreamReader(
      {
        onDescription: (description) => {
          this.reader = new ObservationReader(description);
        },
        onMessage: (view, start) => {
          this.reader!.read(view, start, this.observation);
          this.observations++;
        },
        onLost: (reason) => this.losses.push(reason),
      },
      inflate,
    );
    this.emulator = new DigitEmulator({
      body: this.body,
      clock: this.clock,
      conventions: Conventions.parse(conventions),
      seed: 1,
      lockstep: true,
      sendObservation: (datagram, address, from) => {
        if (address !== CLIENT_ADDRESS) return;
        this.sources.add(from);
        const port = from === STRANGER ? 1 : 50_000 + from;
        this.stream.push(datagram, "10.10.1.1", port, this.emulator.nowMs);
      },
    });
  }

  /** Lets time pass with a command each millisecond. */
  run(ms: number): void {
    for (let passed = 0; passed < ms; passed++) {
      const nowMs = this.emulator.nowMs;
      if (this.sends) {
        for (const chunk of this.#cycle.due(nowMs)) this.#send(chunk);
        this.#send(this.#writer.write(this.command));
      }
      if (passed % 50 === 0) this.stream.expire(nowMs);
      this.emulator.step(1);
    }
  }

  /** Asks for a mode, as somebody with the privilege would, until it is entered. */
  enter(mode: "low-level-api" | "locomotion"): void {
    this.emulator.robot.requestMode(mode, () => {});
    this.run(25);
  }

  #send(datagram: Uint8Array): void {
    this.emulator.receive(datagram, CLIENT_ADDRESS, CLIENT_PORT);
  }
}
