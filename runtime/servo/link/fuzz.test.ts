/**
 * Hostile clients against the real server, codec and servo over a real Unix socket, beside an honest supervisor and an
 * honest commander. 100,000 frames in every run; `FUZZ_FRAMES=1000000` for more, `FUZZ_SEED` for others.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { addNs, msToNs } from "../../../core/clock.js";
import { Random } from "../../../lab/world/random.js";
import { SessionFuzzer } from "../../../test/support/servo/fuzzSessions.js";
import type { Lease, ServoClient } from "../api.js";
import type { Servo } from "../servo.js";
import { HOME, ServoBench } from "../testing.js";
import { connectServo } from "./client.js";
import { encode } from "./codec.js";
import { type LinkHandler, LinkServer, type Peer } from "./server.js";

const FRAMES = Number(process.env.FUZZ_FRAMES ?? 100_000);
const SEED = Number(process.env.FUZZ_SEED ?? 1);
/** Hostile connections at a time; the server takes 32 in all. */
const SOCKETS = 12;
const HALF_OPEN = 200;
/** Half-open ones that the hostile side keeps; it closes older ones itself. */
const HALF_OPEN_KEPT = 10;
const PEERS_MAX = 32;
/** Half-open connections, queued answers and the runtime's own caches; it does not depend on the number of frames. */
const HEAP_GROWTH_MB_MAX = 16;
const CHECKS = 10;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const turn = () => new Promise((resolve) => setImmediate(resolve));
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Passes everything on to the servo and judges what it took. */
class Judge {
  readonly honest = new Set<number>();
  readonly violations: string[] = [];
  framesRead = 0;
  cutOff = 0;
  readonly cutOffBy: Record<string, number> = {};
  acceptedHonest = 0;
  acceptedHostile = 0;
  hostileLeases = 0;
  stops = 0;
  readonly #servo: Servo;
  readonly #grants = new Map<number, number>();

  constructor(servo: Servo) {
    this.#servo = servo;
  }

