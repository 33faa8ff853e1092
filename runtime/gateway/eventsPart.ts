/**
 * What happens in the cell, for people: the servos' news with what to do about them, the daemon's, the gateway's own.
 * Events are ordered and never dropped; the daemon's diagnostics come beside them once a second and may be.
 */
import { type MonotonicNs, nsToMs, toEpochNs } from "../../core/clock.js";
import type { ClientMessage } from "../../core/gateway/client.js";
import type { Diagnostics } from "../../core/gateway/server.js";
import type { ServoEvent } from "../servo/api.js";
import { triggersOf } from "../servo/legTriggers.js";
import type { EventLevel } from "./eventLog.js";
import type { GatewayClient, GatewayPart, PartFactory, PartServices } from "./part.js";
import { ServoWatch } from "./servoWatch.js";

const LEVELS: Readonly<Record<ServoEvent["kind"], EventLevel>> = {
  state: "info",
  lease: "info",
  refused: "warn",
  watchdog: "warn",
  overrun: "warn",
  stop: "error",
  fault: "error",
};

export const eventsPart: PartFactory = (services) => new EventsPart(services);

class EventsPart implements GatewayPart {
  readonly #services: PartServices;
  readonly #watches: readonly ServoWatch[];
  readonly #subscribed = new Set<GatewayClient>();
  readonly #undo: () => void;
  #diagnostics: Diagnostics | undefined;

  constructor(services: PartServices) {
    const { setup, clock, events } = services;
    this.#services = services;
    this.#undo = events.onLine((line) => {
      for (const client of this.#subscribed) client.send(line);
    });
    services.onMain((message) => {
      if (message.kind === "event") events.take(message.event);
      if (message.kind === "state" && message.diagnostics !== undefined) this.#tell(message.diagnostics);
    });
    this.#watches = setup.robots.map(({ robot }) => {
      const watch = new ServoWatch({
        clock,
        // No snapshots: only its news.
        connect: () => services.connectServo(robot, "observer", "console events", 0),
        onConnected: (client) => {
          client.onEvent((event) => this.#take(robot, event, client.info.gainsMax !== undefined));
        },
      });
      // From the start on: who connects after a stop wants to know why.
      watch.start();
      return watch;
    });
  }

  onSubscribe(client: GatewayClient, { events }: Extract<ClientMessage, { kind: "subscribe" }>): void {
    if (!events) {
      this.#subscribed.delete(client);
      return;
    }
    if (this.#subscribed.has(client)) return;
    this.#subscribed.add(client);
    for (const line of this.#services.events.newest()) client.send(line);
    if (this.#diagnostics !== undefined) client.offer(this.#diagnostics);
  }

  onClosed(client: GatewayClient): void {
    this.#subscribed.delete(client);
  }

  async close(): Promise<void> {
    this.#undo();
    this.#subscribed.clear();
    await Promise.all(this.#watches.map((watch) => watch.stop()));
  }

  /** @param isOnLegs the robot's triggers mean what they mean on legs */
  #take(robot: string, event: ServoEvent, isOnLegs: boolean): void {
    const { mapping, events } = this.#services;
    const atNs: MonotonicNs = event.atNs;
    events.take({
      epochMs: nsToMs(toEpochNs(mapping, atNs)),
      level: levelOf(event),
      source: robot,
      text: event.text,
      remedy: remedyOf(event, isOnLegs),
    });
  }

  #tell(items: Diagnostics["items"]): void {
    this.#diagnostics = { kind: "diagnostics", items };
    for (const client of this.#subscribed) client.offer(this.#diagnostics);
  }
}

/** A device's own report knows best how bad it is. */
function levelOf({ kind, fault }: ServoEvent): EventLevel {
  if (fault !== undefined) return fault.severity === "warning" ? "warn" : "error";
  return LEVELS[kind];
}

/** The device's remedy where it has one, else what the table of triggers says. */
function remedyOf({ fault, trigger }: ServoEvent, isOnLegs: boolean): string {
  if (fault !== undefined && fault.remedy !== "") return fault.remedy;
  return trigger === undefined ? "" : triggersOf(isOnLegs)[trigger].remedy;
}
