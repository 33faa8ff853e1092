/**
 * Requests that are answered one by one, with who may make them. Those of `control` go to the daemon as from any other
 * shell; the rest is answered by the gateway itself.
 */
import { z } from "zod";

/** `observer` sees; `operator` also moves, records and pairs. Whoever is paired may stop. */
export const ROLES = ["observer", "operator"] as const;
export const Role = z.enum(ROLES);
export type Role = z.infer<typeof Role>;

const Name = z.string().min(1).max(64);
const Note = z.string().max(1000);
const Outcome = z.enum(["success", "failure", "unlabelled"]);

const control = [
  z.strictObject({ do: z.literal("enable") }),
  z.strictObject({ do: z.literal("reset") }),
  z.strictObject({ do: z.literal("stop"), category: z.union([z.literal(0), z.literal(1), z.literal(2)]) }),
  z.strictObject({ do: z.literal("startPolicy"), bundle: z.string().max(500).optional() }),
  z.strictObject({ do: z.literal("stopPolicy") }),
  z.strictObject({ do: z.literal("startRecording"), task: Name, note: Note }),
  z.strictObject({ do: z.literal("stopRecording"), outcome: Outcome, note: Note }),
  z.strictObject({ do: z.literal("discardRecording") }),
  z.strictObject({
    do: z.literal("labelEpisode"),
    outcome: Outcome,
    note: Note,
    task: Name.optional(),
    episode: Name.optional(),
  }),
  /** Kinesthetic teaching: the arm can be moved by hand while it is on. */
  z.strictObject({ do: z.literal("teach"), robot: Name, on: z.boolean() }),
] as const;

const teleop = [
  /** Makes this client the operator whose poses count; ends a policy, and what `up` does by itself, first. */
  z.strictObject({
    do: z.literal("takeTeleop"),
    robot: Name,
    /** By a tracked hand: its fingers lead those of the hand that this arm carries, if it carries one. */
    fingers: z.boolean().optional(),
  }),
  z.strictObject({ do: z.literal("giveTeleop") }),
  z.strictObject({
    do: z.literal("teleopSettings"),
    translationScale: z.number().min(0.1).max(2).optional(),
    rotationScale: z.number().min(0).max(2).optional(),
    hand: z.enum(["left", "right"]).optional(),
  }),
  /** The operator now faces along the robot's x axis. */
  z.strictObject({ do: z.literal("recentre") }),
  /** The size of the hand that leads a robot's fingers: five seconds of a flat hand, watched in the pose messages. */
  z.strictObject({ do: z.literal("measureHand"), phase: z.enum(["begin", "cancel"]) }),
] as const;

const library = [
  z.strictObject({ do: z.literal("listEpisodes"), task: Name.optional() }),
  z.strictObject({ do: z.literal("listBundles") }),
  z.strictObject({ do: z.literal("cell") }),
] as const;

const calibration = [
  z.strictObject({ do: z.literal("calibrationStatus") }),
  /** Begins a guided calibration of a tracker's frame; the strokes come from the pose messages of that device. */
  z.strictObject({ do: z.literal("calibrationStart"), device: z.string().max(64) }),
  /** The next stroke of the guided motion begins, or the last one has ended. */
  z.strictObject({ do: z.literal("calibrationStroke"), phase: z.enum(["begin", "end"]) }),
  z.strictObject({ do: z.literal("calibrationFinish"), keep: z.boolean() }),
] as const;

const pairing = [
  z.strictObject({ do: z.literal("createPairing"), role: Role }),
  z.strictObject({ do: z.literal("listDevices") }),
  z.strictObject({ do: z.literal("revokeDevice"), device: z.string().max(64) }),
] as const;

export const GatewayRequest = z.discriminatedUnion("do", [
  ...control,
  ...teleop,
  ...library,
  ...calibration,
  ...pairing,
]);
export type GatewayRequest = z.infer<typeof GatewayRequest>;
export type RequestName = GatewayRequest["do"];

export type RequestGroup = "control" | "teleop" | "library" | "calibration" | "pairing";

const namesOf = (options: readonly { readonly shape: { readonly do: { readonly value: string } } }[]) =>
  options.map(({ shape }) => shape.do.value as RequestName);

export const REQUEST_GROUPS: Readonly<Record<RequestGroup, readonly RequestName[]>> = {
  control: namesOf(control),
  teleop: namesOf(teleop),
  library: namesOf(library),
  calibration: namesOf(calibration),
  pairing: namesOf(pairing),
};

/** What an observer may ask for; everything else takes an operator. */
export const OBSERVERS_REQUESTS: readonly RequestName[] = [
  "stop",
  "listEpisodes",
  "listBundles",
  "cell",
  "calibrationStatus",
];
