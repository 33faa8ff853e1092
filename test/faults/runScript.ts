/**
 * Runs one fault script against a real servo process: sets the scene, lets the fault happen while a commander that
 * never learns goes on, and checks the outcome that the script states and what holds for all of them.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setPriority } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { repositoryRootUrl } from "../../core/entry.js";
import { CerebellumError } from "../../core/errors.js";
import { FaultyController, type VendorSdk } from "../../lab/faults/injector.js";
import type { NamedScript } from "../../lab/faults/schema.js";
import type { Settings } from "../../lab/xarm7/settings.js";
import { systemClock } from "../../launch/systemClock.js";
import { type Answer, HOME_RAD, ServoRig, until } from "../support/servoRig.js";
import { StubbornCommander } from "../support/stubbornCommander.js";
import { Witness } from "./witness.js";

/** The scene is looked at for so long once the outcome was reached. */
const SETTLED_MS = 250;
const FOLLOW_MS = 350;
/** Most setpoints that can be on their way when streaming ends: what the driver leaves unanswered. */
const UNDERWAY_MAX = 3;
/** They have arrived by then. */
const UNDERWAY_MS = 150;
const REST_RAD = 1e-4;
/** A stream begins at the arm; what is left is the lag of the emulated arm. */
const START_RAD_MAX = 2e-3;
/** Float32 angles leave this much of an acceleration and of a jerk unknown (see SetpointMonitor). */
const ACCELERATION_BLUR = 0.05;
const JERK_BLUR = 16;

type Waiting = { readonly name: string; readonly outcome: Promise<unknown> };

export interface Measured {
  readonly script: string;
  /** From the last step's beginning to the outcome's state; undefined where it is the scene's own state. */
  readonly reachedMs: number | undefined;
}

class Run {
  readonly script: NamedScript;
  readonly controller: FaultyController;
  readonly witness = new Witness();
  #rig: ServoRig | undefined;
  #commander: StubbornCommander | undefined;
  /** Place in the witness's events at which the fault begins. */
  #mark = 0;
  /** Set when the last step begins. */
  #stepMs = 0;

  constructor(script: NamedScript) {
    this.script = script;
    const { positionRad = HOME_RAD, version, serial } = script.given.controller;
    this.controller = new FaultyController(systemClock, { positionRad, version, serial }, vendorSdk);
  }

