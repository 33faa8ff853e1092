/**
 * Calibrating trackers: answers the requests of the guided motion, takes the poses that it needs, keeps the result. It
 * sends nothing to any robot: a stroke counts only while the clutch is open, and nothing is started or put into force
 * while the device's clutch is held or its session moves a robot.
 */
import { GUIDE_LIMITS, GuidedStrokes } from "../../calibration/guidedStrokes.js";
import type { StoredFrame } from "../../calibration/store.js";
import { frameDifferenceDeg } from "../../calibration/trackerSolver.js";
import { nsToMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import type { CalibrationStatus } from "../../core/gateway/library.js";
import type { Refusal } from "../../core/gateway/server.js";
import { DeviceName } from "../../core/teleop/pose.js";
import {
  type Answer,
  done,
  type GatewayClient,
  type GatewayPart,
  type PartFactory,
  type PartServices,
  type PoseArrival,
  type RequestOf,
  refuse,
} from "./part.js";

/** Base stations are bumped and rooms set up again: after so long somebody should look. */
const OLD_DAYS = 30;
const MS_PER_DAY = 86_400_000;
/** A frame that moved by more since it was measured has cost accuracy: 3 degrees are 5 mm on 10 cm. */
const DRIFT_DEG = 3;
/** Whoever calibrates and goes away leaves it running for at most so long. */
const IDLE_MS_MAX = 300_000;
const DEVICES_KEPT_MAX = 64;

export const calibrationPart: PartFactory = (services) => new CalibrationPart(services);

interface Running {
  readonly guide: GuidedStrokes;
  readonly by: GatewayClient;
  touchedMs: number;
}

class CalibrationPart implements GatewayPart {
  readonly #services: PartServices;
  #running: Running | undefined;
  /** Newest clutch and arrival of each device. */
  readonly #clutches = new Map<string, { readonly held: boolean; readonly atMs: number }>();
  /** Devices whose calibration's age was told in this run. */
  readonly #told = new Set<string>();

  constructor(services: PartServices) {
    this.#services = services;
    for (const { error } of services.trackerFrames.problems())
      services.event("error", "calibration", error.happened, error.remedy);
  }

  readonly requests = {
    calibrationStatus: async (): Promise<Answer> => this.#answer("calibration"),
    calibrationStart: async (
      { device }: RequestOf<"calibrationStart">,
      client: GatewayClient,
    ): Promise<Answer> => this.#start(device, client),
    calibrationStroke: async (
      { phase }: RequestOf<"calibrationStroke">,
      client: GatewayClient,
    ): Promise<Answer> => this.#stroke(phase, client),
    calibrationFinish: async (
      { keep }: RequestOf<"calibrationFinish">,
      client: GatewayClient,
    ): Promise<Answer> => this.#finish(keep, client),
  };

  onPose({ pose, receivedNs }: PoseArrival): void {
    const atMs = nsToMs(receivedNs);
    const { device, hands } = pose;
    if (this.#clutches.size >= DEVICES_KEPT_MAX && !this.#clutches.has(device)) this.#clutches.clear();
    const held = hands.some(({ clutch }) => clutch >= GUIDE_LIMITS.clutchHeld);
    this.#clutches.set(device, { held, atMs });
    this.#tellAge(device);
    if (this.#running?.guide.device === device) this.#running.guide.take(pose, atMs);
  }

  onMalformed(client: GatewayClient, why: string): void {
    // Which device it would have been is not known: a stroke that was not seen whole is not kept.
    if (client.kind === "mqtt" || client.kind === "ros" || client === this.#running?.by)
      this.#running?.guide.malformed(why);
  }

  onClosed(client: GatewayClient): void {
    if (this.#running?.by === client) this.#running = undefined;
  }

  #start(device: string, client: GatewayClient): Answer {
    if (!DeviceName.safeParse(device).success)
      return refuse("CALIBRATION_INVALID", `${device} is no name of a device`, NAME_REMEDY);
    const running = this.#current();
    if (running !== undefined && running.by !== client)
      return refuse(
        "ALREADY_RUNNING",
        `${running.by.name} is calibrating ${running.guide.device}`,
        "Wait until that is finished, or ask that person",
      );
    const against = this.#whyNot(device);
    if (against !== undefined) return { ok: false, ...against };
    const { setup } = this.#services;
    this.#running = {
      guide: new GuidedStrokes(device, setup.teleop.hand),
      by: client,
      touchedMs: this.#nowMs,
    };
    return this.#answer(
      `calibrating ${device}: three strokes, forward, left and up; the robot does not move`,
    );
  }

  #stroke(phase: "begin" | "end", client: GatewayClient): Answer {
    const running = this.#mine(client);
    if ("happened" in running) return { ok: false, ...running };
    const { guide } = running;
    const against = phase === "begin" ? this.#whyNot(guide.device) : undefined;
    if (against !== undefined) return { ok: false, ...against };
    try {
      if (phase === "begin") guide.begin(this.#nowMs);
      else guide.end();
    } catch (thrown) {
      return refusalOf(thrown);
    }
    const { instruction, fit } = guide.state;
    return this.#answer(
      fit === undefined
        ? instruction
        : `found: residual ${fit.residualDeg.toFixed(1)}°, tilt ${fit.tiltDeg.toFixed(1)}°. ${instruction}`,
    );
  }

  async #finish(keep: boolean, client: GatewayClient): Promise<Answer> {
    const running = this.#mine(client);
    if ("happened" in running) return { ok: false, ...running };
    const { guide } = running;
    if (!keep) {
      this.#running = undefined;
      return this.#answer(`calibrating ${guide.device} was given up; nothing has changed`);
    }
    const against = this.#whyNot(guide.device);
    if (against !== undefined) return { ok: false, ...against };
    const { setup, trackerFrames, clock } = this.#services;
    try {
      const nowEpochMs = Math.round(nsToMs(clock.epochNs()));
      const frame = guide.result(setup.robots[0]?.robot ?? "", nowEpochMs);
      const { stored, superseded } = await trackerFrames.keep(frame, client.name, nowEpochMs);
      if (this.#running === running) this.#running = undefined;
      this.#tellKept(stored, superseded);
      return this.#answer(`kept as ${stored.sha256.slice(0, 12)}; in force from the next engagement on`);
    } catch (thrown) {
      return refusalOf(thrown);
    }
  }

  #tellKept(stored: StoredFrame, superseded: StoredFrame | undefined): void {
    const { event, log } = this.#services;
    const { device, residualDeg } = stored.frame;
    const text = `${device} is calibrated (${stored.sha256.slice(0, 12)}, residual ${residualDeg.toFixed(1)}°)`;
    log("info", "calibrated", `${text} by ${stored.by}`);
    if (superseded === undefined || superseded.frame.space !== stored.frame.space) {
      event("info", "calibration", text);
      return;
    }
    const turnedDeg = frameDifferenceDeg(stored.frame.quatBaseTracker, superseded.frame.quatBaseTracker);
    const ageText = ageOf(stored.frame.createdEpochMs - superseded.frame.createdEpochMs);
    const former = `the one from ${ageText} before (${superseded.sha256.slice(0, 12)})`;
    const replaced = `${text}; it supersedes ${former}, which was ${turnedDeg.toFixed(1)}° away`;
    if (turnedDeg > DRIFT_DEG)
      event(
        "warn",
        "calibration",
        `${replaced}: the tracker's frame has turned since`,
        "Episodes carry the hash of the frame that they were recorded with; look at those recorded meanwhile",
      );
    else event("info", "calibration", replaced);
  }

  /** Once a run: nobody notices that base stations were moved until a hand goes one way and the arm another. */
  #tellAge(device: string): void {
    if (this.#told.has(device) || this.#told.size >= DEVICES_KEPT_MAX) return;
    this.#told.add(device);
    const { trackerFrames, clock, event } = this.#services;
    const found = trackerFrames.frameOf(device);
    if (found === undefined) return;
    const days = (nsToMs(clock.epochNs()) - found.frame.createdEpochMs) / MS_PER_DAY;
    if (days > OLD_DAYS)
      event(
        "info",
        "calibration",
        `The calibration of ${device} is ${days.toFixed(0)} days old`,
        "Move the hand along the table's edge and see that the tool follows it; if not, calibrate again",
      );
  }

  /** Why nothing may begin or come into force for this device now. */
  #whyNot(device: string): Refusal | undefined {
    const clutch = this.#clutches.get(device);
    const isFresh = clutch !== undefined && this.#nowMs - clutch.atMs <= GUIDE_LIMITS.poseAgeMsMax;
    const teleop = this.#services.teleop();
    const isEngaged =
      teleop?.device === device && (teleop.state === "engaged" || teleop.state === "engaging");
    if (!isEngaged && !(isFresh && clutch.held)) return undefined;
    return {
      code: "CALIBRATION_INVALID",
      happened: isEngaged ? `${device} moves the robot now` : `The clutch of ${device} is held`,
      remedy:
        "Release the clutch: calibrating never moves the robot, and never changes a frame that moves it",
    };
  }

  #current(): Running | undefined {
    if (this.#running !== undefined && this.#nowMs - this.#running.touchedMs > IDLE_MS_MAX)
      this.#running = undefined;
    return this.#running;
  }

  #mine(client: GatewayClient): Running | Refusal {
    const running = this.#current();
    if (running === undefined || running.by !== client)
      return {
        code: "NOT_RUNNING",
        happened:
          running === undefined
            ? "No calibration is under way"
            : `${running.by.name} is calibrating, not you`,
        remedy: "Start one with the device's name",
      };
    running.touchedMs = this.#nowMs;
    return running;
  }

  get #nowMs(): number {
    return this.#services.clock.nowMs();
  }

  #answer(message: string): Answer {
    return done(message, this.#status());
  }

  #status(): CalibrationStatus {
    const running = this.#current();
    return {
      known: this.#services.trackerFrames.inForce().map(({ frame, sha256 }) => ({
        device: frame.device,
        space: frame.space,
        sha256,
        createdEpochMs: frame.createdEpochMs,
        residualDeg: frame.residualDeg,
      })),
      running: running === undefined ? null : runningStatus(running.guide),
    };
  }
}

function runningStatus(guide: GuidedStrokes): NonNullable<CalibrationStatus["running"]> {
  const { stroke, isMoving, lengthM, instruction, fit, problem } = guide.state;
  return {
    device: guide.device,
    stroke: stroke ?? null,
    isMoving,
    lengthM,
    instruction,
    result:
      fit === undefined && problem === undefined
        ? null
        : {
            residualDeg: fit?.residualDeg ?? 0,
            tiltDeg: fit?.tiltDeg ?? 0,
            problem: problem?.message ?? null,
          },
  };
}

function refusalOf(thrown: unknown): Answer {
  if (thrown instanceof CerebellumError) return refuse(thrown.code, thrown.happened, thrown.remedy);
  throw thrown;
}

const NAME_REMEDY = "Names are lower case letters, digits, dot, _ and -, as the bridge or page shows it";

function ageOf(ms: number): string {
  const hours = ms / 3_600_000;
  return hours < 48 ? `${hours.toFixed(1)} hours` : `${(hours / 24).toFixed(0)} days`;
}
