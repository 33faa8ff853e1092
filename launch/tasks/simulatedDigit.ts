/**
 * An emulated Digit and the real links to it in simulated time, in this process: every datagram and every text as it would
 * be, and no socket of the operating system. Whoever owns it moves time on.
 */
import { SimClock } from "../../core/simClock.js";
import { DigitJsonLink } from "../../drivers/digit/jsonLink.js";
import type { Inflate } from "../../drivers/digit/protocol/index.js";
import { DigitUdpLink } from "../../drivers/digit/udpLink.js";
import type { DigitBody } from "../../lab/digit/body.js";
import { Conventions } from "../../lab/digit/digitFaults.js";
import { DigitEmulator } from "../../lab/digit/emulator.js";
import { MemoryNetwork, ROBOT_ADDRESS } from "./memoryNetwork.js";

/** The robot's own; nobody else is in this network. */
const PORTS = { commandPort: 25500, observationPort: 25501, jsonPort: 8080 } as const;

export interface SimulatedDigitOptions {
  readonly body: DigitBody;
  readonly conventions?: Partial<Conventions> | undefined;
  /** Of the chance in faults. */
  readonly seed?: number | undefined;
  /** For a robot that compresses what it tells. */
  readonly inflate?: Inflate | undefined;
}

export class SimulatedDigit {
  readonly clock = new SimClock();
  readonly network = new MemoryNetwork();
  readonly emulator: DigitEmulator;
  readonly udp: DigitUdpLink;
  readonly json: DigitJsonLink;

  constructor({ body, conventions = {}, seed = 1, inflate }: SimulatedDigitOptions) {
    const { clock, network } = this;
    const host = ROBOT_ADDRESS;
    this.emulator = new DigitEmulator({
      body,
      clock,
      conventions: Conventions.parse(conventions),
      seed,
      lockstep: true,
      sendObservation: (datagram, _address, from) => network.deliver(datagram, PORTS.observationPort, from),
    });
    network.emulator = this.emulator;
    this.udp = new DigitUdpLink({
      clock,
      host,
      ...PORTS,
      openSocket: network.openSocket,
      ...(inflate === undefined ? {} : { inflate }),
    });
    this.json = new DigitJsonLink({
      clock,
      host,
      port: PORTS.jsonPort,
      streamFault: () => (this.udp.state === "live" ? "" : this.udp.describeState()),
      openSocket: network.openJson,
    });
  }

  /** One millisecond of this computer's clock and of the robot; what it sent has just arrived then. */
  async tick(): Promise<void> {
    await this.clock.advance(1);
    this.emulator.step(1);
  }

  async close(): Promise<void> {
    await this.json.close();
    await this.udp.close();
    await this.emulator.close();
  }
}
