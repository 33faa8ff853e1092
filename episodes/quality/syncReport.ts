/**
 * For every policy step: when its image was taken, where the joints were at that moment, how old each input was, and
 * when the command reached the wire.
 *
 * What is proven, and what is not. `alignedMs` compares the image's capture time with the time that the interpolation's
 * weights belong to: it is a rounding error, and shows that the joints given are those of the image's time on one
 * timeline. How true that timeline is, `clockErrorMs` bounds (99 %, clocks of image and state together), a constant that
 * was not declared apart; how far the joints may be from the straight line between their two measurements,
 * `positionErrorRad` bounds. What the policy itself was given is compared with it: `usedOffsetMs` is the time by which
 * the joints in the step's record are ahead of the image.
 */
import type { EpisodeReader } from "../episodeReader.js";
import { POLICY_STEP_TOPIC, type PolicyStep, readPolicyStep } from "../messages.js";
import { type InterpolatedState, interpolateState } from "./interpolate.js";
import { limitsOf } from "./limits.js";
import {
  ImageTimes,
  StateTimes,
  stateTopic,
  type TimedImage,
  type TimedState,
  type TopicTimes,
} from "./timedStates.js";

export interface StepImage {
  readonly stampNs: bigint;
  readonly capturedNs: bigint;
  /** Null: the image itself is not in the episode; its time is then its stamp less the declared latency. */
  readonly receivedNs: bigint | null;
  /** From capture, and from receipt, to the step's beginning. */
  readonly ageMs: number;
  readonly queuedMs: number | null;
  readonly clockErrorMs: number | null;
}

export interface StepState {
  /** Time of the interpolated joints, and its distance from the image's. */
  readonly timeNs: bigint;
  readonly alignedMs: number;
  readonly beforeMs: number;
  readonly afterMs: number;
  readonly positionRad: readonly number[];
  readonly positionErrorRad: number;
  /** Of image and state together; null when one of them has no bound. */
  readonly clockErrorMs: number | null;
  /** Largest difference of a joint from the step's own record, and by how much that is ahead in time; null when it has
   * none, or the arm moves too slowly to tell. */
  readonly usedDifferenceRad: number | null;
  readonly usedOffsetMs: number | null;
}

export interface StepSync {
  readonly step: number;
  readonly policy: string;
  /** Empty when a command was given. */
  readonly refusal: string;
  readonly camera: string;
  readonly stampNs: bigint;
  readonly atS: number;
  readonly image: StepImage | null;
  readonly state: StepState | null;
  /** Why there is no image or state; empty when both are there. */
  readonly trouble: string;
  /** Age of the newest joints received when the step began. */
  readonly newestStateAgeMs: number | null;
  /** From the step's beginning, and from the image's capture, to the first frame of its command on the wire. */
  readonly toWireMs: number | null;
  readonly imageToWireMs: number | null;
}

export const SYNC_QUANTITIES = [
  "alignedMs",
  "imageAgeMs",
  "imageQueuedMs",
  "newestStateAgeMs",
  "stateBeforeMs",
  "stateAfterMs",
  "clockErrorMs",
  "positionErrorRad",
  "usedDifferenceRad",
  "usedOffsetMs",
  "toWireMs",
  "imageToWireMs",
] as const;
export type SyncQuantity = (typeof SYNC_QUANTITIES)[number];

