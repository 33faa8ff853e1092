/**
 * Seeded sessions of a hostile or broken client of the servo link: what it writes on one connection, until the frame
 * that the servo must answer by closing it. Frames after that one are not counted, because nobody reads them.
 */
import { asMonotonicNs, type MonotonicNs } from "../../../core/clock.js";
import type { Random } from "../../../lab/world/random.js";
import { decodeFromClient, encode } from "../../../runtime/servo/link/codec.js";
import { FRAME_BYTES_MAX, HEADER_BYTES, PROTOCOL_VERSION } from "../../../runtime/servo/link/schema.js";

export interface Session {
  readonly frames: readonly Buffer[];
  /** How it ends: the servo must cut it off, or the client closes, or leaves it half open. */
  readonly end: "corrupt" | "close" | "halfOpen";
  /** Never reads the answers, of which there are many. */
  readonly deaf: boolean;
}

/** What the sessions may know of the servo, so that they guess well. */
export interface Insight {
  readonly epoch: number;
  readonly nowNs: MonotonicNs;
  readonly homeRad: readonly number[];
}

const ROLES = ["observer", "commander", "supervisor"] as const;
const FRAMES_MEAN = 24;
const DEAF_REQUESTS = 600;

export class SessionFuzzer {
  readonly #random: Random;
  #requestId = 1;
  /** Frames made, by what they are. */
  readonly made: Record<string, number> = {};

  constructor(random: Random) {
    this.#random = random;
  }

