/** A standing Digit in the lab at real pace: the whole cell, with its servo process and both wires. */
import { addNs, type MonotonicNs, msToMonotonicNs, msToNs, nsToMs, sleepMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import type { LabRequest } from "../../lab/control/protocol.js";
import type { DigitFault } from "../../lab/digit/digitFaults.js";
import type { DigitSceneName } from "../../lab/digit/scenes.js";
import type { ServoEvent, ServoStateName } from "../../runtime/servo/api.js";
import { digitsOf } from "../cell/robotConfig.js";
import type { Daemon } from "../daemon/daemon.js";
import {
  type DigitSample,
  DigitTruthReport,
  DigitWireReport,
  type DriveSpan,
  toDigitSample,
} from "./digitTruth.js";
import type { LetGo, StandStage } from "./standRun.js";

/** From put on its feet to at rest: what may be enabled is checked at rest. */
const ON_FEET_MS = 1500;
/** From enabled to a stand at rest. */
const SETTLE_MS = 3000;
const STATE_MS_MAX = 10_000;
const STATE_POLL_MS = 50;
/** In which the robot is held up by its servo. */
const STANDING: readonly ServoStateName[] = ["holding", "following"];
const LATCHED: readonly ServoStateName[] = ["stopped", "faulted"];

export interface PacedStandOptions {
  /** A bundle moves the robot, instead of the servo's own stand. */
  readonly byPolicy: boolean;
}

export class PacedStand implements StandStage {
  readonly #daemon: Daemon;
  readonly #robot: string;
  readonly #options: PacedStandOptions;
  #letGo: LetGo | undefined;
  #isWatching = false;
  #stopsItself = false;
  #isStoppedByOther: boolean;

  /** @throws CerebellumError LAB_REFUSED for a cell without a simulated Digit */
  constructor(daemon: Daemon, options: PacedStandOptions) {
    const [found] = digitsOf(daemon.cell.robots);
    if (daemon.lab === undefined || found === undefined)
      throw new CerebellumError(
        "LAB_REFUSED",
        `Cell ${daemon.cell.name} has no lab with a Digit`,
        "Use launch/cells/digit-lab.yaml",
      );
    this.#daemon = daemon;
    this.#robot = found[0];
    this.#options = options;
    this.#isStoppedByOther = LATCHED.includes(this.#state);
    daemon.servo(this.#robot).onEvent((event) => this.#onEvent(event));
  }

  nowMs(): number {
    return this.#daemon.clock.nowMs();
  }

  /** Somebody else has stopped it, or it was so from the start: only a person's reset leads on. */
  get needsPerson(): boolean {
    this.#isStoppedByOther &&= LATCHED.includes(this.#state);
    return this.#isStoppedByOther;
  }

  /**
   * The robot is let go of, people put it on its feet, and it is enabled again. What a trial has brought about is reset here;
   * what somebody else has stopped is not.
   * @throws CerebellumError NOT_ENABLED, and what the lab refuses
   */
  async begin(scene: DigitSceneName, signal: AbortSignal): Promise<void> {
    const { supervisor, policy, clock } = this.#daemon;
    this.#isWatching = false;
    await policy?.stop();
    if (STANDING.includes(this.#state)) await this.#stop();
    await this.#until((state) => !STANDING.includes(state) && state !== "stopping", signal);
    if (this.needsPerson)
      throw new CerebellumError(
        "NOT_ENABLED",
        `${this.#robot} is ${this.#state}, and not by the trials`,
        "`./cerebellum why` tells by what; `./cerebellum reset` goes on",
      );
    await this.#ask({ do: "digitScene", scene });
    await sleepMs(clock, ON_FEET_MS, signal);
    if (LATCHED.includes(this.#state)) succeed(await supervisor.reset());
    await this.#until((state) => state === "connected", signal);
    succeed(await supervisor.enable());
    await this.#ask({ do: "digitWire", since: 0, records: false, clear: true });
    this.#letGo = undefined;
    this.#isWatching = true;
    if (this.#options.byPolicy) await policy!.start();
    await sleepMs(clock, SETTLE_MS, signal);
    if (!STANDING.includes(this.#state)) this.#note(clock.nowNs(), `the servo is ${this.#state}`);
  }

  async disturb(fault: DigitFault): Promise<void> {
    await this.#ask({ do: "digitFault", fault });
  }

  async sample(atS: number): Promise<DigitSample> {
    return toDigitSample(DigitTruthReport.parse(await this.#ask({ do: "digitTruth" })), atS);
  }

  letGo(): LetGo | undefined {
    return this.#letGo;
  }

  async spans(): Promise<readonly DriveSpan[]> {
    const wire = await this.#ask({ do: "digitWire", since: 0, records: false, clear: false });
    return DigitWireReport.parse(wire).spans;
  }

  waitUntil(atMs: number, signal: AbortSignal): Promise<void> {
    return this.#daemon.clock.sleepUntil(msToMonotonicNs(atMs), signal);
  }

  async #stop(): Promise<void> {
    this.#stopsItself = true;
    try {
      succeed(await this.#daemon.supervisor.stop(2, "the next trial begins"));
    } finally {
      this.#stopsItself = false;
    }
  }

  get #state(): ServoStateName {
    return this.#daemon.servo(this.#robot).latest()?.state ?? "disconnected";
  }

  async #ask(request: LabRequest): Promise<Record<string, unknown>> {
    const { digit } = await this.#daemon.lab!.ask(request);
    return digit ?? {};
  }

  /** The first thing by which the servo leaves its stand is the one that counts. */
  #onEvent({ atNs, trigger, text }: ServoEvent): void {
    if (trigger === undefined) return;
    if (trigger === "stopRequested" && !this.#stopsItself) this.#isStoppedByOther = true;
    this.#note(atNs, text);
  }

  #note(atNs: MonotonicNs, because: string): void {
    if (this.#isWatching) this.#letGo ??= { atMs: nsToMs(atNs), because };
  }

  async #until(holds: (state: ServoStateName) => boolean, signal: AbortSignal): Promise<void> {
    const { clock } = this.#daemon;
    const limitNs = addNs(clock.nowNs(), msToNs(STATE_MS_MAX));
    while (!holds(this.#state) && !signal.aborted) {
      if (clock.nowNs() > limitNs)
        throw new CerebellumError(
          "NOT_ENABLED",
          `${this.#robot} is still ${this.#state} after ${STATE_MS_MAX / 1000} s`,
          "`./cerebellum why` tells what happened",
        );
      await sleepMs(clock, STATE_POLL_MS, signal);
    }
  }
}

function succeed({ success, message }: { readonly success: boolean; readonly message: string }): void {
  if (success) return;
  throw new CerebellumError("NOT_ENABLED", message, "Remove the cause that it names, then try again");
}
