/** What a simulated world is made of, as plain values: what it holds is generated from these and nothing else. */
import { z } from "zod";
import { HAND_MODELS, HAND_SIDES } from "../../kinematics/allegro/hand.js";
import { type LabCamera, LabCameraSchema } from "./mount.js";
import { TABLE_NAMES, type TableName } from "./scene.js";

const Triple = z.tuple([z.number(), z.number(), z.number()]);

export const HandPartSchema = z.strictObject({
  model: z.enum(HAND_MODELS),
  side: z.enum(HAND_SIDES),
  on: z.enum(["stand", "flange"]),
  positionM: Triple.describe("Palm frame in the flange's frame, or in the world's for a hand on a stand"),
  quatXyzw: z.tuple([z.number(), z.number(), z.number(), z.number()]),
});
export type HandPart = z.infer<typeof HandPartSchema>;

export const WorldPartsSchema = z.strictObject({
  arm: z.strictObject({ gripper: z.boolean() }).optional().describe("Its base frame is the world's"),
  hand: HandPartSchema.optional(),
  props: z
    .enum([...TABLE_NAMES, "palm"])
    .describe("What is on the arm's table, or one object on a hand's palm"),
  camera: LabCameraSchema.describe("Its housing is part of the world where the flange carries it"),
});
export type WorldParts = z.infer<typeof WorldPartsSchema>;

/**
 * Of a cell's cameras, in order, that whose housing is part of the world: the first on the flange, whatever a policy looks
 * through. The first one where none is there.
 */
export const housedOf = (cameras: readonly LabCamera[]): LabCamera =>
  cameras.find(({ parentFrame }) => parentFrame === "flange") ?? cameras[0]!;

/** An arm with its gripper at a table, with blocks unless something else is on it. */
export const armWorld = (camera: LabCamera, props: TableName = "reach-block"): WorldParts => ({
  arm: { gripper: true },
  props,
  camera,
});
