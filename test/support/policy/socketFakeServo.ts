/** A servo's socket for tests: grants leases, jumps to every target at once, publishes its state at 100 Hz. */
import type { Clock } from "../../../core/clock.js";
import type { CerebellumError } from "../../../core/errors.js";
import type { ServoInfo } from "../../../runtime/servo/api.js";
import { type BodyOf, NO_STATISTICS } from "../../../runtime/servo/link/schema.js";
import { type LinkHandler, LinkServer, type Peer } from "../../../runtime/servo/link/server.js";
import { createSnapshot } from "../../../runtime/servo/snapshot.js";

const seven = (value: number) => new Array<number>(7).fill(value);

export class SocketFakeServo implements LinkHandler {
  readonly commands: BodyOf<"command">[] = [];
  readonly openingsM: number[] = [];
  refuse: CerebellumError | undefined;
  readonly #clock: Clock;
  readonly #server: LinkServer;
  readonly #peers = new Map<number, string>();
  #timer: NodeJS.Timeout | undefined;
  #positionRad = new Float64Array(7);
  #epoch = 1;
  #tick = 0;
  #holder: number | undefined;
  #wireMs = 0;
  readonly #snapshot = createSnapshot(7);

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#server = new LinkServer(this);
  }

  async listen(socketPath: string): Promise<void> {
    await this.#server.listen(socketPath);
    this.#timer = setInterval(() => this.#publish(), 10);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#server.close();
  }

  peerNames = (): string[] => [...this.#peers.values()];

  revoke(reason: string): void {
    if (this.#holder !== undefined) this.#server.leaseLost(this.#holder, this.#epoch, reason);
    this.#holder = undefined;
    this.#epoch++;
  }

  info = (): ServoInfo => ({
    robot: "arm",
    device: "fake",
    rateHz: 100,
    limits: {
      jointNames: ["joint1", "joint2", "joint3", "joint4", "joint5", "joint6", "joint7"],
      positionMinRad: seven(-3),
      positionMaxRad: seven(3),
      velocityMaxRadPerS: seven(1),
      accelerationMaxRadPerS2: seven(5),
      jerkMaxRadPerS3: seven(60),
      toolSpeedMaxMPerS: 0.5,
    },
    identity: undefined,
    realtimePriority: 0,
    processId: process.pid,
    supervisorSilenceMsMax: 1000,
  });
  statistics = () => NO_STATISTICS;
  heard = (peer: Peer) => void this.#peers.set(peer.id, peer.name);
  gone = (peer: Peer) => void this.#peers.delete(peer.id);
  acquireLease = (peer: Peer) => {
    if (this.refuse !== undefined) throw this.refuse;
    this.#holder = peer.id;
    return { epoch: this.#epoch, silenceMsMax: 1000 };
  };
  releaseLease = () => {
    this.#holder = undefined;
  };
  setpoints = (): never => {
    throw new Error("nobody streams here");
  };
  command = (_peer: Peer, command: BodyOf<"command">) => {
    this.commands.push({ ...command, positionRad: Float64Array.from(command.positionRad) });
    this.#positionRad = Float64Array.from(command.positionRad);
    this.#wireMs = this.#clock.nowMs();
  };
  gripper = (_peer: Peer, _epoch: number, openingM: number) => void this.openingsM.push(openingM);
  enable = async () => {};
  reset = async () => {};
  teach = async () => {};
  stop = async () => {};
  revokeLease = () => this.revoke("a supervisor wants it");
  troubled = () => {};

  #publish(): void {
    const snapshot = this.#snapshot;
    snapshot.tick = ++this.#tick;
    snapshot.tickMs = this.#clock.nowMs();
    snapshot.state = this.#holder === undefined ? "holding" : "following";
    snapshot.epoch = this.#epoch;
    snapshot.stateMs = snapshot.tickMs;
    snapshot.stateSequence = this.#tick;
    snapshot.positionRad.set(this.#positionRad);
    snapshot.requestedRad.set(this.#positionRad);
    snapshot.sentRad.set(this.#positionRad);
    snapshot.commandSeq = this.commands.at(-1)?.seq ?? 0;
    snapshot.commandWireMs = this.#wireMs;
    snapshot.gripperOpeningM = 0.05;
    this.#server.broadcastSnapshot(snapshot);
  }
}
