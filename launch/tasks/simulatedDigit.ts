/**
 * An emulated Digit and both wires to it in simulated time, in this process: every datagram and every text as it would be,
 * and no socket. Whoever owns it moves time on.
 */
import { SimClock } from "../../core/simClock.js";
import { DigitJsonLink } from "../../drivers/digit/jsonLink.js";
import type { DigitBody } from "../../lab/digit/body.js";
import { Conventions } from "../../lab/digit/digitFaults.js";
import { DigitEmulator } from "../../lab/digit/emulator.js";
import { directJson } from "./directJson.js";
import { DirectUdp } from "./directUdp.js";

const CLIENT = { address: "127.0.0.1", port: 50_000 } as const;
/** As often as the link looks for silence. */
const EXPIRE_EVERY_MS = 50;

export interface SimulatedDigitOptions {
  readonly body: DigitBody;
  readonly conventions?: Partial<Conventions> | undefined;
  /** Of the chance in faults. */
  readonly seed?: number | undefined;
}

export class SimulatedDigit {
  readonly clock = new SimClock();
  readonly emulator: DigitEmulator;
  readonly udp: DirectUdp;
  readonly json: DigitJsonLink;
  #ms = 0;

  constructor({ body, conventions = {}, seed = 1 }: SimulatedDigitOptions) {
    const { clock } = this;
    this.emulator = new DigitEmulator({
      body,
      clock,
      conventions: Conventions.parse(conventions),
      seed,
      lockstep: true,
      sendObservation: (datagram) => this.udp.receive(datagram),
    });
    this.udp = new DirectUdp(clock, (datagram) =>
      this.emulator.receive(datagram, CLIENT.address, CLIENT.port),
    );
    this.json = new DigitJsonLink({
      clock,
      host: "in memory",
      port: 0,
      streamFault: () => (this.udp.state === "live" ? "" : this.udp.describeState()),
      openSocket: directJson(this.emulator.json),
    });
  }

  /** One millisecond of this computer's clock and of the robot; what it sent has just arrived then. */
  async tick(): Promise<void> {
    await this.clock.advance(1);
    this.emulator.step(1);
    this.#ms++;
    if (this.#ms % EXPIRE_EVERY_MS === 0) this.udp.expire();
  }

  async close(): Promise<void> {
    await this.json.close();
    await this.udp.close();
    await this.emulator.close();
  }
}
