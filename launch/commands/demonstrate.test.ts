import { describe, expect, it } from "vitest";
import type { FinishedEpisode } from "../../episodes/episodeSet.js";
import { seedsIn } from "./demonstrate.js";

const episode = (name: string, kind: string, context: object, outcome = "success") =>
  ({ name, outcome, start: { kind, context } }) as unknown as FinishedEpisode;

describe("a set that is recorded further", () => {
  it("has the seeds of its demonstrations, failed ones too, but not of what was cut off or of anything else", () => {
    const seeds = seedsIn([
      episode("episode-000001", "demonstration", { seed: 10_000 }),
      episode("episode-000002", "demonstration", { seed: 10_001 }, "failure"),
      episode("episode-000003", "demonstration", { seed: 10_002 }, "unlabelled"),
      episode("episode-000004", "rollout", { seed: 10_003 }),
      episode("episode-000005", "demonstration", {}),
      episode("episode-000006", "demonstration", { seed: "10004" }),
    ]);
    expect([...seeds]).toEqual([
      [10_000, "episode-000001"],
      [10_001, "episode-000002"],
    ]);
  });
});
