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
  /** Whether the person's bare hands are seen instead of controllers; of the hand with the clutch, where fingers lead. */
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

/** What the person does to lead and to let go, by what leads and by what is in the hand that holds the clutch. */
interface LeadWords {
  readonly press: string;
  readonly letGo: string;
}

const otherOf = (hand: TeleopStatus["hand"]): TeleopStatus["hand"] => (hand === "right" ? "left" : "right");

function leadWords({ status, usesHands }: PanelInput): LeadWords {
  if (status === undefined || status.leads === "tool")
    return usesHands
      ? { press: "pinch thumb and index finger", letGo: "Open your fingers" }
      : { press: "squeeze the grip", letGo: "Let go of the grip" };
  const clutching = otherOf(status.hand);
  return usesHands
    ? { press: `pinch with your ${clutching} hand`, letGo: `Open your ${clutching} hand` }
    : { press: `squeeze the grip in your ${clutching} hand`, letGo: `Let go of your ${clutching} grip` };
}

function bandOf(input: PanelInput): PanelModel["band"] {
  const { link, linkRefusal, isMine, refusal, status } = input;
  const { press, letGo } = leadWords(input);
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
    return { tone: "warn", title: "Not yours", advice: `${who}. To ask again, ${press}` };
  }
  switch (status.state) {
    case "engaged":
      return {
        tone: "moving",
        title: status.limitedBy.includes("catching up") ? "Catching up" : "Moving with you",
        advice: [
          ...(status.warning === "" ? [] : [status.warning]),
          ...(status.limitedBy.includes("catching up")
            ? ["The robot's fingers come to where yours are"]
            : []),
          `${letGo} to hold the robot`,
        ].join(". "),
      };
    case "engaging":
      return { tone: "plain", title: "Taking hold", advice: "Keep your hand still for a moment" };
    case "latched":
      return {
        tone: "warn",
        title: "Held",
        advice: `${heldBecause(status.why)}. ${letGo}, then ${press} again`,
      };
    default:
      return readyBand(input, status);
  }
}

function readyBand(input: PanelInput, status: TeleopStatus): PanelModel["band"] {
  const { usesHands } = input;
  const { press } = leadWords(input);
  const { handSize } = status;
  if (handSize?.measuring != null)
    return { tone: "plain", title: "Measuring", advice: handSize.measuring.advice };
  if (status.why !== null) return { tone: "warn", title: "Ready", advice: heldBecause(status.why) };
  if (status.alignment === "none")
    return {
      tone: "calm",
      title: "Ready",
      advice: `First face along the robot's arm and ${usesHands ? "hold thumb and little finger together" : "hold B"} to recentre`,
    };
  if (status.leads === "tool")
    return { tone: "calm", title: "Ready", advice: `To move the robot, ${press} and hold` };
  const unmeasured =
    handSize?.measuredEpochMs == null
      ? [`It fits better once your hand is measured: ${usesHands ? "thumb and middle finger" : "trigger"}`]
      : [];
  return {
    tone: "calm",
    title: "Ready",
    advice: [`Show your ${status.hand} hand. To lead with it, ${press} and hold`, ...unmeasured].join(". "),
  };
}

const othersHold = ({ operator, state }: TeleopStatus): string =>
  operator !== "" && state !== "off" ? `${operator} operates the robot` : "Nobody operates the robot";

function stripOf(input: PanelInput): PanelModel["strip"] {
  const { holding, notice, phase, status, nowMs } = input;
  const measuring = status?.handSize?.measuring;
  if (holding !== undefined) return { kind: "hold", share: holding.share, words: holding.words };
  if (measuring != null)
    return { kind: "hold", share: measuring.share, words: `${measuring.flatCount} good` };
  if (phase === "asking") return { kind: "text", tone: "warn", text: hint(input) };
  if (notice !== undefined && nowMs - notice.atMs < NOTICE_MS)
    return {
      kind: "text",
      tone: notice.tone === "bad" ? "bad" : notice.tone === "good" ? "calm" : "plain",
      text: notice.text,
    };
  return { kind: "text", tone: "plain", text: hint(input) };
}

/** What the buttons do now; a bare hand has two of them. */
function hint({ phase, usesHands, status }: PanelInput): string {
  const [a, b] = usesHands ? ["Thumb and ring finger", "little finger"] : ["Hold A", "B"];
  const stick = (does: string): string => (usesHands ? "" : `   stick: ${does}`);
  if (phase === "asking") return `How was it?  ${a}: success   ${b}: failure${stick("no label")}`;
  if (phase === "recording") return `${a}: stop${stick("discard")}`;
  const recentre = status?.alignment === "unneeded" ? "" : `   ${b}: recentre`;
  const measure =
    status?.handSize == null ? "" : `   ${usesHands ? "middle finger" : "trigger"}: measure hand`;
  return `${a}: record${recentre}${measure}`;
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
    status?.handSize == null
      ? { label: "Smoothing adds", value: ms(latency?.filterMs), tone: "plain" }
      : sizeRow(status.handSize),
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

function sizeRow({ scale, measuredEpochMs }: NonNullable<TeleopStatus["handSize"]>): PanelRow {
  const isMeasured = measuredEpochMs !== null;
  const value = isMeasured ? `measured, ×${scale.toFixed(2)}` : `not measured, ×${scale.toFixed(2)}`;
  return { label: "Your hand", value, tone: isMeasured ? "plain" : "warn" };
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
