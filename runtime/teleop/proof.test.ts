/**
 * Random lives of a session over a real servo. `TELEOP_LIVES` sets how many; the whole of 10,000 runs with
 * `sh launch/setup/campaign.sh teleop`.
 */
import { describe, expect, it } from "vitest";
import { liveOnce } from "../../test/support/teleop/proofLife.js";
import { MappingConfig } from "./config.js";
import { createHandMapping } from "./handMapping.js";
import { FakeMapping } from "./testing.js";

const config = MappingConfig.parse({});
const LIVES = Number(process.env.TELEOP_LIVES ?? 60);
const SEED = Number(process.env.TELEOP_SEED ?? 20261127);

describe("whatever happens between hand and robot", () => {
  it(`motion keeps the limits, begins where the arm stands, and ends with the hand (${LIVES} lives)`, {
    timeout: 600_000,
  }, async () => {
    let engagements = 0;
    let movedRad = 0;
    const codes = new Set<string>();
    for (let life = 0; life < LIVES; life++) {
      const figures = await liveOnce({
        seed: SEED + life,
        seconds: 4,
        createMapping: (limits) =>
          life % 2 === 0 ? createHandMapping({ config, limits }) : new FakeMapping(),
      });
      engagements += figures.engagements;
      movedRad += figures.movedRad;
      for (const code of Object.keys(figures.latches)) codes.add(code);
    }
    // It was worth looking.
    expect(engagements).toBeGreaterThan(LIVES);
    expect(movedRad).toBeGreaterThan(LIVES / 2);
    expect(codes.size).toBeGreaterThan(8);
  });
});
