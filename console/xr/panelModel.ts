/**
 * What the panel in the headset says, in words and tones; pure, so that each state's words can be tested. Short lines:
 * they are read at arm's length, while somebody moves a robot.
 */
import type { Refusal, Telemetry, TeleopStatus } from "../../core/gateway/server.js";
import type { LinkState } from "../link/gatewayLink.js";
import type { EpisodeCount, Notice } from "./headsetSession.js";
import type { Holding, RecordingPhase } from "./recordingKeys.js";

export type Tone = "plain" | "calm" | "moving" | "warn" | "bad";

export interface PanelInput {
  readonly link: LinkState;
  readonly linkRefusal: Refusal | undefined;
  readonly isMine: boolean;
  readonly refusal: Refusal | undefined;
  readonly status: TeleopStatus | undefined;
  readonly telemetry: Telemetry | undefined;
  readonly phase: RecordingPhase;
  readonly holding: Holding | undefined;
  readonly notice: Notice | undefined;
  readonly counts: EpisodeCount;
  readonly roundTripMs: number | undefined;
  readonly sentHz: number;
  readonly dropped: number;
  /** Whether the person's bare hands are seen instead of controllers. */
  readonly usesHands: boolean;
  readonly camera: { readonly name: string; readonly ageMs: number } | undefined;
  readonly nowMs: number;
}

export interface PanelRow {
  readonly label: string;
  readonly value: string;
  readonly tone: Tone;
}

export interface PanelModel {
  readonly band: { readonly tone: Tone; readonly title: string; readonly advice: string };
  readonly strip:
    | { readonly kind: "hold"; readonly share: number; readonly words: string }
    | { readonly kind: "text"; readonly tone: Tone; readonly text: string };
  readonly rows: readonly PanelRow[];
}

const NOTICE_MS = 6000;
/** An older picture is no picture of now. */
export const PICTURE_STALE_MS = 1000;
/** Slower than this feels late to a hand. */
const ROUND_TRIP_SLOW_MS = 60;
const RATE_LOW_HZ = 45;
const BEHIND_SHOWN_M = 0.01;

export function panelModel(input: PanelInput): PanelModel {
  return { band: bandOf(input), strip: stripOf(input), rows: rowsOf(input) };
}

/** The daemon's words for every source say last what these words say for the hands at hand. */
const ENDING = /[;,]? ?release the clutch and press it again$/i;

function heldBecause(why: Refusal | null): string {
  if (why === null) return "It was stopped";
  const remedy = why.remedy.replace(ENDING, "");
  return remedy === "" ? why.happened : `${why.happened}. ${remedy}`;
}

const squeeze = (usesHands: boolean): string =>
  usesHands ? "pinch thumb and index finger" : "squeeze the grip";
const letGo = (usesHands: boolean): string => (usesHands ? "Open your fingers" : "Let go of the grip");

function bandOf(input: PanelInput): PanelModel["band"] {
  const { link, linkRefusal, isMine, refusal, status, usesHands } = input;
  if (link === "refused" && linkRefusal !== undefined)
    return { tone: "bad", title: "Refused", advice: sentence(linkRefusal) };
  if (link !== "open")
    return {
      tone: "bad",
      title: "Not connected",
      advice: "The robot follows you no more. Trying to reach it again",
    };
  if (status === undefined)
    return { tone: "plain", title: "Asking", advice: "Waiting for the robot's state" };
  if (!isMine || status.state === "off") {
    const who = refusal !== undefined ? sentence(refusal) : othersHold(status);
    return { tone: "warn", title: "Not yours", advice: `${who}. To ask again, ${squeeze(usesHands)}` };
  }
  switch (status.state) {
    case "engaged":
      return {
        tone: "moving",
        title: "Moving with you",
        advice: [
          ...(status.warning === "" ? [] : [status.warning]),
          `${letGo(usesHands)} to hold the robot`,
        ].join(". "),
      };
    case "engaging":
      return { tone: "plain", title: "Taking hold", advice: "Keep your hand still for a moment" };
    case "latched":
      return {
        tone: "warn",
        title: "Held",
        advice: `${heldBecause(status.why)}. ${letGo(usesHands)}, then ${squeeze(usesHands)} again`,
      };
    default:
      return readyBand(status, usesHands);
  }
}

function readyBand(status: TeleopStatus, usesHands: boolean): PanelModel["band"] {
  if (status.why !== null) return { tone: "warn", title: "Ready", advice: heldBecause(status.why) };
  if (status.alignment === "none")
    return {
      tone: "calm",
      title: "Ready",
      advice: `First face along the robot's arm and ${usesHands ? "hold thumb and little finger together" : "hold B"} to recentre`,
    };
  return { tone: "calm", title: "Ready", advice: `To move the robot, ${squeeze(usesHands)} and hold` };
}

