/** How a fault of an emulated device is written: one key per action, so that a script reads as a sentence. */
import { z } from "zod";

type Schemas = Record<string, z.ZodType>;
type Optional<T extends Schemas> = { [K in keyof T]: z.ZodOptional<T[K]> };

export type ValuesOf<T extends Schemas> = { readonly [Name in keyof T]: z.infer<T[Name]> };

const LASTING_MS_MAX = 60_000;

/** `{ loses: { fingers: [ring] }, forMs: 50 }`: exactly one condition or event; only a condition lasts. */
export function faultSchema<Conditions extends Schemas, Events extends Schemas>(
  conditions: Conditions,
  events: Events,
) {
  return z
    .strictObject({
      ...optional(conditions),
      ...optional(events),
      forMs: z.number().gt(0).max(LASTING_MS_MAX).optional().describe("The condition ends by itself"),
    })
    .refine((fault) => Object.keys(fault).filter((key) => key !== "forMs").length === 1, {
      error: "names exactly one condition or event",
    })
    .refine((fault) => !("forMs" in fault) || Object.keys(events).every((name) => !(name in fault)), {
      path: ["forMs"],
      error: "an event happens once: only a condition lasts",
    });
}

function optional<T extends Schemas>(table: T): Optional<T> {
  return Object.fromEntries(
    Object.entries(table).map(([key, schema]) => [key, schema.optional()]),
  ) as Optional<T>;
}
