/** Sizes of the networks that take a history. They describe; the model's file decides, and is compared with them. */
import { z } from "zod";

const Size = z.int().positive();
const Sizes = z.array(Size).min(1);
const Activation = z.enum(["gelu", "elu", "relu", "selu", "tanh"]);

export const ARCHITECTURES = {
  "causal-transformer": z.strictObject({
    embed: Sizes.describe("Hidden layers from token to width"),
    width: Size,
    blocks: Size,
    heads: Size,
    mlpRatio: z.number().positive(),
    head: Sizes.describe("Hidden layers from the newest token's feature to the action"),
    positions: z.enum(["sinusoidal", "learned"]),
    norm: z.enum(["pre", "post"]),
    activation: Activation,
  }),
  mlp: z.strictObject({ hidden: Sizes, activation: Activation }),
  cnn: z.strictObject({
    embed: Size.describe("Channels of the first layer, token by token"),
    channels: Sizes,
    kernels: Sizes,
    strides: Sizes,
    head: Sizes,
    activation: Activation,
  }),
  lstm: z.strictObject({
    width: Size,
    layers: Size,
    head: Sizes,
    activation: Activation,
  }),
} as const;
export type HistoryKind = keyof typeof ARCHITECTURES;
export const HISTORY_KINDS = Object.keys(ARCHITECTURES) as [HistoryKind, ...HistoryKind[]];