const othersHold = ({ operator, state }: TeleopStatus): string =>
  operator !== "" && state !== "off" ? `${operator} operates the robot` : "Nobody operates the robot";

function stripOf({ holding, notice, phase, usesHands, nowMs }: PanelInput): PanelModel["strip"] {
  if (holding !== undefined) return { kind: "hold", share: holding.share, words: holding.words };
  if (phase === "asking") return { kind: "text", tone: "warn", text: hint(phase, usesHands) };
  if (notice !== undefined && nowMs - notice.atMs < NOTICE_MS)
    return {
      kind: "text",
      tone: notice.tone === "bad" ? "bad" : notice.tone === "good" ? "calm" : "plain",
      text: notice.text,
    };
  return { kind: "text", tone: "plain", text: hint(phase, usesHands) };
}

/** What the buttons do now; a bare hand has two of them. */
function hint(phase: RecordingPhase, usesHands: boolean): string {
  const [a, b] = usesHands ? ["Thumb and ring finger", "little finger"] : ["Hold A", "B"];
  const stick = (does: string): string => (usesHands ? "" : `   stick: ${does}`);
  if (phase === "asking") return `How was it?  ${a}: success   ${b}: failure${stick("no label")}`;
  return phase === "recording" ? `${a}: stop${stick("discard")}` : `${a}: record   ${b}: recentre`;
}

function rowsOf(input: PanelInput): PanelRow[] {
  const { status, telemetry, counts, camera, roundTripMs, sentHz, dropped } = input;
  const latency = status?.latency;
  const robot = status === undefined ? undefined : telemetry?.robots[status.robot];
  const limits = status?.limitedBy ?? [];
  const finished = counts.success + counts.failure + counts.unlabelled;
  const trip = roundTripMs ?? latency?.roundTripMs ?? null;
  return [
    recordingRow(input),
    {
      label: "Episodes",
      value: `${finished}  (${counts.success} good, ${counts.failure} failed)`,
      tone: "plain",
    },
    {
      label: "Robot",
      value: robot === undefined ? "unknown" : robot.state,
      tone: robot === undefined || robot.state === "faulted" || robot.state === "stopped" ? "warn" : "plain",
    },
    {
      label: "Held back by",
      value: heldBackBy(limits, status?.leashM ?? 0),
      tone: limits.length > 0 ? "warn" : "plain",
    },
    { label: "Hand to robot PC", value: ms(latency?.transportMs), tone: "plain" },
    {
      label: "PC to robot's wire",
      value: `${ms(latency?.toWireMs)}  (99 %: ${ms(latency?.toWireP99Ms)})`,
      tone: "plain",
    },
    { label: "Smoothing adds", value: ms(latency?.filterMs), tone: "plain" },
    {
      label: "Round trip",
      value: ms(trip),
      tone: trip !== null && trip > ROUND_TRIP_SLOW_MS ? "warn" : "plain",
    },
    {
      label: "Picture",
      value: camera === undefined ? "none" : `${ms(camera.ageMs)} old, ${camera.name}`,
      tone: camera === undefined || camera.ageMs > PICTURE_STALE_MS ? "bad" : "plain",
    },
    {
      label: "Poses",
      value: `${sentHz} /s, ${(status?.lost ?? 0) + dropped} lost`,
      tone: sentHz < RATE_LOW_HZ ? "warn" : "plain",
    },
  ];
}

/** With how far the tool is behind the hand, once that is more than filters make it. */
function heldBackBy(limits: readonly string[], leashM: number): string {
  const behind = leashM > BEHIND_SHOWN_M ? [`${Math.round(1000 * leashM)} mm behind`] : [];
  return [...limits, ...behind].join(", ") || "nothing";
}

function recordingRow({ link, phase, telemetry }: PanelInput): PanelRow {
  if (link !== "open") return { label: "Recording", value: "unknown", tone: "warn" };
  const recorder = telemetry?.recorder;
  if (recorder == null) return { label: "Recording", value: "this cell does not record", tone: "plain" };
  if (phase === "recording")
    return {
      label: "● Recording",
      value: `${recorder.seconds.toFixed(0)} s  ${recorder.episode}`,
      tone: "bad",
    };
  if (phase === "asking") return { label: "Saved", value: "waits for its label", tone: "warn" };
  if (recorder.state === "down")
    return { label: "Recording", value: recorder.message || "down", tone: "bad" };
  return { label: "Recording", value: "off", tone: "plain" };
}

const ms = (value: number | null | undefined): string => (value == null ? "–" : `${Math.round(value)} ms`);

const sentence = ({ happened, remedy }: Refusal): string => `${happened}. ${remedy}`;
