/** Trackers that come over ROS as clients of the gateway: each is one while it is heard. */
import { asMonotonicNs, sleepMs } from "../../core/clock.js";
import type { GatewayClient, GatewayPart, PartFactory, PartServices } from "./part.js";

/** A tracker that says nothing for so long has gone. */
const SILENT_MS_MAX = 10_000;
const LOOK_MS = 500;

interface Tracker {
  readonly client: GatewayClient;
  readonly ended: AbortController;
  heardMs: number;
}

class RosTrackers implements GatewayPart {
  readonly #services: PartServices;
  readonly #trackers = new Map<string, Tracker>();
  readonly #closing = new AbortController();

  constructor(services: PartServices) {
    this.#services = services;
    const { deliverPose, deliverMalformed } = services;
    services.onMain((message) => {
      if (message.kind === "pose") {
        const { client } = this.#heard(message.pose.device);
        deliverPose({ client, pose: message.pose, receivedNs: asMonotonicNs(message.receivedNs) });
      } else if (message.kind === "malformedPose")
        deliverMalformed(this.#heard(message.device).client, message.why);
    });
    void this.#watch();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    for (const device of [...this.#trackers.keys()]) this.#remove(device, "the gateway ends");
  }

  #heard(device: string): Tracker {
    const known = this.#trackers.get(device);
    const heardMs = this.#services.clock.nowMs();
    if (known !== undefined) {
      known.heardMs = heardMs;
      return known;
    }
    const ended = new AbortController();
    const client = this.#services.addClient({
      name: `ros ${device}`,
      role: "operator",
      kind: "ros",
      bufferedBytes: 0,
      closed: ended.signal,
      // A tracker listens to nothing.
      send: () => {},
      offer: () => false,
    });
    const tracker = { client, ended, heardMs };
    this.#trackers.set(device, tracker);
    return tracker;
  }

  #remove(device: string, why: string): void {
    const tracker = this.#trackers.get(device);
    if (tracker === undefined) return;
    this.#trackers.delete(device);
    tracker.ended.abort();
    this.#services.removeClient(tracker.client, why);
  }

  async #watch(): Promise<void> {
    const { clock } = this.#services;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await sleepMs(clock, LOOK_MS, signal);
      for (const [device, { heardMs }] of [...this.#trackers])
        if (clock.nowMs() - heardMs > SILENT_MS_MAX)
          this.#remove(device, `silent for ${SILENT_MS_MAX / 1000} s`);
    }
  }
}

export const rosTrackersPart: PartFactory = (services) => new RosTrackers(services);
