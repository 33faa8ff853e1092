/**
 * The scripted demonstrator of CloseFridge: sees where the fridge and its door truly are. What it wants follows from what it
 * sees now: over the outer side of the open door, down beside it, then along the door's arc until it is shut, and stay.
 */
import { doorPlace, FRIDGE_M, type Fridge } from "../world/fridge.js";
import { Random } from "../world/random.js";
import { Mistakes } from "./mistakes.js";
import { ReachBlockExpert } from "./reachBlock.js";
import type { Point, ToolGoal } from "./toolGoal.js";
import { type ToolStep, ToolStepper } from "./toolStepper.js";

export const CLOSED_M = 0;

export type FridgeSeen = Pick<Fridge, "placeM" | "yawRad" | "doorRad">;
export type ClosePhase = "above" | "descend" | "push" | "hold";

export interface CloseStep extends ToolStep {
  readonly phase: ClosePhase;
}

/** The fingers push so far from the hinge, near the free edge and short of the handle, and so high above the table [m]. */
const PUSH_RADIUS_M = 0.12;
const PUSH_HEIGHT_M = 0.105;
/** Before they push they come down so far from the door's outer side [m]. */
const BESIDE_M = 0.045;
/** Between the tool point and the door that the fingers touch [m]: half their thickness. */
const FINGERS_M = 0.014;
/** Pushing means to want the door so much farther shut than it is [rad]. */
const PUSH_AHEAD_RAD = 0.24;
/** Where a push goes on: distance from the door's outer side, off `PUSH_RADIUS_M`, and above `PUSH_HEIGHT_M` [m]. */
const PUSH_ZONE_M = { near: -0.006, far: 0.06, off: 0.035, above: 0.02 } as const;
/** As good as shut [rad]: the door stays there. */
const SHUT_RAD = 0.02;

/**
 * First over the place beside the door, then down: a step has all of the way to the side, and down only what is left of it,
 * nothing from `DOWN_OFF_M` on. A straight way would show a policy how far it is off only as a small part of each step.
 */
const STEP_M = 0.04;
const DOWN_OFF_M = 0.03;
/** A tool lower than this meets the fridge on its way, unless it is so near, and so far out of the door [m]. */
const CLEAR_HEIGHT_M = FRIDGE_M.height + 0.03;
const LOW_ZONE_M = { off: 0.06, away: 0.02 } as const;
/** It takes the fridge to be elsewhere for a while, most often staying above it. */
const MISTAKES = {
  offsetM: 0.03,
  turnRad: 0.12,
  lasts: [4, 12],
  between: [2, 8],
  untilStep: 40,
  heightMinM: CLEAR_HEIGHT_M + 0.01,
  lowShare: 0.25,
} as const;
/** In contact there is less tremor. */
const TREMOR = { above: 1, descend: 0.5, push: 0.4, hold: 0.2 } as const satisfies Record<ClosePhase, number>;

export class CloseFridgeExpert {
  readonly #starts: ReachBlockExpert;
  readonly #stepper: ToolStepper;
  readonly #mistakes: Mistakes;

  constructor(seed: number) {
    const random = new Random(seed).fork("close");
    this.#starts = new ReachBlockExpert(seed);
    this.#stepper = new ToolStepper(random, this.#starts.startRad());
    this.#mistakes = new Mistakes(random.fork("mistakes"), MISTAKES);
  }

  /** The undisturbed start pose [rad]; as ReachBlock's. */
  startRad(): Float64Array {
    return this.#starts.startRad();
  }

  /** A start pose [rad] near it, for one demonstration. */
  spreadStartRad(): Float64Array {
    return this.#starts.bentStartRad();
  }

  /** @param positionRad measured joint angles at the moment of the picture [rad] */
  step(positionRad: ArrayLike<number>, fridge: FridgeSeen): CloseStep {
    const toolM = this.#stepper.toolM(positionRad);
    const { phase, toolM: wantedM } = closeGoal(toolM, fridge);
    const believedM = this.#believed(phase, toolM, fridge) ?? wantedM;
    return { ...this.#stepper.step(positionRad, wantedM, believedM, TREMOR[phase]), phase };
  }

  /** What a mistake has it do, as long as it is under way. */
  #believed(phase: ClosePhase, toolM: Point, fridge: FridgeSeen): Point | undefined {
    const mistake = this.#mistakes.next();
    if (mistake === undefined || !isUnderWay(phase)) return undefined;
    const [x, y] = fridge.placeM;
    const wrong = closeGoal(toolM, {
      ...fridge,
      placeM: [x + mistake.offsetM[0], y + mistake.offsetM[1]],
      yawRad: fridge.yawRad + mistake.turnRad,
    });
    if (!isUnderWay(wrong.phase)) return undefined;
    const [aimX, aimY, aimZ] = wrong.toolM;
    return [aimX, aimY, Math.max(aimZ, mistake.heightMinM)];
  }
}

