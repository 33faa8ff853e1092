/**
 * One direction of the network between robot and client, on which conditions of digitFaults.ts hold. Chance is seeded: the
 * same datagrams at the same times fare the same.
 */
import { Random } from "../world/random.js";
import type { ConditionName, Conditions, DigitFaults } from "./digitFaults.js";

export type Direction = "observations" | "commands";
type Sided = Extract<ConditionName, "loses" | "delays" | "reorders" | "repeats" | "garbles" | "cuts">;

/** Of one packet of 1500 bytes, without the headers of IP and UDP. */
const UNFRAGMENTED_BYTES_MAX = 1472;
/** Datagrams that wait at most; the oldest is lost first. */
const WAITING_MAX = 4096;

export class FaultyPath<Route> {
  /** Datagrams that did not arrive, and that arrived damaged. */
  lost = 0;
  damaged = 0;
  readonly #direction: Direction;
  readonly #faults: DigitFaults;
  readonly #chance: Random;
  readonly #deliver: (datagram: Uint8Array, route: Route) => void;
  #waiting: { readonly dueMs: number; readonly datagram: Uint8Array; readonly route: Route }[] = [];
  /** Is overtaken by the next one. */
  #held: { readonly datagram: Uint8Array; readonly route: Route } | undefined;

  constructor(
    direction: Direction,
    faults: DigitFaults,
    seed: number,
    deliver: (datagram: Uint8Array, route: Route) => void,
  ) {
    this.#direction = direction;
    this.#faults = faults;
    this.#chance = new Random(seed).fork(direction);
    this.#deliver = deliver;
  }

  get nextDueMs(): number {
    return this.#waiting[0]?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  /** @param datagram may be reused by the caller afterwards */
  carry(datagram: Uint8Array, route: Route, nowMs: number): void {
    if (this.#isLost(datagram)) {
      this.lost++;
      return;
    }
    const arriving = this.#damage(datagram);
    for (let time = this.#condition("repeats")?.times ?? 0; time >= 0; time--)
      this.#order(arriving, route, nowMs);
  }

  /** Lets datagrams go whose delay is over. */
  release(nowMs: number): void {
    while (this.nextDueMs <= nowMs) {
      const { datagram, route } = this.#waiting.shift()!;
      this.#deliver(datagram, route);
    }
  }

  #isLost(datagram: Uint8Array): boolean {
    if (this.#faults.has("blocksFragments") && datagram.length > UNFRAGMENTED_BYTES_MAX) return true;
    return this.#hits(this.#condition("loses"));
  }

  #damage(datagram: Uint8Array): Uint8Array {
    const cuts = this.#condition("cuts");
    const garbles = this.#condition("garbles");
    const isCut = this.#hits(cuts);
    const isGarbled = this.#hits(garbles);
    if (!isCut && !isGarbled) return datagram;
    this.damaged++;
    const copy = copyOf(datagram.subarray(0, isCut ? cuts!.bytes : datagram.length));
    // Not the length: that is what `cuts` is for.
    if (isGarbled && copy.length > 8)
      copy[4 + this.#chance.below(copy.length - 4)]! ^= 1 << this.#chance.below(8);
    return copy;
  }

  #order(datagram: Uint8Array, route: Route, nowMs: number): void {
    if (this.#held === undefined && this.#hits(this.#condition("reorders"))) {
      this.#held = { datagram: copyOf(datagram), route };
      return;
    }
    this.#delay(datagram, route, nowMs);
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined) this.#delay(held.datagram, held.route, nowMs);
  }

  #delay(datagram: Uint8Array, route: Route, nowMs: number): void {
    const dueMs = nowMs + (this.#condition("delays")?.ms ?? 0);
    if (dueMs <= nowMs) {
      this.#deliver(datagram, route);
      return;
    }
    this.#waiting.push({ dueMs, datagram: copyOf(datagram), route });
    if (this.#waiting.length <= WAITING_MAX) return;
    this.#waiting.shift();
    this.lost++;
  }

  #condition<Name extends Sided>(name: Name): Conditions[Name] | undefined {
    const condition = this.#faults.get(name);
    return condition?.side === "both" || condition?.side === this.#direction ? condition : undefined;
  }

  #hits(condition: { readonly share: number } | undefined): boolean {
    return condition !== undefined && (condition.share >= 1 || this.#chance.uniform() < condition.share);
  }
}

/** `slice` of a Buffer would share its memory. */
const copyOf = (bytes: Uint8Array): Uint8Array => Uint8Array.from(bytes);
