/** The table of triggers is what the servo does: each one is fired at a moving arm, and the outcome compared. */
import { describe, expect, it } from "vitest";
import type { ServoStateName } from "./api.js";
import { HOME, PERIOD_MS, peerOf, ServoBench, SUPERVISOR } from "./testing.js";
import { TRIGGER_NAMES, TRIGGERS, type TriggerName, type TriggerResponse } from "./triggers.js";

const policy = peerOf(1);
const AWAY = HOME.map((value) => value + 0.5);

interface Moving {
  readonly bench: ServoBench;
  readonly epoch: number;
  readonly blackBox: { failure: string | undefined; tick(): void; event(): void };
}
async function moving(): Promise<Moving> {
  const blackBox = { failure: undefined as string | undefined, tick: () => {}, event: () => {} };
  const config = { leaseSilenceMsMax: 2000, supervisorSilenceMsMax: 300, lateTicksMax: 10 };
  const bench = new ServoBench(config, { blackBox });
  await bench.toHolding();
  const epoch = bench.lease(policy);
  bench.command(policy, epoch, AWAY, 900);
  await bench.run(200);
  return { bench, epoch, blackBox };
}
const standing = (positionRad: ArrayLike<number>) => ({
  positionRad,
  accelerationRadPerS2: Array(7).fill(0),
});

/** Lets time pass while the commander goes on asking for the same target. */
async function keepAsking({ bench, epoch }: Moving, ms: number): Promise<void> {
  for (let passedMs = 0; passedMs < ms; passedMs += 40) {
    bench.command(policy, epoch, AWAY, 300);
    await bench.run(40);
  }
}

/** From moving to an arm that a person may guide. */
async function free(bench: ServoBench): Promise<void> {
  bench.servo.revokeLease(SUPERVISOR, "teaching");
  await bench.run(400);
  await bench.servo.teach(true);
  await bench.run(40);
}

const FIRE: Record<TriggerName, (moving: Moving) => Promise<void> | void> = {
  commandExpired: ({ bench }) => bench.run(900),
  commandMalformed: ({ bench, epoch }) => bench.command(policy, epoch, Array(7).fill(Number.NaN)),
  setpointRejected: ({ bench, epoch }) => bench.setpoints(policy, epoch, standing(AWAY)),
  setpointsRanDry: async ({ bench, epoch }) => {
    bench.command(policy, epoch, AWAY, 900);
    await bench.run(880);
    bench.setpoints(policy, epoch, { ...standing(bench.last.sentRad), isLast: false });
  },
  deviceStateOld: async ({ bench }) => {
    bench.driver.reports = false;
    await bench.run(bench.config.stateAgeMsMax + PERIOD_MS);
  },
  leaseSilent: ({ bench }) => bench.run(2004),
  commanderGone: ({ bench }) => bench.servo.gone(policy),
  leaseRevoked: ({ bench }) => bench.servo.revokeLease(SUPERVISOR, "test"),
  supervisorSilent: async (moving) => {
    moving.bench.supervised = false;
    await keepAsking(moving, 320);
  },
  supervisorGone: ({ bench }) => {
    bench.supervised = false;
    bench.servo.gone(SUPERVISOR);
  },
  loopLate: ({ bench }) => bench.run(PERIOD_MS, 10),
  deviceBusy: async (moving) => {
    moving.bench.driver.answer = "busy";
    await keepAsking(moving, 1080);
  },
  deviceNotReady: async (moving) => {
    moving.bench.driver.answer = "notReady";
    await keepAsking(moving, 160);
  },
  trackingError: ({ bench }) => {
    bench.driver.moveByHand(0.5);
    bench.driver.report();
    bench.driver.reports = false;
  },
  blackBoxFailed: ({ blackBox }) => {
    blackBox.failure = "disk full";
  },
  deviceFault: ({ bench }) => bench.driver.fault("FAKE_COLLISION"),
  linkLost: ({ bench }) => {
    bench.driver.failWith = new Error("unplugged");
    bench.driver.fault("FAKE_GONE", "stop", "link");
  },
  stopRequested: ({ bench }) => void bench.servo.stop(2, "test"),
  processEnds: ({ bench }) => void bench.servo.close(),
  teachSank: async ({ bench }) => {
    await free(bench);
    bench.driver.moveByHand(0.1);
  },
  teachTooFast: async ({ bench }) => {
    await free(bench);
    bench.driver.turnByHand(bench.config.teach.velocityMaxRadPerS + 0.1);
  },
  teachBlind: async ({ bench }) => {
    await free(bench);
    bench.driver.reports = false;
    await bench.run(bench.config.stateAgeMsMax + PERIOD_MS);
  },
  teachUnsupervised: async ({ bench }) => {
    await free(bench);
    bench.supervised = false;
    await bench.run(300 + PERIOD_MS);
  },
};

const ENDS_IN: Record<TriggerResponse, readonly ServoStateName[]> = {
  hold: ["following"],
  endLease: ["holding"],
  stop: ["stopped"],
  fault: ["faulted"],
  disconnect: ["disconnected"],
};

describe("triggers", () => {
  it.each(TRIGGER_NAMES)("%s does what the table says, and tells so once", async (name) => {
    const all = await moving();
    const { bench } = all;
    await FIRE[name](all);
    await bench.run(600);
    expect(ENDS_IN[TRIGGERS[name].response]).toContain(bench.last.state);
    expect(bench.servo.statistics().triggers[name]).toBe(1);
    expect(bench.events.filter(({ trigger }) => trigger === name)).toHaveLength(1);
    // At rest, and nothing more is pursued.
    const { sentRad } = bench.last;
    await bench.run(40);
    expect([...bench.last.sentRad]).toEqual([...sentRad]);
  });

  it.each(TRIGGER_NAMES)("%s has a cause and a remedy that a person can read", (name) => {
    const { cause, remedy } = TRIGGERS[name];
    for (const text of [cause, remedy]) {
      expect(text).toMatch(/^[A-Z`]/);
      expect(text).not.toMatch(/\.$/);
    }
  });
});
