/**
 * Keeps the servo process of one robot running by the rule in `restartPolicy.ts`. A process that died, or that does
 * not tick any more, is replaced by one that starts stopped; one that only lost its connection to the daemon is
 * connected to again. After too many deaths the robot stays down until a person asks for a reset.
 */
import { nsToMs, sleepMs } from "../../core/clock.js";
import { CerebellumError, errorText } from "../../core/errors.js";
import { ServoSlot } from "../../runtime/servo/slot.js";
import { RESTART_RULES, RestartBudget } from "./restartPolicy.js";
import { connectToServo, type ServoProcess, type ServoStart, startServo } from "./servoProcess.js";

export type KeeperState = "up" | "restarting" | "down";

const LOOK_MS = 500;
/** So many looks in a row without a new tick: the process hangs. A pause of the whole machine is one look. */
const STILL_LOOKS_MAX = 6;
/** A policy step ends within one inference; a servo decelerates within its limits. */
const STOP_MS_MAX = 1500;
const RULE = RESTART_RULES.servo;

export class ServoKeeper {
  readonly robot: string;
  readonly supervisor: ServoSlot;
  readonly commander: ServoSlot;
  readonly #start: ServoStart;
  readonly #closing = new AbortController();
  readonly #budget = new RestartBudget(RULE);
  readonly #ended: Promise<void>;
  #process: ServoProcess;
  #state: KeeperState = "up";
  #restarts = 0;
  #stillLooks = 0;
  #trouble: string | undefined;
  #revive: (() => void) | undefined;

  private constructor(start: ServoStart, first: ServoProcess) {
    this.#start = start;
    this.robot = start.robot;
    this.#process = first;
    this.supervisor = new ServoSlot(first.supervisor);
    this.commander = new ServoSlot(first.commander);
    this.supervisor.onEvent((event) => {
      const level = event.kind === "fault" || event.kind === "watchdog" ? "warn" : "info";
      start.log[level](
        { event: `servo.${event.kind}`, robot: this.robot, fault: event.fault?.code },
        event.text,
      );
    });
    this.#ended = this.#watch();
  }

  /** @throws what the servo process could not do: the first start is not repeated */
  static async start(start: ServoStart, latched?: string): Promise<ServoKeeper> {
    return new ServoKeeper(start, await startServo(start, latched));
  }

  get state(): KeeperState {
    return this.#state;
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** Why the process was started again, or why it is not; undefined while nothing has happened. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Set while a process that should tick does not; one that is down or being started again is another matter. */
  get stillness(): string | undefined {
    return this.#state === "up" && this.#stillLooks >= 2
      ? `the servo of ${this.robot} does not tick`
      : undefined;
  }

  get processId(): number | undefined {
    return this.#process.child.processId;
  }

  /** A person's reset of a robot that is down: one more start, with a budget of its own. */
  async revive(): Promise<void> {
    if (this.#state !== "down") return;
    this.#budget.clear();
    this.#state = "restarting";
    this.#revive?.();
    while (this.#isRestarting() && !this.#closing.signal.aborted) {
      await sleepMs(this.#start.clock, 20, this.#closing.signal);
    }
    if (this.#isDown()) throw this.#stillDown();
  }

  /** Leaves the arm holding. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.supervisor.close();
    await this.commander.close();
    await this.#process.child.stop(STOP_MS_MAX);
    await this.#ended;
  }

  // The state changes while others wait; a plain comparison would be narrowed away.
  #isRestarting(): boolean {
    return this.#state === "restarting";
  }

  #isDown(): boolean {
    return this.#state === "down";
  }

  async #watch(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      let trouble = await this.#untilTrouble();
      if (signal.aborted) return;
      if (trouble === undefined) {
        if (await this.#connectAgain()) continue;
        trouble = "it does not take connections any more";
      }
      await this.#startAgain(`the servo process of ${this.robot} failed: ${trouble}`);
    }
  }

  /** Resolves with what is wrong with the process, or with undefined when only a connection to it has closed. */
  async #untilTrouble(): Promise<string | undefined> {
    const { child, supervisor, commander } = this.#process;
    let tick = -1;
    this.#stillLooks = 0;
    while (!this.#closing.signal.aborted) {
      const look = AbortSignal.any([this.#closing.signal, supervisor.closed, commander.closed]);
      await sleepMs(this.#start.clock, LOOK_MS, look);
      if (supervisor.closed.aborted || commander.closed.aborted) {
        // Its sockets close a moment before its exit is known, and all processes of a unit end together.
        await Promise.race([child.exited, sleepMs(this.#start.clock, RULE.delayMs, this.#closing.signal)]);
        return child.running ? undefined : `it ended with ${child.exitText}`;
      }
      const newest = supervisor.latest()?.tick ?? -1;
      this.#stillLooks = newest === tick ? this.#stillLooks + 1 : 0;
      tick = newest;
      if (this.#stillLooks >= STILL_LOOKS_MAX) {
        child.kill();
        await child.exited;
        return `it did not tick for ${(STILL_LOOKS_MAX * LOOK_MS) / 1000} s and was ended`;
      }
    }
    return undefined;
  }

  async #connectAgain(): Promise<boolean> {
    try {
      const connected = await connectToServo(this.#start);
      await Promise.all([this.#process.supervisor.close(), this.#process.commander.close()]);
      this.#put({ child: this.#process.child, ...connected });
      this.#start.log.warn({ event: "servoReconnected", robot: this.robot }, "connected to the servo again");
      return true;
    } catch {
      this.#process.child.kill();
      await this.#process.child.exited;
      return false;
    }
  }

  async #startAgain(why: string): Promise<void> {
    const { log, clock, robot } = this.#start;
    const { signal } = this.#closing;
    this.#state = "restarting";
    this.#trouble = why;
    log.error({ event: "servoDied", robot, processId: this.processId }, `${why}; ${RULE.effect}`);
    for (;;) {
      await sleepMs(clock, RULE.delayMs, signal);
      if (signal.aborted) return;
      if (!this.#budget.take(clock.nowNs())) await this.#stayDown();
      if (signal.aborted) return;
      try {
        const sinceNs = clock.nowNs();
        this.#put(await startServo({ ...this.#start, signal }, this.#trouble));
        this.#restarts++;
        this.#state = "up";
        log.warn(
          { event: "servoRestarted", robot, tookMs: nsToMs(clock.nowNs() - sinceNs) },
          `the servo process of ${robot} runs again, stopped. ${RULE.remedy}`,
        );
        return;
      } catch (thrown) {
        if (signal.aborted) return;
        this.#trouble = `${why}; starting it again failed: ${errorText(thrown)}`;
        log.error({ event: "servoNotRestarted", robot }, errorText(thrown));
      }
    }
  }

  /** Resolves when a person has asked for another try. */
  async #stayDown(): Promise<void> {
    this.#state = "down";
    this.#start.log.error({ event: "servoDown", robot: this.robot }, this.#stillDown().message);
    await new Promise<void>((resolve) => {
      this.#revive = resolve;
      this.#closing.signal.addEventListener("abort", () => resolve(), { once: true });
    });
    this.#budget.take(this.#start.clock.nowNs());
  }

  #stillDown(): CerebellumError {
    return new CerebellumError(
      "NOT_RUNNING",
      `${this.#trouble}; it was started ${RULE.restartsMax} times within ${RULE.withinS} s and stays down`,
      "Remove the cause that the log names, then `./cerebellum reset` starts it once more",
    );
  }

  #put(process: ServoProcess): void {
    this.#process = process;
    this.supervisor.replace(process.supervisor);
    this.commander.replace(process.commander);
  }
}
