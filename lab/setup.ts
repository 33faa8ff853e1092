/** What a lab is started with; also the configuration line of its process. */
import { z } from "zod";
import type { HandDeviceSetup } from "./allegro/device.js";
import { HAND_STEP_MS } from "./allegro/mujocoPlant.js";
import { LabConfig } from "./config.js";
import { LabCameraSchema } from "./world/mount.js";
import { HandPartSchema, type WorldParts } from "./world/parts.js";

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
    cameras: z.array(SetupCamera).min(1).max(4).describe("The first one's housing is part of the world"),
    controlSocket: z.string().min(1).optional(),
  })
  .refine(({ arm, hand }) => arm !== undefined || hand !== undefined, { error: "needs an arm or a hand" });
export type LabSetup = z.infer<typeof LabSetup>;

export const worldOf = ({ lab, arm, hand, cameras }: LabSetup): WorldParts => ({
  ...(arm === undefined ? {} : { arm: { gripper: arm.gripper } }),
  ...(hand === undefined ? {} : { hand }),
  props: lab.world,
  camera: cameras[0]!,
});

export const handDeviceOf = ({ lab, hand }: LabSetup): HandDeviceSetup | undefined =>
  hand && {
    model: hand.model,
    side: hand.side,
    path: hand.path,
    seed: lab.seed,
    ...(lab.handSerial === undefined ? {} : { serial: lab.handSerial }),
  };

export const physicsStepMsOf = ({ lab, hand }: LabSetup): number =>
  hand === undefined ? lab.physicsStepMs : Math.min(lab.physicsStepMs, HAND_STEP_MS);
