/** A servo's socket for tests: grants leases, jumps to every target at once, publishes its state at 100 Hz. */
import type { Clock } from "../../../core/clock.js";
import type { CerebellumError } from "../../../core/errors.js";
import { createFloatingBase } from "../../../core/floatingBase.js";
import type { ServoInfo } from "../../../runtime/servo/api.js";
import { type BodyOf, type CommandBody, NO_STATISTICS } from "../../../runtime/servo/link/schema.js";
import { type LinkHandler, LinkServer, type Peer } from "../../../runtime/servo/link/server.js";
import { createSnapshot } from "../../../runtime/servo/snapshot.js";

const PUBLISH_MS = 10;

/** Of which robot it is. */
export interface FakeRobot {
  readonly device: string;
  readonly rateHz: number;
  readonly jointNames: readonly string[];
  readonly startRad: readonly number[];
  /** Only of a robot on legs. */
  readonly passiveJointCount?: number;
}

const ARM: FakeRobot = {
  device: "fake",
  rateHz: 100,
  jointNames: ["joint1", "joint2", "joint3", "joint4", "joint5", "joint6", "joint7"],
  startRad: new Array<number>(7).fill(0),
};

export class SocketFakeServo implements LinkHandler {
  readonly commands: CommandBody[] = [];
  readonly openingsM: number[] = [];
  refuse: CerebellumError | undefined;
  readonly #clock: Clock;
  readonly #server: LinkServer;
  readonly #peers = new Map<number, string>();
  #timer: NodeJS.Timeout | undefined;
  readonly #robot: FakeRobot;
  #positionRad: Float64Array;
  #epoch = 1;
  #tick = 0;
  #holder: number | undefined;
  #wireMs = 0;
  readonly #snapshot: ReturnType<typeof createSnapshot>;

  constructor(clock: Clock, robot = ARM) {
    this.#clock = clock;
    this.#robot = robot;
    this.#positionRad = Float64Array.from(robot.startRad);
    this.#snapshot = createSnapshot(
      robot.jointNames.length,
      robot.passiveJointCount === undefined ? undefined : createFloatingBase(robot.passiveJointCount),
    );
    this.#server = new LinkServer(this);
  }

  async listen(socketPath: string): Promise<void> {
    await this.#server.listen(socketPath);
    this.#timer = setInterval(() => this.#publish(), PUBLISH_MS);
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

  #each = (value: number) => this.#robot.jointNames.map(() => value);

  info = (): ServoInfo => ({
    robot: "arm",
    device: this.#robot.device,
    rateHz: this.#robot.rateHz,
    limits: {
      jointNames: [...this.#robot.jointNames],
      positionMinRad: this.#each(-3),
      positionMaxRad: this.#each(3),
      velocityMaxRadPerS: this.#each(1),
      accelerationMaxRadPerS2: this.#each(5),
      jerkMaxRadPerS3: this.#each(60),
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
  command = (_peer: Peer, command: CommandBody) => {
    this.commands.push({ ...command, positionRad: Float64Array.from(command.positionRad) });
    this.#positionRad = Float64Array.from(command.positionRad);
    this.#wireMs = this.#clock.nowMs();
  };
  gripper = (_peer: Peer, { openingM }: BodyOf<"gripper">) => void this.openingsM.push(openingM);
  enable = async () => {};
  reset = async () => {};
  teach = async () => {};
  stop = async () => {};
  revokeLease = () => this.revoke("a supervisor wants it");
  troubled = () => {};

  #publish(): void {
    const snapshot = this.#snapshot;
    this.#tick += (PUBLISH_MS * this.#robot.rateHz) / 1000;
    snapshot.tick = this.#tick;
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
