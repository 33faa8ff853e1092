/**
 * `sh launch/setup/campaign.sh teleop [LIVES] [SEED]`: random lives of a teleoperation session over a real servo on a
 * simulated clock, judged by the setpoints that reach the device. Every other life has the arm's own mapping; in the
 * rest a hand's axes are joints, so that joints are driven as fast as they may go. Fails at the first broken rule, with
 * its seed.
 */
import { argv, stdout } from "node:process";
import { systemClock } from "../../launch/systemClock.js";
import { MappingConfig } from "../../runtime/teleop/config.js";
import { createHandMapping } from "../../runtime/teleop/handMapping.js";
import { FakeMapping } from "../../runtime/teleop/testing.js";
import { type LifeFigures, liveOnce } from "../support/teleop/proofLife.js";

const LIVES = 10_000;
const SEED = 1;
const SECONDS = 4;
const TOLD_EVERY = 500;
const config = MappingConfig.parse({});

const [lives = LIVES, seed = SEED] = argv.slice(2, 4).map(Number);

function add(total: LifeFigures | undefined, one: LifeFigures): LifeFigures {
  if (total === undefined) return { ...one, latches: { ...one.latches } };
  for (const sum of ["ticks", "poses", "engagements", "movedRad"] as const) total[sum] += one[sum];
  for (const most of [
    "velocity",
    "acceleration",
    "jerk",
    "engageStepRad",
    "engageGapRad",
    "afterExpiryMs",
  ] as const)
    total[most] = Math.max(total[most], one[most]);
  for (const [code, count] of Object.entries(one.latches))
    total.latches[code] = (total.latches[code] ?? 0) + count;
  return total;
}

const percent = (share: number) => `${(100 * share).toFixed(3)} %`;
const startMs = systemClock.nowMs();
let total: LifeFigures | undefined;
let interrupted = false;
process.once("SIGINT", () => {
  interrupted = true;
});
let lived = 0;
for (; lived < lives && !interrupted; lived++) {
  const life = lived;
  const one = await liveOnce({
    seed: seed + life,
    seconds: SECONDS,
    createMapping: (limits) => (life % 2 === 0 ? createHandMapping({ config, limits }) : new FakeMapping()),
  });
  total = add(total, one);
  if ((lived + 1) % TOLD_EVERY !== 0) continue;
  stdout.write(`${lived + 1} lives, ${total.engagements} engagements, no rule broken\n`);
  // Lets an interrupt in: what has been lived so far is told.
  await new Promise((resolve) => setImmediate(resolve));
}
if (total !== undefined) {
  stdout.write(
    [
      `${lived} lives from seed ${seed}: ${total.ticks} ticks, ${total.poses} poses delivered, ${total.engagements} engagements, ` +
        `${total.movedRad.toFixed(0)} rad moved, in ${((systemClock.nowMs() - startMs) / 1000).toFixed(0)} s`,
      `largest share of the limits: velocity ${percent(total.velocity)}, acceleration ${percent(total.acceleration)}, jerk ${percent(total.jerk)}`,
      `first command of an engagement: ${total.engageGapRad} rad from the standing setpoint; largest step before the second ${total.engageStepRad} rad`,
      `latest motion after the newest command's expiry: ${total.afterExpiryMs.toFixed(1)} ms`,
      `latches: ${Object.entries(total.latches)
        .sort(([, one], [, other]) => other - one)
        .map(([code, count]) => `${code} ${count}`)
        .join(", ")}`,
      "0 rules broken",
      "",
    ].join("\n"),
  );
}