  async run(): Promise<Measured> {
    const { script } = this;
    const ports = await this.controller.start();
    this.#rig = new ServoRig(ports, {
      ...script.given,
      servo: { stateAgeMsMax: 250, ...script.given.servo },
    });
    const steps = script.scene === "starting" ? this.#steps() : undefined;
    const { started, ready } = await this.#rig.start();
    if (script.outcome.state === "ended") {
      await steps;
      expect(ready).toMatchObject({ error: { code: script.outcome.refused?.code } });
      expect((ready.error as Answer).happened).toContain(script.outcome.refused?.says);
      expect(await started.exited).toBe(1);
      return { script: script.name, reachedMs: undefined };
    }
    expect(ready).toMatchObject({ ready: true });
    this.witness.watch(await this.#rig.connectSupervisor());
    this.#commander = new StubbornCommander(this.#rig.socketPath);
    const request = await this.#setScene();
    await (steps ?? this.#steps());
    const reachedMs = await this.#checkOutcome(request);
    await this.#recover();
    await this.#checkWire();
    return { script: script.name, reachedMs };
  }

  async close(): Promise<void> {
    this.#commander?.close();
    await this.#rig?.close();
    await this.controller.close();
  }

  get #servo() {
    return this.#rig!.supervisor;
  }

  /** Brings the servo to where the first step finds it; answers with a request that is under way then. */
  async #setScene(): Promise<Waiting | undefined> {
    const { scene } = this.script;
    const ask = (name: string, asked: Promise<void>): Waiting => ({ name, outcome: asked.catch((e) => e) });
    if (scene === "starting" || scene === "connected") return this.#markScene();
    if (scene === "enabling") {
      this.#markScene();
      return ask("enable", this.#servo.enable());
    }
    await this.#servo.enable();
    if (scene !== "holding") await this.#follow();
    if (scene === "stopped") await this.#servo.stop(1, "the scene of a test");
    if (scene === "faulted" || scene === "resetting") {
      await this.controller.act({ error: { code: 31, held: false } });
      await this.#rig!.inState("faulted");
      await this.#settle();
    }
    this.#markScene();
    return scene === "resetting" ? ask("reset", this.#servo.reset()) : undefined;
  }

  #markScene(): undefined {
    this.#mark = this.witness.events.length;
    this.witness.reasons = 0;
    this.#stepMs = performance.now();
  }

  async #steps(): Promise<void> {
    const upcoming = this.script.steps.map((step) => ({
      step,
      requested: step.onRequest === undefined ? undefined : this.controller.nextRequest(step.onRequest),
    }));
    for (const { step, requested } of upcoming) {
      if (step.afterMs > 0) await sleep(step.afterMs);
      await requested;
      this.#stepMs = performance.now();
      for (const action of step.do) await this.controller.act(action);
    }
  }

  async #checkOutcome(request: Waiting | undefined): Promise<number | undefined> {
    const { outcome } = this.script;
    const { state, via, withinMs } = outcome;
    if (request !== undefined) this.#checkRequest(request.name, await request.outcome);
    const visited = () => this.#visited();
    const isThere = () => this.#state() === state && isSubsequence(via, visited()) && this.#hasTold();
    try {
      await until(`${[...via, state].join(" -> ")}`, isThere, withinMs);
    } catch (thrown) {
      throw new Error(`${(thrown as Error).message}; ${this.#account()}`);
    }
    const reachedMs = via.length > 0 || visited().length > 0 ? performance.now() - this.#stepMs : undefined;
    await this.#settle();
    const account = this.#account();
    expect(this.#state(), account).toBe(state);
    expect(this.witness.faults(["stop", "power"], this.#mark).sort(), account).toEqual(
      [...outcome.faults].sort(),
    );
    expect(this.witness.reasonNames(), account).toEqual(expect.arrayContaining(outcome.reasons));
    if (state === "following") {
      if (outcome.moves) await this.#checkFollows();
      return reachedMs;
    }
    await this.#checkRest();
    const { motorsOn } = this.controller.emulator.controller.state;
    if (outcome.arm !== "either") expect(motorsOn ? "powered" : "unpowered", account).toBe(outcome.arm);
    return reachedMs;
  }

  #checkRequest(name: string, answer: unknown): void {
    const { refused } = this.script.outcome;
    if (refused === undefined) {
      expect(answer, name).toBeUndefined();
      return;
    }
    expect(answer, name).toBeInstanceOf(CerebellumError);
    expect(answer).toMatchObject({ code: refused.code });
    expect((answer as CerebellumError).happened).toContain(refused.says);
  }

  /** Faults, warnings and triggers of the outcome were all told. */
  #hasTold(): boolean {
    const { faults, told, triggers } = this.script.outcome;
    const codes = this.witness.faults(["warning", "stop", "power"], this.#mark);
    const acted = this.witness.triggers(this.#mark);
    return (
      [...faults, ...told].every((code) => codes.includes(code)) &&
      triggers.every((name) => acted.includes(name))
    );
  }

  async #recover(): Promise<void> {
    const { by, refusedUntil, first, within, settings } = this.script.recovery;
    if (refusedUntil !== undefined) {
      if (by === "reset") await this.#servo.reset().catch(() => {});
      await expect(this.#servo.enable()).rejects.toMatchObject({ code: refusedUntil });
    }
    for (const action of first) await this.controller.act(action);
    if (by === "none") return;
    if (by === "reset") {
      // A latch opens only on request.
      if (refusedUntil === undefined)
        await expect(this.#servo.enable()).rejects.toMatchObject({ code: "NOT_ENABLED" });
      await this.#eventually(within, () => this.#servo.reset());
      await this.#rig!.inState("connected");
    }
    await this.#eventually(within, () => this.#servo.enable());
    await this.#rig!.inState("holding");
    // The commander still says what it said under the lease that is gone.
    await this.#checkRest();
    const { refusedCommands } = await this.#servo.statistics();
    const before = (refusedCommands.noLease ?? 0) + (refusedCommands.wrongEpoch ?? 0);
    await this.#follow();
    await this.#checkFollows();
    const after = (await this.#servo.statistics()).refusedCommands;
    expect((after.noLease ?? 0) + (after.wrongEpoch ?? 0)).toBeGreaterThanOrEqual(before);
    const near = (value: unknown): unknown =>
      Array.isArray(value) ? value.map(near) : typeof value === "number" ? expect.closeTo(value, 4) : value;
    for (const [name, value] of Object.entries(settings ?? {}))
      expect(this.controller.emulator.controller.settings[name as keyof Settings], name).toEqual(near(value));
  }

  /** `eventually`: what people do until it works, for devices that need time to come back. */
  async #eventually(within: "at once" | "eventually", act: () => Promise<void>): Promise<void> {
    if (within === "at once") return act();
    for (let tries = 0; ; tries++) {
      try {
        return await act();
      } catch (thrown) {
        if (tries >= 40) throw thrown;
        await sleep(200);
      }
    }
  }

  async #follow(): Promise<void> {
    await this.#commander!.acquire();
    await sleep(FOLLOW_MS);
  }

  /** The arm moves, and the servo is content. */
  async #checkFollows(): Promise<void> {
    const from = [...this.controller.plant.positionRad];
    await until("the arm moves", () => distance(from, this.controller.plant.positionRad) > 0.02, 4000).catch(
      (thrown: Error) => {
        throw new Error(`${thrown.message}; ${this.#account()}`);
      },
    );
    expect(this.#servo.latest()!.state, this.#account()).toBe("following");
  }

  /** The arm itself does not move, whatever the commander goes on saying. */
  async #checkRest(): Promise<void> {
    const { plant } = this.controller;
    const from = [...plant.positionRad];
    await this.#settle();
    // A rebooted controller has taken the place of the one that was looked at.
    if (plant !== this.controller.plant) return this.#checkRest();
    expect(distance(from, plant.positionRad), this.#account()).toBeLessThan(REST_RAD);
  }

  #settle = (): Promise<void> => sleep(SETTLED_MS);

  /** From the emulated controller's own log. */
  async #checkWire(): Promise<void> {
    const records = this.controller.records();
    for (const { fromNs, toNs } of this.witness.silences()) {
      const late = records.filter(
        ({ kind, atNs }) => kind === "motion" && atNs > fromNs && (toNs === undefined || atNs < toNs),
      );
      expect(late.length, "setpoints after streaming ended").toBeLessThanOrEqual(UNDERWAY_MAX);
      const lastMs = late.map(({ atNs }) => Number(atNs - fromNs) / 1e6).at(-1) ?? 0;
      expect(lastMs, "the last setpoint after streaming ended [ms]").toBeLessThan(UNDERWAY_MS);
    }
    const { limits } = this.#servo.info;
    // After missed ticks the servo begins again from rest, which the wire cannot tell from a blow.
    const isWhole = this.witness.events.every(({ kind }) => kind !== "overrun");
    for (const { setpoints } of this.controller.emulators) {
      const { figures } = setpoints;
      expect(figures.startDistanceRad, "where streams begin [rad]").toBeLessThan(START_RAD_MAX);
      for (let joint = 0; joint < limits.jointNames.length; joint++) {
        const velocity = limits.velocityMaxRadPerS[joint]!;
        const acceleration = limits.accelerationMaxRadPerS2[joint]! + ACCELERATION_BLUR;
        const jerk = limits.jerkMaxRadPerS3[joint]! + JERK_BLUR;
        expect(figures.velocityRadPerS[joint], `velocity of joint ${joint + 1}`).toBeLessThan(
          1.001 * velocity,
        );
        if (!isWhole) continue;
        expect(figures.accelerationRadPerS2[joint], `acceleration of joint ${joint + 1}`).toBeLessThan(
          acceleration,
        );
        expect(figures.jerkRadPerS3[joint], `jerk of joint ${joint + 1}`).toBeLessThan(jerk);
      }
    }
  }

  /** As the events tell it: snapshots may lag behind them. */
  #state(): string | undefined {
    return this.witness.changes.at(-1)?.to ?? this.#servo.latest()?.state;
  }

  #visited(): string[] {
    const since = this.witness.events.slice(this.#mark).filter(({ kind }) => kind === "state");
    return since.flatMap(({ text }) => /^\w+ -> (\w+):/.exec(text)?.[1] ?? []);
  }

  /** For failures: what the servo said since the fault. */
  #account(): string {
    const texts = this.witness.events.slice(this.#mark).map(({ kind, text }) => `${kind}: ${text}`);
    const { state, motion } = this.controller.emulator.controller;
    const device = `mode ${state.mode}, state ${state.state}, error ${state.errorCode}, moving ${motion.moving()}`;
    return `in ${this.#servo.latest()?.state}; arm ${device}; ${texts.join(" | ")}`;
  }
}