  handler(): LinkHandler {
    return new Proxy(this.#servo as LinkHandler, {
      get: (target, key) => {
        const own = this.#own(target)[key as keyof LinkHandler];
        if (own !== undefined) return own;
        const value = Reflect.get(target, key, target) as unknown;
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }

  #own(servo: LinkHandler): Partial<LinkHandler> {
    return {
      heard: (peer) => {
        this.framesRead++;
        if (peer.name.startsWith("honest")) this.honest.add(peer.id);
        servo.heard(peer);
      },
      troubled: (text) => {
        this.cutOff++;
        const why = text.replace(/^client .* cut off: /, "").replace(/[0-9]+/g, "N");
        this.cutOffBy[why] = (this.cutOffBy[why] ?? 0) + 1;
        servo.troubled(text);
      },
      acquireLease: (peer, name) => {
        const granted = servo.acquireLease(peer, name);
        this.#grants.set(granted.epoch, peer.id);
        if (!this.honest.has(peer.id)) this.hostileLeases++;
        return granted;
      },
      stop: (...given) => {
        this.stops++;
        return servo.stop(...given);
      },
      command: (peer, command) => {
        const before = this.#refusals();
        servo.command(peer, command);
        if (this.#refusals() !== before) return;
        this.#judgeAccepted(peer, command.epoch, command.positionRad);
      },
      setpoints: (peer, batch) => {
        const before = this.#refusals();
        servo.setpoints(peer, batch);
        if (this.#refusals() !== before) return;
        this.#judgeAccepted(peer, batch.epoch, batch.positionRad);
      },
    };
  }

  #judgeAccepted(peer: Peer, epoch: number, positionRad: Float64Array): void {
    if (this.honest.has(peer.id)) this.acceptedHonest++;
    else this.acceptedHostile++;
    const holder = this.#grants.get(epoch);
    if (holder !== peer.id || epoch !== this.#servo.epoch)
      this.violations.push(`a command of ${peer.name} was taken in epoch ${epoch}, granted to ${holder}`);
    if (!positionRad.every(Number.isFinite)) this.violations.push(`${peer.name}: not finite`);
  }

  #refusals(): number {
    return Object.values(this.#servo.statistics().refusedCommands).reduce((sum, count) => sum + count, 0);
  }
}

describe("the servo link under fire", () => {
  let folder: string;
  let path: string;
  let bench: ServoBench;
  let judge: Judge;
  let server: LinkServer;
  let supervisor: ServoClient;
  let commander: ServoClient;
  let lease: Lease;
  const sockets = new Set<Socket>();

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "servo-fuzz-"));
    path = join(folder, "servo.sock");
    bench = new ServoBench();
    judge = new Judge(bench.servo);
    server = new LinkServer(judge.handler());
    bench.servo.attach(server);
    await bench.servo.connect();
    await server.listen(path);
    const connect = (role: "supervisor" | "commander") =>
      connectServo(path, { role, name: `honest ${role}`, clock: bench.clock });
    supervisor = await connect("supervisor");
    commander = await connect("commander");
  });
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    await server.close();
    rmSync(folder, { recursive: true });
  });

  const open = (deaf = false): Socket => {
    const socket = createConnection(path);
    sockets.add(socket);
    // The server hangs up on it in the middle of a write: that is what is wanted.
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    if (!deaf) socket.resume();
    return socket;
  };
  /** Lets requests of honest clients and the servo's ticks go on. */
  const serve = async <T>(work: Promise<T>): Promise<T> => {
    let isDone = false;
    const done = work.finally(() => {
      isDone = true;
    });
    done.catch(() => {});
    while (!isDone) {
      await bench.run(4);
      await turn();
    }
    return done;
  };
  /** As the operator does after a stop; then the commander goes on. */
  const recover = async () => {
    await serve(supervisor.statistics());
    if (bench.servo.state === "stopping") await bench.run(2000);
    if (bench.servo.state === "stopped") await serve(supervisor.reset());
    if (bench.servo.state === "connected") await serve(supervisor.enable());
    if (bench.servo.state === "holding") lease = await serve(commander.acquireLease("honest"));
  };
  const commandHome = () =>
    lease.command({ positionRad: HOME, expiresNs: addNs(bench.clock.nowNs(), msToNs(500)) });

  it(
    `takes ${FRAMES} hostile frames: nothing moves, nothing grows, the honest are served`,
    async () => {
      await recover();
      const fuzzer = new SessionFuzzer(new Random(SEED));
      const heapMb: number[] = [];
      const halfOpen: Socket[] = [];
      let sentFrames = 0;
      let connections = 0;
      let peersMost = 0;
      let answers = 0;
      let answerMsMost = 0;
      let deaf = 0;
      let troubleTold = 0;
      supervisor.onEvent(({ text }) => {
        if (text.startsWith("client trouble")) troubleTold++;
      });
      const startMs = performance.now();

      while (sentFrames < FRAMES) {
        const insight = () => ({ epoch: bench.servo.epoch, nowNs: bench.clock.nowNs(), homeRad: HOME });
        const round: Promise<unknown>[] = [];
        for (let i = 0; i < SOCKETS; i++) {
          const session = fuzzer.next(insight());
          const socket = open(session.deaf);
          connections++;
          sentFrames += session.frames.length;
          if (session.deaf) deaf++;
          socket.write(Buffer.concat(session.frames));
          if (session.end === "close") socket.end();
          // Half-open ones stay until the server needs their place.
          if (session.end !== "halfOpen") round.push(new Promise((resolve) => socket.once("close", resolve)));
          else if (halfOpen.push(socket) > HALF_OPEN_KEPT) halfOpen.shift()!.destroy();
        }
        const askedMs = performance.now();
        await serve(Promise.all([...round, supervisor.statistics()]));
        answerMsMost = Math.max(answerMsMost, performance.now() - askedMs);
        answers++;
        peersMost = Math.max(peersMost, server.peerCount);
        if (lease.lost.aborted) await recover();
        else commandHome();
        bench.driver.sent.splice(0, bench.driver.sent.length - 1);
        if (sentFrames >= (FRAMES * (heapMb.length + 1)) / CHECKS) {
          collectGarbage();
          heapMb.push(process.memoryUsage().heapUsed / 2 ** 20);
        }
      }

      const seconds = (performance.now() - startMs) / 1000;
      const figures = {
        frames: sentFrames,
        framesReadWhole: judge.framesRead,
        connections,
        cutOff: judge.cutOff,
        peersMost,
        deaf,
        stops: judge.stops,
        acceptedHonest: judge.acceptedHonest,
        acceptedHostile: judge.acceptedHostile,
        hostileLeases: judge.hostileLeases,
        answers,
        roundMsMost: Math.round(answerMsMost),
        seconds: Math.round(seconds),
        heapMb: heapMb.map((mb) => Number(mb.toFixed(1))),
        rssMb: Math.round(process.memoryUsage().rss / 2 ** 20),
        ...fuzzer.made,
      };
      if (process.env.FUZZ_FRAMES !== undefined) console.log(JSON.stringify(figures));
      expect(judge.violations).toEqual([]);
      expect(judge.acceptedHostile).toBe(0);
      expect(judge.acceptedHonest).toBeGreaterThan(connections / SOCKETS / 2);
      expect(judge.cutOff).toBeGreaterThan(connections / 2);
      // What was sent was read: everything but what deaf clients asked for, and what came after a frame that grew.
      expect(judge.framesRead).toBeGreaterThan(
        0.8 * (sentFrames - (fuzzer.made.deafRequest ?? 0)) - connections,
      );
      expect(peersMost).toBeLessThanOrEqual(PEERS_MAX);
      expect(Math.max(...heapMb) - heapMb[0]!).toBeLessThan(HEAP_GROWTH_MB_MAX);
      for (const [joint, value] of HOME.entries())
        expect(bench.driver.sent.at(-1)!.positionRad[joint]).toBeCloseTo(value, 9);
      expect(supervisor.closed.aborted).toBe(false);
      // Told at most once a second of the servo's time, whatever the hostile do.
      expect(troubleTold).toBeGreaterThan(0);
      expect(troubleTold).toBeLessThanOrEqual(bench.nowMs / 1000 + 1);
    },
    60_000 + FRAMES / 2,
  );

  it("lets nobody be shut out by connections that never say who they are", async () => {
    await recover();
    for (let i = 0; i < HALF_OPEN; i++) {
      const socket = open();
      if (i % 2 === 0)
        socket.write(
          encode("hello", { role: "observer", name: "half", snapshotEveryTicks: 1 }).subarray(0, 7),
        );
      if (i % 20 === 0) await pause(1);
    }
    await pause(20);
    expect(server.peerCount).toBeLessThanOrEqual(PEERS_MAX);
    await serve(supervisor.statistics());
    const late = await connectServo(path, { role: "observer", name: "honest late", clock: bench.clock });
    await serve(late.stop(2, "somebody who came late"));
    expect(bench.servo.state).toBe("stopped");
    await late.close();
  });

  it("keeps places for supervisors when clients pile up", async () => {
    await recover();
    const idle: ServoClient[] = [];
    const observe = (i: number) =>
      connectServo(path, { role: "observer", name: `idle ${i}`, clock: bench.clock, snapshotEveryTicks: 0 });
    let refused = 0;
    for (let i = 0; i < PEERS_MAX; i++)
      await observe(i).then(
        (client) => idle.push(client),
        () => refused++,
      );
    expect(idle.length).toBeGreaterThan(20);
    expect(refused).toBeGreaterThan(0);
    const daemon = await connectServo(path, {
      role: "supervisor",
      name: "honest daemon",
      clock: bench.clock,
    });
    await serve(daemon.stop(2, "the daemon came back"));
    expect(bench.servo.state).toBe("stopped");
    for (const client of [...idle, daemon]) await client.close();
  });
});
