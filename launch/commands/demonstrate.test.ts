import { describe, expect, it } from "vitest";
import type { FinishedEpisode } from "../../episodes/episodeSet.js";
import { seedsIn } from "./demonstrateSession.js";

const episode = (name: string, kind: string, context: object, outcome = "success") =>
  ({ name, outcome, start: { kind, context } }) as unknown as FinishedEpisode;

describe("a set that is recorded further", () => {
  it("has the seeds of its demonstrations, failed ones too, but not of what was cut off or of anything else", () => {
    const episodes = [
      episode("episode-000001", "demonstration", { seed: 10_000 }),
      episode("episode-000002", "demonstration", { seed: 10_001 }, "failure"),
      episode("episode-000003", "demonstration", { seed: 10_002 }, "unlabelled"),
      episode("episode-000004", "rollout", { seed: 10_003 }),
      episode("episode-000005", "demonstration", {}),
      episode("episode-000006", "demonstration", { seed: "10004" }),
      episode("episode-000007", "demonstration", { seed: 10_005, through: "headset" }),
    ];
    const seeds = seedsIn(episodes, "servo");
    expect([...seeds]).toEqual([
      [10_000, "episode-000001"],
      [10_001, "episode-000002"],
    ]);
    expect([...seedsIn(episodes, "headset")]).toEqual([[10_005, "episode-000007"]]);
  });
});
