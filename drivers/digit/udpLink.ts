/**
 * Digit's low-level wire over UDP: commands out of a socket without a fixed port, observations into one that has it. What the
 * datagrams mean is in protocol/; here are the sockets, the clock and the robot's address.
 *
 * Only datagrams of the robot's own address count. The vendor's client takes whoever speaks first: a second robot, or anybody
 * else on the network, could make this one fall.
 */
import { createSocket, type RemoteInfo, type Socket, type SocketOptions } from "node:dgram";
import { lookup } from "node:dns/promises";
import { isIPv4 } from "node:net";
import { type Clock, sleepMs } from "../../core/clock.js";
import { CerebellumError, errorText } from "../../core/errors.js";
import type { DigitUdp, DigitUdpCounters } from "./links.js";
import {
  CommandWriter,
  DescriptionCycle,
  type DigitCommand,
  type DigitLimits,
  DigitObservation,
  type Inflate,
  limitsOf,
  ObservationReader,
  StreamReader,
  type StreamState,
} from "./protocol/index.js";

export interface DigitUdpOptions {
  readonly clock: Clock;
  readonly host: string;
  /** Of the robot. */
  readonly commandPort: number;
  /** Of this computer. */
  readonly observationPort: number;
  /** For compressed observations, which no robot of this kind was seen to send. */
  readonly inflate?: Inflate;
  /** Tests bring their own. */
  readonly openSocket?: (options: SocketOptions) => Socket;
}

/** Between two looks whether the robot is silent [ms]. */
const SILENCE_CHECK_MS = 25;
/** An observation that is older than the newest by less was overtaken on its way; by more, the robot's clock began anew [s]. */
const REORDER_S_MAX = 0.1;
/** A second or so of observations, for a process that was held up. */
const RECEIVE_BUFFER_BYTES = 1 << 20;

export class DigitUdpLink implements DigitUdp {
  readonly observation = new DigitObservation();
  receivedMs = Number.NEGATIVE_INFINITY;
  limits: DigitLimits | undefined;
  missing: readonly string[] = [];
  readonly #options: DigitUdpOptions;
  readonly #clock: Clock;
  readonly #writer = new CommandWriter();
  readonly #cycle = new DescriptionCycle(this.#writer.descriptionChunks);
  readonly #stream: StreamReader;
  readonly #newest = new DigitObservation();
  readonly #observationListeners = new Set<Parameters<DigitUdp["onObservation"]>[0]>();
  readonly #stateListeners = new Set<Parameters<DigitUdp["onState"]>[0]>();
  readonly #counts = { sent: 0, unsent: 0, observations: 0, repeated: 0, reordered: 0, foreign: 0, lost: 0 };
  #reader: ObservationReader | undefined;
  #robotAddress = "";
  #foreignSender = "";
  #lastLoss = "";
  #commands: Socket | undefined;
  #observations: Socket | undefined;
  #end: AbortController | undefined;

  constructor(options: DigitUdpOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#stream = new StreamReader(
      {
        onDescription: (description) => {
          this.#reader = new ObservationReader(description);
          this.limits = limitsOf(description);
          this.missing = [...this.#reader.missing, ...this.limits.missing];
          // What is missing is no number, and the first observation is newer than none.
          this.observation.values.fill(Number.NaN);
          this.#newest.values.fill(Number.NaN);
          this.receivedMs = Number.NEGATIVE_INFINITY;
          this.#tell("live", "the robot's description is complete");
        },
        onMessage: (view, start) => this.#onMessage(view, start),
        onLost: (reason) => this.#onLost(reason),
      },
      options.inflate,
    );
  }

  get state(): StreamState {
    return this.#stream.state;
  }

  get counters(): DigitUdpCounters {
    const { broken, wrongSize, uncompressible, foreign } = this.#stream.counters;
    return {
      ...this.#counts,
      foreign: this.#counts.foreign + foreign,
      corrupt: broken.short + broken.cut + broken.checksum + wrongSize + uncompressible,
    };
  }