/**
 * A run in which the emulated controller itself stood still for so long says nothing about the servo: the fault that it
 * saw then was this machine's load. Only such a run may be repeated.
 */
const STARVED_MS = 60;
const TRIES_MAX = 6;
/** Before the second try, and so much longer before each further one. */
const CALM_MS = 1000;
const LOOK_MS = 10;

/** The emulated controller runs in this process, and must not be slower than a real one when the machine is busy. */
function takePriority(): void {
  try {
    setPriority(EMULATOR_NICENESS);
  } catch {
    // Not permitted: then a busy machine repeats more scripts.
  }
}
const EMULATOR_NICENESS = -15;

/** @throws what was not as stated */
export async function runScript(script: NamedScript): Promise<Measured> {
  takePriority();
  for (let tries = 1; ; tries++) {
    const run = new Run(script);
    const starvation = new Starvation();
    try {
      return await run.run();
    } catch (thrown) {
      if (tries === TRIES_MAX || starvation.longestMs < STARVED_MS) throw thrown;
      const why = `${thrown instanceof Error ? thrown.message : thrown}`.slice(0, 300);
      console.log(
        `${script.name}: this process stood still for ${starvation.longestMs.toFixed(0)} ms, so again after: ${why}`,
      );
    } finally {
      starvation.end();
      await run.close();
    }
    await sleep(tries * CALM_MS);
  }
}