export interface Quantiles {
  readonly count: number;
  readonly min: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface SyncReport {
  readonly episode: string;
  readonly steps: readonly StepSync[];
  /** Of steps that gave a command. */
  readonly commands: number;
  /** Commands whose image time and interpolated state time agree to `withinMsMax`, and those that do not. */
  readonly withinMsMax: number;
  readonly within: number;
  readonly unproven: number;
  /** Commands with an image or a state older than its limit; the image's is the cell's, where it has one. */
  readonly imageAgeMsMax: number;
  readonly stateAgeMsMax: number;
  readonly tooOld: number;
  readonly statistics: Readonly<Record<SyncQuantity, Quantiles | null>>;
  readonly clocks: readonly TopicTimes[];
  readonly notKnowable: string;
}

export const WITHIN_MS_MAX = 1;
export const NOT_KNOWABLE =
  "A constant delay that all messages of a topic share (exposure, the fastest packet's way) is in no bound unless it is declared as the topic's latencyMs";
/** Slower, and a difference of joints says nothing about time: norm over joints. */
const SPEED_MIN_RAD_PER_S = 0.02;

/** @throws CerebellumError EPISODE_INVALID where the file is damaged or a message cannot be read */
export async function syncReport(reader: EpisodeReader): Promise<SyncReport> {
  const { steps, images, states, clocks } = await gather(reader);
  const startNs = BigInt(reader.start.startedNs);
  const synced = steps.map((step) => {
    const robot = robotOf(reader, step.camera);
    return syncStep(step, startNs, images.get(step.camera), states.get(robot ?? "") ?? []);
  });
  const commands = synced.filter(({ refusal }) => refusal === "");
  const within = commands.filter(({ state }) => state !== null && state.alignedMs <= WITHIN_MS_MAX).length;
  const { stateAgeMsMax, imageAgeMsMax } = limitsOf(reader.start);
  return {
    episode: `${reader.start.task}/${reader.start.name}`,
    steps: synced,
    commands: commands.length,
    withinMsMax: WITHIN_MS_MAX,
    within,
    unproven: commands.length - within,
    imageAgeMsMax,
    stateAgeMsMax,
    tooOld: commands.filter(
      ({ image, newestStateAgeMs }) =>
        (image?.ageMs ?? 0) > imageAgeMsMax || (newestStateAgeMs ?? 0) > stateAgeMsMax,
    ).length,
    statistics: Object.fromEntries(
      SYNC_QUANTITIES.map((name) => [name, quantiles(synced.map((step) => quantity(step, name)))]),
    ) as Record<SyncQuantity, Quantiles | null>,
    clocks,
    notKnowable: NOT_KNOWABLE,
  };
}

interface CameraImages {
  readonly byStamp: ReadonlyMap<bigint, TimedImage>;
  readonly latencyNs: bigint;
}

async function gather(reader: EpisodeReader) {
  const { cameras, robots } = reader.start;
  const imageTimes = new Map(
    Object.entries(cameras).map(([camera, { imageTopic }]) => [camera, new ImageTimes(imageTopic)]),
  );
  const stateTimes = new Map<string, StateTimes>();
  for (const robot of Object.keys(robots)) {
    const topic = stateTopic(reader, robot);
    if (topic !== undefined) stateTimes.set(robot, new StateTimes(topic, robot));
  }
  const byTopic = new Map<string, ImageTimes | StateTimes>(
    [...imageTimes.values(), ...stateTimes.values()].map((times) => [times.topic, times]),
  );
  const steps: PolicyStep[] = [];
  for await (const message of reader.messages({ topics: [...byTopic.keys(), POLICY_STEP_TOPIC] })) {
    const times = byTopic.get(message.topic);
    if (times === undefined) steps.push(readPolicyStep(reader.decode(message)));
    else if (times instanceof ImageTimes) times.add(message);
    else times.add(reader, message);
  }
  const clocks: TopicTimes[] = [];
  const images = new Map<string, CameraImages>();
  for (const [camera, found] of imageTimes) {
    const { images: byStamp, times } = found.result(reader);
    images.set(camera, { byStamp, latencyNs: BigInt(Math.round(times.latencyMs * 1e6)) });
    clocks.push(times);
  }
  const states = new Map<string, readonly TimedState[]>();
  for (const [robot, found] of stateTimes) {
    const { states: timed, times } = found.result(reader);
    states.set(robot, timed);
    clocks.push(times);
  }
  return { steps, images, states, clocks };
}

/** The robot that carries the camera, or the only one. */
function robotOf(reader: EpisodeReader, camera: string): string | undefined {
  const names = Object.keys(reader.start.robots);
  const carrier = reader.start.cameras[camera]?.mount.robot;
  return carrier !== undefined && names.includes(carrier) ? carrier : names[0];
}

function syncStep(
  step: PolicyStep,
  startNs: bigint,
  images: CameraImages | undefined,
  states: readonly TimedState[],
): StepSync {
  const image = stepImage(step, images);
  const interpolated = image === null ? undefined : interpolateState(states, image.capturedNs);
  const hasWire = step.wireStampNs !== 0n;
  return {
    step: step.step,
    policy: step.policy,
    refusal: step.refusal,
    camera: step.camera,
    stampNs: step.stampNs,
    atS: Number(step.stampNs - startNs) / 1e9,
    image,
    state: image === null || interpolated === undefined ? null : stepState(step, image, interpolated),
    trouble: trouble(image, interpolated, states),
    newestStateAgeMs: newestAgeMs(states, step.stampNs),
    toWireMs: hasWire ? Number(step.wireStampNs - step.stampNs) / 1e6 : null,
    imageToWireMs: hasWire && image !== null ? Number(step.wireStampNs - image.capturedNs) / 1e6 : null,
  };
}

function trouble(
  image: StepImage | null,
  interpolated: InterpolatedState | undefined,
  states: readonly TimedState[],
): string {
  if (image === null) return "no image";
  const texts = image.receivedNs === null ? ["its image is not in the episode"] : [];
  if (interpolated === undefined)
    texts.push(states.length === 0 ? "no measured joints" : "no measurements on both sides of its image");
  return texts.join("; ");
}

function stepImage(step: PolicyStep, images: CameraImages | undefined): StepImage | null {
  if (step.imageStampNs === 0n) return null;
  const found = images?.byStamp.get(step.imageStampNs);
  const capturedNs = found?.capturedNs ?? step.imageStampNs - (images?.latencyNs ?? 0n);
  return {
    stampNs: step.imageStampNs,
    capturedNs,
    receivedNs: found?.receivedNs ?? null,
    ageMs: Number(step.stampNs - capturedNs) / 1e6,
    queuedMs: found === undefined ? null : Number(step.stampNs - found.receivedNs) / 1e6,
    clockErrorMs: finite(found?.errorMs ?? Number.POSITIVE_INFINITY),
  };
}

function stepState(step: PolicyStep, image: StepImage, found: InterpolatedState): StepState {
  const { timeNs, beforeMs, afterMs, positionRad, positionErrorRad, velocityRadPerS } = found;
  const used = step.positionRad.length === positionRad.length ? step.positionRad : undefined;
  const differences = used?.map((value, joint) => value - positionRad[joint]!);
  const speed2 = velocityRadPerS.reduce((sum, speed) => sum + speed * speed, 0);
  const along = differences?.reduce((sum, value, joint) => sum + value * velocityRadPerS[joint]!, 0);
  return {
    timeNs,
    alignedMs: Math.abs(Number(timeNs - image.capturedNs)) / 1e6,
    beforeMs,
    afterMs,
    positionRad,
    positionErrorRad,
    clockErrorMs: finite(found.clockErrorMs + (image.clockErrorMs ?? Number.POSITIVE_INFINITY)),
    usedDifferenceRad: differences === undefined ? null : Math.max(0, ...differences.map(Math.abs)),
    usedOffsetMs: along === undefined || speed2 < SPEED_MIN_RAD_PER_S ** 2 ? null : (1000 * along) / speed2,
  };
}

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

/** Receipt is later than capture, but nearly in the same order: the newest captured before is among the last few. */
function newestAgeMs(states: readonly TimedState[], stampNs: bigint): number | null {
  let low = 0;
  let high = states.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (states[middle]!.capturedNs <= stampNs) low = middle + 1;
    else high = middle;
  }
  for (let index = low - 1; index >= 0; index--)
    if (states[index]!.receivedNs <= stampNs) return Number(stampNs - states[index]!.capturedNs) / 1e6;
  return null;
}