  next(insight: Insight): Session {
    const random = this.#random;
    const frames: Buffer[] = [];
    const saysHello = random.uniform() < 0.9;
    if (saysHello) frames.push(this.#count("hello", this.#hello()));
    if (saysHello && random.uniform() < 0.002) {
      for (let i = 0; i < DEAF_REQUESTS; i++) frames.push(this.#count("deafRequest", this.#statistics()));
      return { frames, end: "halfOpen", deaf: true };
    }
    if (saysHello) {
      const count = Math.floor(-FRAMES_MEAN * Math.log(1 - random.uniform()));
      for (let i = 0; i < count; i++) {
        const frame = this.#welcome(insight);
        frames.push(frame);
        if (decodeFromClient(frame).kind === "corrupt") return { frames, end: "corrupt", deaf: false };
      }
    }
    const ending = random.uniform();
    if (ending < 0.15) return { frames, end: "close", deaf: false };
    if (ending < 0.2) {
      frames.push(this.#count("truncated", this.#truncated(insight)));
      return { frames, end: "halfOpen", deaf: false };
    }
    frames.push(this.#hostile(saysHello, insight));
    return { frames, end: "corrupt", deaf: false };
  }

  /** A frame that is readable, or was before some bits of it turned. */
  #welcome(insight: Insight): Buffer {
    const random = this.#random;
    const choice = random.uniform();
    if (choice < 0.35) return this.#count("command", this.#command(insight));
    if (choice < 0.45) return this.#count("setpoints", this.#setpoints(insight));
    if (choice < 0.55) return this.#count("mutated", this.#mutated(insight));
    if (choice < 0.5505)
      return this.#count(
        "stop",
        encode("stop", { requestId: this.#requestId++, category: 2, reason: "fuzz" }),
      );
    return this.#count("outOfOrder", this.#other(insight));
  }

  #other(insight: Insight): Buffer {
    const random = this.#random;
    const requestId = this.#requestId++;
    switch (random.below(6)) {
      case 0:
        return encode("heartbeat", {});
      case 1:
        return encode("leaseRequest", { requestId, name: "fuzz".repeat(random.below(16)) });
      case 2:
        return encode("leaseRelease", { epoch: this.#epoch(insight) });
      case 3:
        return encode("gripper", {
          epoch: this.#epoch(insight),
          expiresNs: asMonotonicNs(insight.nowNs + 500_000_000n),
          openingM: this.#number(),
        });
      case 4:
        return encode("reset", { requestId });
      default:
        return random.uniform() < 0.1 ? this.#statistics() : encode("heartbeat", {});
    }
  }

  #hostile(saidHello: boolean, insight: Insight): Buffer {
    const random = this.#random;
    const frame = this.#command(insight);
    switch (random.below(6)) {
      case 0: {
        const bytes = Buffer.alloc(HEADER_BYTES + random.below(200));
        for (let i = 0; i < bytes.length; i++) bytes[i] = random.below(256);
        // Bytes that could be a frame's begin would be waited for; a length that no frame has is not.
        if (decodeFromClient(bytes).kind !== "corrupt") bytes[3] = 0xff;
        return this.#count("randomBytes", bytes);
      }
      case 1:
        frame.writeUInt32LE(FRAME_BYTES_MAX + 1 + random.below(2 ** 31), 0);
        return this.#count("oversized", frame);
      case 2:
        frame.writeUInt8((PROTOCOL_VERSION + 1 + random.below(254)) % 256, 4);
        return this.#count("wrongVersion", frame);
      case 3:
        frame.writeUInt8(64 + random.below(192), 5);
        return this.#count("wrongType", frame);
      case 4:
        frame.writeUInt32LE(frame.length - 4 - 8, 0);
        return this.#count("wrongLength", frame);
      default:
        // A second hello, or anything before the first.
        return saidHello ? this.#count("secondHello", this.#hello()) : this.#count("beforeHello", frame);
    }
  }

  #truncated(insight: Insight): Buffer {
    const frame = this.#command(insight);
    if (this.#random.uniform() < 0.5) frame.writeUInt32LE(FRAME_BYTES_MAX, 0);
    return frame.subarray(0, 1 + this.#random.below(frame.length - 1));
  }

  #mutated(insight: Insight): Buffer {
    const random = this.#random;
    const frame = random.uniform() < 0.5 ? this.#command(insight) : this.#other(insight);
    const flips = 1 + random.below(4);
    for (let i = 0; i < flips; i++) {
      const at = random.below(frame.length);
      frame[at] = frame[at]! ^ (1 << random.below(8));
    }
    // A length that grew is waited for; then the next frames are read as this one's payload, which is right too.
    if (decodeFromClient(frame).kind === "incomplete") frame.writeUInt32LE(frame.length - 4, 0);
    return frame;
  }

  #hello(): Buffer {
    const role = this.#random.pick(ROLES);
    return encode("hello", { role, name: `fuzz ${role}`, snapshotEveryTicks: this.#random.below(3) });
  }

  #statistics(): Buffer {
    return encode("statisticsRequest", { requestId: this.#requestId++ });
  }

  /** Half of all commands would move the arm if they came from the holder of the lease. */
  #command({ nowNs, homeRad, ...insight }: Insight): Buffer {
    const random = this.#random;
    const isPlausible = random.uniform() < 0.5;
    const joints = isPlausible ? 7 : random.below(33);
    const positionRad = Float64Array.from({ length: joints }, (_, joint) =>
      isPlausible ? homeRad[joint]! + random.uniform(-0.3, 0.3) : this.#number(),
    );
    const validNs = isPlausible ? 500_000_000n : BigInt(random.below(2 ** 31)) - 1_000_000_000n;
    return encode("command", {
      epoch: this.#epoch({ ...insight }),
      seq: random.below(2 ** 31),
      stampNs: nowNs,
      expiresNs: asMonotonicNs(nowNs + validNs),
      speedScale: isPlausible ? 1 : this.#number(),
      inputAgeMs: this.#number(),
      positionRad,
    });
  }

  /** Half of them would begin a stream if they came from the holder of the lease. */
  #setpoints({ nowNs, homeRad, ...insight }: Insight): Buffer {
    const random = this.#random;
    const isPlausible = random.uniform() < 0.5;
    const ticks = random.below(65);
    const numbers = isPlausible ? 7 * ticks : random.below(64 * 32);
    const positionRad = Float64Array.from({ length: numbers }, (_, i) =>
      isPlausible ? homeRad[i % 7]! : this.#number(),
    );
    const accelerationRadPerS2 = isPlausible
      ? new Float64Array(numbers)
      : Float64Array.from({ length: random.below(64 * 32) }, () => this.#number());
    return encode("setpoints", {
      epoch: this.#epoch({ ...insight }),
      firstIndex: random.uniform() < 0.7 ? 0 : random.below(2 ** 31),
      firstSeq: random.below(2 ** 31),
      stampNs: nowNs,
      expiresNs: asMonotonicNs(nowNs + (isPlausible ? 500_000_000n : BigInt(random.below(2 ** 31)))),
      isLast: random.uniform() < 0.5,
      positionRad,
      accelerationRadPerS2,
    });
  }

  #epoch({ epoch }: { readonly epoch: number }): number {
    return this.#random.uniform() < 0.5 ? epoch : this.#random.below(2 ** 31);
  }

  #number(): number {
    const random = this.#random;
    const pool = [Number.NaN, Number.POSITIVE_INFINITY, -1e308, 0, 1e-320, 0.5, random.uniform(-4, 4)];
    return random.pick(pool);
  }

  #count(kind: string, frame: Buffer): Buffer {
    this.made[kind] = (this.made[kind] ?? 0) + 1;
    return frame;
  }
}
