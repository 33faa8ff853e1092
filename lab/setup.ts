/** What a lab is started with; also the configuration line of its process. */
import { z } from "zod";
import { invariant } from "../core/errors.js";
import type { HandDeviceSetup } from "./allegro/device.js";
import { HAND_STEP_MS } from "./allegro/mujocoPlant.js";
import { LabConfig } from "./config.js";
import { type DigitDeviceSetup, DigitPortsSchema } from "./digit/setup.js";
import { LabCameraSchema } from "./world/mount.js";
import { HandPartSchema, housedOf, type WorldParts } from "./world/parts.js";

const Port = z.int().min(0).max(65535);

/** A camera, and what the tf tree calls the frame that carries it. */
const SetupCamera = LabCameraSchema.extend({ tfParent: z.string().min(1).default("link7") });

export const LabSetup = z
  .strictObject({
    lab: LabConfig,
    arm: z
      .strictObject({
        host: z.string().default("127.0.0.1"),
        gripper: z.boolean().default(true),
        ports: z
          .strictObject({ command: Port, highRate: Port, normal: Port, rich: Port, realTime: Port })
          .describe("0 takes any free port"),
      })
      .optional(),
    hand: HandPartSchema.extend({
      path: z.string().min(1).describe("Symbolic link that is made to its adapter's serial port"),
    }).optional(),
    digit: z
      .strictObject({ host: z.string().default("127.0.0.1"), ports: DigitPortsSchema })
      .optional()
      .describe("In the world ground, and nowhere else"),
    cameras: z
      .array(SetupCamera)
      .max(4)
      .describe("The housing of the first one on the flange is part of the world"),
    controlSocket: z.string().min(1).optional(),
  })
  .refine(({ arm, hand, digit }) => arm !== undefined || hand !== undefined || digit !== undefined, {
    error: "needs an arm, a hand or a Digit",
  })
  .refine(({ lab, digit }) => (lab.world === "ground") === (digit !== undefined), {
    error: "a Digit stands in the world ground, and nothing else does",
  })
  .refine(({ arm, hand, digit }) => digit === undefined || (arm === undefined && hand === undefined), {
    error: "a Digit is simulated alone",
  })
  .refine(({ digit, cameras }) => digit !== undefined || cameras.length > 0, {
    path: ["cameras"],
    error: "an arm or a hand is seen by a camera",
  });
export type LabSetup = z.infer<typeof LabSetup>;

/** Of an arm or a hand. */
export function worldOf({ lab, arm, hand, cameras }: LabSetup): WorldParts {
  invariant(lab.world !== "ground", "a Digit's world is its own");
  return {
    ...(arm === undefined ? {} : { arm: { gripper: arm.gripper } }),
    ...(hand === undefined ? {} : { hand }),
    props: lab.world,
    camera: housedOf(cameras),
  };
}

export const handDeviceOf = ({ lab, hand }: LabSetup): HandDeviceSetup | undefined =>
  hand && {
    model: hand.model,
    side: hand.side,
    path: hand.path,
    seed: lab.seed,
    ...(lab.handSerial === undefined ? {} : { serial: lab.handSerial }),
  };

export const digitDeviceOf = ({ lab, digit }: LabSetup): DigitDeviceSetup | undefined =>
  digit && { ...lab.digit, ...digit, seed: lab.seed };

export const physicsStepMsOf = ({ lab, hand }: LabSetup): number =>
  hand === undefined ? lab.physicsStepMs : Math.min(lab.physicsStepMs, HAND_STEP_MS);