const READ: Readonly<Record<SyncQuantity, (step: StepSync) => number | null | undefined>> = {
  alignedMs: ({ state }) => state?.alignedMs,
  imageAgeMs: ({ image }) => image?.ageMs,
  imageQueuedMs: ({ image }) => image?.queuedMs,
  newestStateAgeMs: ({ newestStateAgeMs }) => newestStateAgeMs,
  stateBeforeMs: ({ state }) => state?.beforeMs,
  stateAfterMs: ({ state }) => state?.afterMs,
  clockErrorMs: ({ state }) => state?.clockErrorMs,
  positionErrorRad: ({ state }) => state?.positionErrorRad,
  usedDifferenceRad: ({ state }) => state?.usedDifferenceRad,
  usedOffsetMs: ({ state }) => state?.usedOffsetMs,
  toWireMs: ({ toWireMs }) => toWireMs,
  imageToWireMs: ({ imageToWireMs }) => imageToWireMs,
};
const quantity = (step: StepSync, name: SyncQuantity) => READ[name](step);

/** Nearest rank; null without values. */
function quantiles(found: readonly (number | null | undefined)[]): Quantiles | null {
  const values = found.filter((value) => value !== null && value !== undefined).sort((a, b) => a - b);
  if (values.length === 0) return null;
  const rank = (share: number) => values[Math.max(0, Math.ceil(share * values.length) - 1)]!;
  return { count: values.length, min: values[0]!, p50: rank(0.5), p99: rank(0.99), max: values.at(-1)! };
}