/** The longest time for which this process did not run, on top of the time between two looks. */
class Starvation {
  longestMs = 0;
  #lastMs = performance.now();
  readonly #timer = setInterval(() => {
    const nowMs = performance.now();
    this.longestMs = Math.max(this.longestMs, nowMs - this.#lastMs - LOOK_MS);
    this.#lastMs = nowMs;
  }, LOOK_MS);

  end(): void {
    clearInterval(this.#timer);
  }
}

const vendorSdk: VendorSdk = async (ports, calls) => {
  const python =
    process.env.CEREBELLUM_PYTHON ?? fileURLToPath(new URL(".ros2/venv/bin/python", repositoryRootUrl()));
  const script = fileURLToPath(new URL("test/lab/xarm7SecondClient.py", repositoryRootUrl()));
  const client = spawn(python, ["-u", script, JSON.stringify(ports), JSON.stringify(calls)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  let complained = "";
  client.stdout.on("data", (chunk) => (said += String(chunk)));
  client.stderr.on("data", (chunk) => (complained += String(chunk)));
  await once(client, "close");
  expect(said, complained).toContain('"answers"');
};

const distance = (one: ArrayLike<number>, other: ArrayLike<number>): number =>
  Math.max(...Array.from(one, (value, joint) => Math.abs(value - other[joint]!)));

function isSubsequence(wanted: readonly string[], seen: readonly string[]): boolean {
  let found = 0;
  for (const name of seen) if (name === wanted[found]) found++;
  return found === wanted.length;
}
