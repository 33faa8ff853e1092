/**
 * A commander that never learns: it streams targets for its lease, and goes on streaming them, far from where they
 * were, under the old epoch when the lease is gone. Whatever it says then must move nothing.
 */
import { createConnection, type Socket } from "node:net";
import { addNs, msToNs, sleepMs } from "../../core/clock.js";
import { systemClock } from "../../launch/systemClock.js";
import type { ServoSnapshot } from "../../runtime/servo/api.js";
import { decodeFromServo, encode, FrameReader } from "../../runtime/servo/link/codec.js";
import type { ServoMessage } from "../../runtime/servo/link/schema.js";
import { until } from "./servoRig.js";

const PERIOD_MS = 40;
const VALID_MS = 300;
/** Of the sway about the pose at which the lease was granted. */
const AMPLITUDE_RAD = 0.15;
const FREQUENCY_HZ = 0.5;
/** How far off the targets of a lost lease are. */
const STALE_RAD = 0.3;

export class StubbornCommander {
  readonly #socket: Socket;
  readonly #reader = new FrameReader(decodeFromServo);
  readonly #end = new AbortController();
  /** The lease in force, if there is one. */
  #epoch: number | undefined;
  /** All epochs that this commander had a lease in. */
  readonly #lost: number[] = [];
  #home: readonly number[] = [];
  #startNs = 0n;
  #seq = 0;
  #requestId = 0;
  #refusal = "";
  #newest: ServoSnapshot | undefined;

  constructor(socketPath: string) {
    this.#socket = createConnection(socketPath);
    this.#socket.on("error", () => {});
    this.#socket.on("data", (chunk: Buffer) => this.#reader.push(chunk, (message) => this.#take(message)));
    this.#write(encode("hello", { role: "commander", name: "stubborn", snapshotEveryTicks: 5 }));
    void this.#stream();
  }

  get hasLease(): boolean {
    return this.#epoch !== undefined;
  }

  /** Asks for a lease and follows a sway about where the arm is now. */
  async acquire(): Promise<void> {
    await until("the commander sees the arm", () => this.#newest !== undefined);
    this.#refusal = "";
    this.#write(encode("leaseRequest", { requestId: ++this.#requestId, name: "stubborn" }));
    await until("an answer to the lease request", () => this.hasLease || this.#refusal !== "");
    if (!this.hasLease) throw new Error(`no lease: ${this.#refusal}`);
  }

  close(): void {
    this.#end.abort();
    this.#socket.destroy();
  }

  #take(message: ServoMessage): void {
    if (message.type === "snapshot") this.#newest = message;
    else if (message.type === "leaseGranted") {
      this.#home = [...this.#newest!.positionRad];
      this.#startNs = systemClock.nowNs();
      this.#epoch = message.epoch;
    } else if (message.type === "leaseLost" && message.epoch === this.#epoch) {
      this.#lost.push(message.epoch);
      this.#epoch = undefined;
    } else if (message.type === "result" && !message.ok) this.#refusal = message.happened;
  }

  async #stream(): Promise<void> {
    while (!this.#end.signal.aborted) {
      if (this.#epoch !== undefined) this.#command(this.#epoch, this.#sway());
      for (const epoch of this.#lost) this.#command(epoch, STALE_RAD);
      await sleepMs(systemClock, PERIOD_MS, this.#end.signal);
    }
  }

  #sway(): number {
    const elapsedS = Number(systemClock.nowNs() - this.#startNs) / 1e9;
    return AMPLITUDE_RAD * Math.sin(2 * Math.PI * FREQUENCY_HZ * elapsedS);
  }

  #command(epoch: number, offRad: number): void {
    const stampNs = systemClock.nowNs();
    const expiresNs = addNs(stampNs, msToNs(VALID_MS));
    const positionRad = Float64Array.from(this.#home, (value) => value + offRad);
    const seq = ++this.#seq;
    this.#write(
      encode("command", { epoch, seq, stampNs, expiresNs, speedScale: 1, inputAgeMs: 0, positionRad }),
    );
  }

  #write(bytes: Buffer): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }
}
