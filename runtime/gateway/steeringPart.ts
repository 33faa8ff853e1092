/**
 * Robots on legs that a person steers from a page. One client at a time steers a robot, for as long as it says again and
 * again that its dead-man's key is down. Whatever ends that, silence above all, is told at once as a velocity of zero, and
 * the client steers again only after its key was up.
 */
import { addNs, type MonotonicNs, msToNs } from "../../core/clock.js";
import type { ClientMessage } from "../../core/gateway/client.js";
import type { GatewayClient, GatewayPart, PartFactory, PartServices } from "./part.js";

/** A page says it every 50 ms: so many in a row that did not come are a page that is lost. */
export const STEERING_SILENT_MS = 300;

type Asked = Extract<ClientMessage, { kind: "velocity" }>;

interface Hold {
  readonly client: GatewayClient;
  readonly ended: AbortController;
  heardNs: MonotonicNs;
}

const AT_REST: Asked["velocity"] = { forwardMPerS: 0, leftMPerS: 0, yawRateRadPerS: 0 };

export const steeringPart: PartFactory = (services) => new SteeringPart(services);

class SteeringPart implements GatewayPart {
  readonly #services: PartServices;
  readonly #onLegs: ReadonlySet<string>;
  readonly #holds = new Map<string, Hold>();
  /** Were let go of while their key was down. */
  readonly #mustLetGo = new Set<GatewayClient>();

  constructor(services: PartServices) {
    this.#services = services;
    this.#onLegs = new Set(
      services.setup.robots.filter(({ legs }) => legs !== undefined).map(({ robot }) => robot),
    );
  }

  onVelocity(client: GatewayClient, { robot, isHeld, velocity }: Asked): void {
    if (!this.#onLegs.has(robot)) return;
    const hold = this.#holds.get(robot);
    if (!isHeld) {
      this.#mustLetGo.delete(client);
      if (hold?.client === client) this.#end(robot, hold);
      return;
    }
    if (this.#mustLetGo.has(client)) return;
    if (hold !== undefined && hold.client !== client) {
      // Not even when the other lets go: nobody knows how long this key has been down by then.
      this.#mustLetGo.add(client);
      return;
    }
    const heardNs = this.#services.clock.nowNs();
    if (hold === undefined) this.#begin(robot, { client, ended: new AbortController(), heardNs });
    else hold.heardNs = heardNs;
    this.#services.post({ kind: "velocity", robot, client: client.name, isHeld: true, velocity });
  }

  onMalformed(client: GatewayClient, why: string): void {
    this.#letGo(client, `what it said was not understood: ${why}`);
  }

  onClosed(client: GatewayClient, why: string): void {
    this.#letGo(client, `it is gone: ${why}`);
    this.#mustLetGo.delete(client);
  }

  close(): Promise<void> {
    for (const [robot, hold] of this.#holds) this.#end(robot, hold);
    return Promise.resolve();
  }

  #begin(robot: string, hold: Hold): void {
    this.#holds.set(robot, hold);
    void this.#watch(hold);
  }

  async #watch(hold: Hold): Promise<void> {
    const { clock } = this.#services;
    const { signal } = hold.ended;
    for (;;) {
      const limitNs = addNs(hold.heardNs, msToNs(STEERING_SILENT_MS));
      if (clock.nowNs() >= limitNs) break;
      await clock.sleepUntil(limitNs, signal);
      if (signal.aborted) return;
    }
    this.#letGo(hold.client, `nothing was heard of it for ${STEERING_SILENT_MS} ms`);
  }

  /** Not by its own hand. */
  #letGo(client: GatewayClient, why: string): void {
    for (const [robot, hold] of this.#holds) {
      if (hold.client !== client) continue;
      this.#mustLetGo.add(client);
      this.#end(robot, hold);
      this.#services.event(
        "warn",
        "steering",
        `${client.name} steers ${robot} no more: ${why}`,
        "Let go of the key, then press it again",
      );
    }
  }

  #end(robot: string, hold: Hold): void {
    this.#holds.delete(robot);
    hold.ended.abort();
    this.#services.post({
      kind: "velocity",
      robot,
      client: hold.client.name,
      isHeld: false,
      velocity: AT_REST,
    });
  }
}
