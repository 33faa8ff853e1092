/** How the fake gateway answers requests: the state changes that a console has to show, and nothing else. */
import type { CalibrationStatus, Pairing } from "../../../core/gateway/library.js";
import type { GatewayRequest } from "../../../core/gateway/requests.js";
import type { Refusal } from "../../../core/gateway/server.js";
import { FAKE_BUNDLES, FAKE_CELL, fakeDevices, fakeEpisodes } from "./fakeCell.js";

export type FakeAnswer = { message: string; data?: unknown } | { refusal: Refusal };

/** What a person can change through requests. */
export class FakeWorld {
  armState = "holding";
  policyPhase = "ready";
  recording: { task: string; episode: string; startedMs: number } | undefined;
  lastOutcome = "";
  operator = "";
  translationScale = 1;
  readonly episodes;
  readonly devices;
  readonly #nowEpochMs: number;
  #strokes = 0;
  calibration: CalibrationStatus;

  constructor(nowEpochMs: number) {
    this.#nowEpochMs = nowEpochMs;
    this.episodes = fakeEpisodes(nowEpochMs);
    this.devices = fakeDevices(nowEpochMs);
    this.calibration = {
      known: [
        {
          device: "vive",
          space: "openvr-standing",
          sha256: "4be1c0de5512aa90",
          createdEpochMs: nowEpochMs - 7_200_000,
          residualDeg: 0.8,
        },
      ],
      running: null,
    };
  }

  stop(): void {
    this.armState = "stopped";
    if (this.policyPhase === "running") this.policyPhase = "ready";
    this.operator = "";
  }

  answer(request: GatewayRequest, client: string, nowMs: number): FakeAnswer {
    switch (request.do) {
      case "enable":
        if (this.armState !== "connected" && this.armState !== "holding")
          return refused("arm is stopped", "Reset it first");
        this.armState = "holding";
        return { message: "arm is enabled and holds" };
      case "reset":
        if (this.armState === "stopped" || this.armState === "faulted") this.armState = "connected";
        return { message: "arm is reset" };
      case "stop":
        this.stop();
        return { message: "stopped" };
      case "startPolicy":
        this.policyPhase = "running";
        return { message: "policy runs" };
      case "stopPolicy":
        this.policyPhase = "ready";
        return { message: "policy has stopped" };
      case "startRecording":
        this.recording = { task: request.task, episode: "episode-0015", startedMs: nowMs };
        return { message: "records episode-0015" };
      case "stopRecording":
        this.lastOutcome = request.outcome;
        this.recording = undefined;
        return { message: `episode-0015 is kept as ${request.outcome}` };
      case "discardRecording":
        this.recording = undefined;
        return { message: "episode-0015 is discarded" };
      case "labelEpisode": {
        const found = this.episodes.episodes.find(
          ({ task, episode }) => task === request.task && episode === request.episode,
        );
        if (found === undefined) return refused("there is no such episode", "Reload the list");
        found.outcome = request.outcome;
        found.note = request.note;
        return { message: `${found.episode} is labelled ${request.outcome}` };
      }
      case "takeTeleop":
        if (this.operator !== "" && this.operator !== client)
          return refused(`${this.operator} has taken teleoperation`, "Ask for it there, or wait");
        this.operator = client;
        this.policyPhase = "ready";
        return { message: "taken" };
      case "giveTeleop":
        this.operator = "";
        return { message: "given back" };
      case "teleopSettings":
        this.translationScale = request.translationScale ?? this.translationScale;
        return { message: "set" };
      case "listEpisodes":
        return {
          message: "",
          data: {
            ...this.episodes,
            episodes: this.episodes.episodes.filter(
              ({ task }) => request.task === undefined || task === request.task,
            ),
          },
        };
      case "listBundles":
        return { message: "", data: FAKE_BUNDLES };
      case "cell":
        return { message: "", data: FAKE_CELL };
      case "listDevices":
        return { message: "", data: this.devices };
      case "revokeDevice":
        this.devices.devices = this.devices.devices.filter(({ device }) => device !== request.device);
        return { message: `${request.device} must pair again` };
      case "createPairing": {
        const pairing: Pairing = {
          code: "HJKM2PQR",
          role: request.role,
          expiresEpochMs: this.#nowEpochMs + 300_000,
          urls: FAKE_CELL.addresses.map((address) => `${address}/#pair=HJKM2PQR`),
          fingerprint: FAKE_CELL.certificateSha256,
        };
        return { message: "", data: pairing };
      }
      case "calibrationStatus":
        return { message: "", data: this.calibration };
      case "calibrationStart":
      case "calibrationStroke":
      case "calibrationFinish":
        return this.#calibrate(request);
      default:
        return { message: "done" };
    }
  }

  #calibrate(request: Extract<GatewayRequest, { do: `calibration${string}` }>): FakeAnswer {
    const strokes = ["forward", "left", "up"] as const;
    if (request.do === "calibrationFinish") this.calibration = { ...this.calibration, running: null };
    else {
      if (request.do === "calibrationStart") this.#strokes = 0;
      else if (request.do === "calibrationStroke" && request.phase === "end") this.#strokes++;
      const stroke = strokes[this.#strokes] ?? null;
      const device =
        request.do === "calibrationStart" ? request.device : (this.calibration.running?.device ?? "");
      this.calibration = {
        ...this.calibration,
        running: {
          device,
          stroke,
          isMoving: request.do === "calibrationStroke" && request.phase === "begin",
          lengthM: request.do === "calibrationStroke" && request.phase === "begin" ? 0.21 : 0,
          instruction: stroke === null ? "All three strokes are done" : `Move your hand 30 cm ${stroke}`,
          result: stroke === null ? { residualDeg: 1.2, tiltDeg: 0.4, problem: null } : null,
        },
      };
    }
    return { message: "", data: this.calibration };
  }
}

const refused = (happened: string, remedy: string): FakeAnswer => ({
  refusal: { code: "COMMAND_REFUSED", happened, remedy },
});
