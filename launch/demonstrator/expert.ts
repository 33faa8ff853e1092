/**
 * ReachBlock by the privileged expert: it runs in the very loop that a policy runs in, through servo and vendor's wire,
 * and each recorded step also says what the expert wanted.
 */
import type { EpochNs, MonotonicNs } from "../../core/clock.js";
import type { ImageView } from "../../core/rosWire.js";
import type { Outcome } from "../../episodes/format.js";
import type { ReachBlockExpert } from "../../lab/experts/reachBlock.js";
import type { Actor, Observation } from "../../runtime/policy/actor.js";
import { pictureCamera, policyRobots } from "../../runtime/policy/config.js";
import { createFrameSlots, FrameReader, FrameWriter } from "../../runtime/policy/frameSlots.js";
import { toPolicyStep } from "../../runtime/policy/recordedStep.js";
import { PolicyRunner } from "../../runtime/policy/runner.js";
import type { StepRecord } from "../../runtime/policy/steps.js";
import type { RecorderHost } from "../../runtime/recorder/host.js";
import type { Daemon } from "../daemon/daemon.js";

const EXPERT = "expert";
const RATE_HZ = 5;
const EXPIRY_MS = 500;
const CLIP_RAD = 0.25;
/** From here on a demonstration teaches staying. */
const ARRIVED_M = 0.028;
const HOLD_STEPS = 8;
const STEPS_MAX = 60;

/** The expert in the runner's loop; ends the run when it has held long enough. */
class ExpertActor implements Actor {
  readonly #expert: ReachBlockExpert;
  readonly #blockM: readonly [number, number, number];
  readonly #end: () => void;
  readonly wanted = new Map<EpochNs, { cleanRad: number[]; phase: "reach" | "hold" }>();
  #holdSteps = 0;
  #steps = 0;
  finalM = Number.NaN;

  constructor(expert: ReachBlockExpert, blockM: readonly [number, number, number], end: () => void) {
    this.#expert = expert;
    this.#blockM = blockM;
    this.#end = end;
  }

  get arrived(): boolean {
    return this.#holdSteps >= HOLD_STEPS;
  }

  act({ frame, positionRad }: Observation): Float64Array {
    const { cleanRad, executedRad, distanceM } = this.#expert.step(positionRad, this.#blockM);
    this.finalM = distanceM;
    if (distanceM < ARRIVED_M || this.#holdSteps > 0) this.#holdSteps++;
    this.wanted.set(frame.stampNs, {
      cleanRad: [...cleanRad],
      phase: this.#holdSteps > 0 ? "hold" : "reach",
    });
    if (this.arrived || ++this.#steps >= STEPS_MAX) this.#end();
    return executedRad;
  }
}

export async function runExpert(
  daemon: Daemon,
  recorder: RecorderHost,
  expert: ReachBlockExpert,
  blockM: readonly [number, number, number],
  signal: AbortSignal,
) {
  const { clock, cell } = daemon;
  const policy = cell.policy!;
  const cameraName = pictureCamera(policy);
  const camera = cell.cameras[cameraName]!;
  const finished = new AbortController();
  const actor = new ExpertActor(expert, blockM, () => finished.abort());
  const slots = createFrameSlots(camera);
  const writer = new FrameWriter(slots, camera);
  const takeFrame = (name: string, image: ImageView, receivedNs: MonotonicNs) => {
    if (name === cameraName) writer.write(image.data, image.stepBytes, image.stampNs, receivedNs);
  };
  daemon.frameListeners.add(takeFrame);
  const servo = await daemon.connectCommander(policyRobots(policy)[0], EXPERT);
  let steps = 0;
  const onStep = (record: StepRecord) => {
    // A refused step may name the image of the one before.
    const wanted = record.outputRad === undefined ? undefined : actor.wanted.get(record.imageStampNs!);
    const { mapping } = recorder;
    if (mapping === undefined) return;
    if (record.commandSeq !== undefined) steps++;
    const origin = { policy: EXPERT, camera: cameraName };
    const label = wanted === undefined ? {} : { labelRad: wanted.cleanRad, phase: wanted.phase };
    recorder.policyStep(toPolicyStep(record, mapping, { ...origin, ...label }));
  };
  const runner = new PolicyRunner({
    clock,
    servo,
    frames: new FrameReader(slots, camera),
    actor,
    mapping: daemon.mapping,
    name: EXPERT,
    rateHz: RATE_HZ,
    expiryMs: EXPIRY_MS,
    bounds: { clipRad: CLIP_RAD },
    frameAgeMsMax: policy.frameAgeMsMax,
    onStep,
  });
  try {
    await runner.run(AbortSignal.any([signal, finished.signal]));
  } finally {
    daemon.frameListeners.delete(takeFrame);
    await servo.close();
  }
  const outcome: Outcome = actor.arrived ? "success" : "failure";
  return { outcome, steps, finalM: actor.finalM };
}
