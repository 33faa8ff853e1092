/**
 * Capture times over a real wire: a real servo process, an emulated arm whose clock runs 50 ppm fast, and a path whose
 * queue fills and drains, so that reports come 5 to 200 ms late. What the servo noted must give back when the arm measured.
 */
import { connect, createServer, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { addNs, asMonotonicNs, type Clock, type MonotonicNs, sleepMs } from "../../core/clock.js";
import { type ReceivedStamp, recoverCaptureTimes } from "../../episodes/quality/captureTimes.js";
import { XArm7Emulator } from "../../lab/xarm7/emulator.js";
import { IdealPlant } from "../../lab/xarm7/idealPlant.js";
import { systemClock } from "../../launch/systemClock.js";
import { DELAY_MS_MIN, quantile } from "../support/episodes/delays.js";
import { HOME_RAD, ServoRig } from "../support/servoRig.js";

const DRIFT = 50e-6;
const RUN_MS = 8000;
const QUEUE_PERIOD_MS = 2000;
const TICK_MS = 4;

/** Passes what a controller's port sends, late by 5 to 200 ms and in order. */
class QueuedPath {
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((client) => {
    const controller = connect({ port: this.targetPort, host: "127.0.0.1" });
    for (const socket of [client, controller]) {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => client.destroy() && controller.destroy());
    }
    let dueMs = 0;
    controller.on("data", (bytes) => {
      const nowMs = performance.now();
      const share = (1 - Math.cos((2 * Math.PI * nowMs) / QUEUE_PERIOD_MS)) / 2;
      dueMs = Math.max(dueMs, nowMs + DELAY_MS_MIN + (200 - DELAY_MS_MIN) * share);
      setTimeout(() => client.write(bytes), dueMs - nowMs);
    });
  });

  constructor(readonly targetPort: number) {}

  async start(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return (this.#server.address() as { port: number }).port;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}

/** Real time as a controller with a fast crystal has it. */
class DriftingClock implements Clock {
  readonly #startNs = systemClock.nowNs();
  nowNs(): MonotonicNs {
    const elapsed = Number(systemClock.nowNs() - this.#startNs);
    return addNs(this.#startNs, BigInt(Math.round(elapsed * (1 + DRIFT))));
  }
  nowMs(): number {
    return Number(this.nowNs()) / 1e6;
  }
  epochNs() {
    return systemClock.epochNs();
  }
  sleepUntil(dueNs: MonotonicNs, signal?: AbortSignal): Promise<void> {
    return systemClock.sleepUntil(this.toHost(dueNs), signal);
  }
  toHost(ns: MonotonicNs): MonotonicNs {
    return addNs(this.#startNs, BigInt(Math.round(Number(ns - this.#startNs) / (1 + DRIFT))));
  }
}

describe("capture times of the arm's reports", () => {
  const clock = new DriftingClock();
  const plant = new IdealPlant({ positionRad: [...HOME_RAD], lagS: 0.02 });
  /** Controller's time, summed as the controller does, and when it showed 0: the earliest that any step allows. */
  let elapsedS = 0;
  let zeroNs = asMonotonicNs(2n ** 62n);
  const emulator = new XArm7Emulator({
    plant,
    clock,
    onStep: (dtS) => {
      plant.advance(dtS);
      elapsedS += dtS;
      const startedNs = clock.nowNs() - BigInt(Math.round(elapsedS * 1e9));
      if (startedNs < zeroNs) zeroNs = asMonotonicNs(startedNs);
    },
  });
  let path: QueuedPath;
  let rig: ServoRig;

  beforeEach(async () => {
    const ports = await emulator.start();
    path = new QueuedPath(ports.highRate);
    rig = new ServoRig({ ...ports, highRate: await path.start() });
    expect((await rig.start()).ready).toMatchObject({ ready: true });
  });
  afterEach(async () => {
    await rig.close();
    path.close();
    await emulator.close();
  });

  it("are recovered within their bound where times of receipt are up to 200 ms late", async () => {
    const samples: ReceivedStamp[] = [];
    const supervisor = await rig.connectSupervisor();
    let newestUs = 0;
    const stop = supervisor.onSnapshot(({ deviceTimeUs, stateNs }) => {
      if (deviceTimeUs === newestUs || deviceTimeUs === 0) return;
      newestUs = deviceTimeUs;
      samples.push({ stampNs: BigInt(deviceTimeUs) * 1000n, receivedNs: stateNs });
    });
    await sleepMs(systemClock, RUN_MS);
    stop();
    expect(samples.length).toBeGreaterThan(RUN_MS / 100);

    const truth = samples.map(({ stampNs }) => clock.toHost(asMonotonicNs(zeroNs + stampNs)));
    const { captureNs, segments } = recoverCaptureTimes(samples, { clock: "other", latencyMs: DELAY_MS_MIN });
    expect(segments).toHaveLength(1);
    const offMs = (times: ArrayLike<bigint>) =>
      Float64Array.from(times, (ns, i) => Number(ns - truth[i]!) / 1e6);
    expect(quantile(offMs(samples.map(({ receivedNs }) => receivedNs)), 0.99)).toBeGreaterThan(100);
    const errors = offMs(captureNs);
    // All alike, but for the drift that so short a time cannot tell.
    expect(quantile(errors, 0.995) - quantile(errors, 0.005)).toBeLessThan(4);
    // What the path adds to its queue is declared nowhere: timers, and a servo that reads its socket once a tick.
    for (const error of errors) expect(Math.abs(error)).toBeLessThan(segments[0]!.errorMs + TICK_MS);
  });
});