  async open(signal: AbortSignal): Promise<void> {
    await this.close();
    const { host, observationPort } = this.#options;
    this.#robotAddress = await resolve(host);
    const robotAddress = this.#robotAddress;
    // A lookup that answers at once: the default one would hold each datagram back for a turn of the event loop.
    const openSocket = this.#options.openSocket ?? createSocket;
    const commands = openSocket({ type: "udp4", lookup: (_, __, found) => found(null, robotAddress, 4) });
    const observations = openSocket({ type: "udp4", reuseAddr: false });
    this.#commands = commands;
    this.#observations = observations;
    observations.on("message", (datagram, sender) => this.#onDatagram(datagram, sender));
    try {
      await bound(commands, 0);
      await bound(observations, observationPort);
    } catch (cause) {
      await this.close();
      throw new CerebellumError(
        "PORT_IN_USE",
        `UDP port ${observationPort}, to which Digit sends its observations, cannot be used: ${errorText(cause)}`,
        "End the other program that talks to the robot, or the other cell; `observationPort` must be the robot's `send-port`",
        cause,
      );
    }
    // Without a listener an error would end the process: a network that is down, say.
    commands.on("error", () => this.#counts.unsent++);
    observations.on("error", () => undefined);
    observations.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
    this.#cycle.restart();
    this.#end = new AbortController();
    void this.#watch(this.#end.signal);
    if (signal.aborted) await this.close();
  }

  send(command: DigitCommand): boolean {
    const socket = this.#commands;
    if (socket === undefined) return false;
    const { commandPort } = this.#options;
    try {
      for (const chunk of this.#cycle.due(this.#clock.nowMs()))
        socket.send(chunk, commandPort, this.#robotAddress);
      socket.send(this.#writer.write(command), commandPort, this.#robotAddress);
    } catch {
      // A socket that is just being closed.
      this.#counts.unsent++;
      return false;
    }
    this.#counts.sent++;
    return true;
  }

  describeState(): string {
    const { host, observationPort } = this.#options;
    const { partsSeen, sender, state } = this.#stream;
    if (state === "live") return `live, from ${sender}`;
    if (state === "describing")
      return `data of ${sender} come, and of their description only ${["STRT", ...partsSeen].join(" ")}: datagrams of more than 1500 bytes are probably lost, whose fragments a firewall, VPN or radio link drops`;
    const foreign =
      this.#foreignSender === ""
        ? ""
        : `; datagrams of ${this.#foreignSender} do not count, because ${host} is ${this.#robotAddress}`;
    const loss = this.#lastLoss === "" ? "" : `; last: ${this.#lastLoss}`;
    return `nothing from ${host} on UDP port ${observationPort}${foreign}${loss}`;
  }

  onObservation(listener: Parameters<DigitUdp["onObservation"]>[0]): () => void {
    this.#observationListeners.add(listener);
    return () => this.#observationListeners.delete(listener);
  }

  onState(listener: Parameters<DigitUdp["onState"]>[0]): () => void {
    this.#stateListeners.add(listener);
    return () => this.#stateListeners.delete(listener);
  }

  /** Ends the connection without an event. The robot falls back by itself when it hears nothing more. */
  async close(): Promise<void> {
    this.#end?.abort();
    const sockets = [this.#commands, this.#observations];
    this.#commands = undefined;
    this.#observations = undefined;
    this.#forget();
    this.#stream.reset();
    await Promise.all(sockets.map((socket) => socket && closed(socket)));
  }

  #onDatagram(datagram: Uint8Array, { address, port }: RemoteInfo): void {
    if (address !== this.#robotAddress) {
      this.#counts.foreign++;
      this.#foreignSender = `${address}:${port}`;
      return;
    }
    this.#stream.push(datagram, address, port, this.#clock.nowMs());
  }

  #onMessage(view: DataView, start: number): void {
    const reader = this.#reader;
    if (reader === undefined) return;
    const newest = this.#newest;
    reader.read(view, start, newest);
    // False for NaN on either side: what is no number is the driver's to judge.
    const behindS = this.observation.timeS - newest.timeS;
    if (behindS > 0 && behindS < REORDER_S_MAX) {
      this.#counts.reordered++;
      return;
    }
    if (behindS === 0) this.#counts.repeated++;
    this.observation.values.set(newest.values);
    this.receivedMs = this.#clock.nowMs();
    this.#counts.observations++;
    for (const listener of this.#observationListeners) listener(this.observation, this.receivedMs);
  }

  #onLost(reason: string): void {
    if (this.#reader !== undefined) this.#counts.lost++;
    this.#lastLoss = reason;
    this.#forget();
    this.#tell(this.state, reason);
  }

  #forget(): void {
    this.#reader = undefined;
    this.limits = undefined;
    this.missing = [];
  }

  #tell(state: StreamState, reason: string): void {
    for (const listener of this.#stateListeners) listener(state, reason);
  }

  async #watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleepMs(this.#clock, SILENCE_CHECK_MS, signal);
      if (!signal.aborted) this.#stream.expire(this.#clock.nowMs());
    }
  }
}

/** @throws DEVICE_UNREACHABLE for a name that has no address */
async function resolve(host: string): Promise<string> {
  if (isIPv4(host)) return host;
  try {
    return (await lookup(host, { family: 4 })).address;
  } catch (cause) {
    throw new CerebellumError(
      "DEVICE_UNREACHABLE",
      `Digit's host "${host}" has no address: ${errorText(cause)}`,
      "Give its address as `host` in the cell file",
      cause,
    );
  }
}

const bound = (socket: Socket, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.bind(port, () => {
      socket.off("error", reject);
      resolve();
    });
  });

const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    try {
      socket.close(resolve);
    } catch {
      // It was never bound, or is closed.
      resolve();
    }
  });