const isUnderWay = (phase: ClosePhase): boolean => phase === "above" || phase === "descend";

/** Where the tool is wanted next. @param toolM where it is, base frame */
export function closeGoal(
  toolM: Point,
  fridge: FridgeSeen,
): { readonly phase: ClosePhase; readonly toolM: Point } {
  if (fridge.doorRad < SHUT_RAD) return { phase: "hold", toolM };
  const { hingeM, along, outward } = doorPlace(fridge, fridge.doorRad);
  const [u, v, z] = [toolM[0] - hingeM[0], toolM[1] - hingeM[1], toolM[2]];
  const radiusM = u * along[0] + v * along[1];
  const awayM = u * outward[0] + v * outward[1] - FRIDGE_M.door;
  const { near, far, off, above } = PUSH_ZONE_M;
  const isAtDoor = awayM > near && awayM < far && Math.abs(radiusM - PUSH_RADIUS_M) < off;
  if (isAtDoor && z < PUSH_HEIGHT_M + above)
    return { phase: "push", toolM: besideM(fridge, fridge.doorRad - PUSH_AHEAD_RAD, FINGERS_M) };
  const restM = besideM(fridge, fridge.doorRad, BESIDE_M);
  const [toSideX, toSideY] = [restM[0] - toolM[0], restM[1] - toolM[1]];
  const offM = Math.hypot(toSideX, toSideY);
  if (z < CLEAR_HEIGHT_M && (offM > LOW_ZONE_M.off || awayM < LOW_ZONE_M.away))
    return { phase: "above", toolM: [toolM[0], toolM[1], CLEAR_HEIGHT_M + 0.02] };
  const share = Math.min(1, STEP_M / Math.max(offM, 1e-9));
  const downM = STEP_M * Math.max(0, 1 - offM / DOWN_OFF_M);
  return {
    phase: z > CLEAR_HEIGHT_M ? "above" : "descend",
    toolM: [toolM[0] + share * toSideX, toolM[1] + share * toSideY, Math.max(restM[2], z - downM)],
  };
}

/** Tool point where the fingers are so far from the outer side of a door that is open so far. */
function besideM(fridge: FridgeSeen, doorRad: number, awayM: number): Point {
  const { hingeM, along, outward } = doorPlace(fridge, doorRad);
  const outM = FRIDGE_M.door + awayM;
  return [
    hingeM[0] + PUSH_RADIUS_M * along[0] + outM * outward[0],
    hingeM[1] + PUSH_RADIUS_M * along[1] + outM * outward[1],
    PUSH_HEIGHT_M,
  ];
}

/** Angles between two goals of a person's push [rad]. */
const STROKE_RAD = 0.3;

/** What a person does who moves the tool by hand: over the place beside the door, down, and round with the door. */
export function planClose(fridge: FridgeSeen): ToolGoal<ClosePhase>[] {
  const common = { yawRad: 0, isGripperClosed: true, toleranceRad: 0.1, isCareful: true };
  const beside = besideM(fridge, fridge.doorRad, BESIDE_M);
  const strokes = Math.ceil(fridge.doorRad / STROKE_RAD);
  const pushes = Array.from({ length: strokes }, (_, at): ToolGoal<ClosePhase> => {
    const leftRad = fridge.doorRad * (1 - (at + 1) / strokes);
    return {
      ...common,
      phase: "push",
      toolM: besideM(fridge, leftRad, FINGERS_M - 0.004),
      toleranceM: 0.012,
      dwellS: leftRad === 0 ? 0.5 : 0.05,
    };
  });
  const [x, y] = beside;
  return [
    { ...common, phase: "above", toolM: [x, y, CLEAR_HEIGHT_M + 0.04], toleranceM: 0.015, dwellS: 0.1 },
    { ...common, phase: "descend", toolM: beside, toleranceM: 0.012, dwellS: 0.1 },
    ...pushes,
    { ...common, phase: "hold", toolM: besideM(fridge, 0, FINGERS_M), toleranceM: 0.03, dwellS: 1.4 },
  ];
}
