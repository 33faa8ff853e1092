/**
 * Another MQTT broker in place of the daemon's own. Who may publish what is then that broker's affair; what is retained,
 * repeated or malformed is refused here all the same. While the broker is away nothing is kept: what cannot be sent now
 * is not sent, and every device counts as gone.
 */
import mqtt, { type IPublishPacket, type MqttClient } from "mqtt";
import type { Clock } from "../../../core/clock.js";
import { errorText } from "../../../core/errors.js";
import { limitedLog } from "../limitedLog.js";
import type { PartContext } from "../part.js";
import type { Broker, BrokerListener, MqttPeer } from "./broker.js";
import { deviceOf, type MqttTopics, OFFLINE } from "./topics.js";

export const EXTERNAL_LIMITS = {
  reconnectMs: 1000,
  connectMsMax: 4000,
  keepaliveS: 5,
  /** Devices beyond are not heard: names come from topics, and whoever may publish could invent them without end. */
  devicesMax: 32,
  /** One that was silent for so long makes room for another. */
  silentMsMax: 10_000,
} as const;

export interface ExternalBrokerOptions {
  readonly url: string;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly topics: MqttTopics;
  /** Names this connection on the broker. */
  readonly clientId: string;
  readonly clock: Clock;
  readonly listener: BrokerListener;
  readonly log: (level: "info" | "warn", event: string, text: string) => void;
  readonly event: PartContext["event"];
  /** Said at each connection, retained; `lastWords` is what the broker says when this daemon vanishes. */
  readonly onConnected: () => void;
  readonly lastWords: string;
}

interface Device extends MqttPeer {
  readonly end: AbortController;
  heardMs: number;
}

export class ExternalBroker implements Broker {
  readonly #options: ExternalBrokerOptions;
  readonly #devices = new Map<string, Device>();
  readonly #client: MqttClient;
  readonly #refusalLog: ExternalBrokerOptions["log"];
  /** Told once an outage. */
  #isAwayTold = false;
  #closing = false;

  /** Connects and comes back by itself; whether it could is told as an event. */
  constructor(options: ExternalBrokerOptions) {
    this.#options = options;
    this.#refusalLog = limitedLog(options.log, options.clock);
    const { url, username, password, topics, clientId, lastWords } = options;
    this.#client = mqtt.connect(url, {
      clientId,
      clean: true,
      protocolVersion: 4,
      keepalive: EXTERNAL_LIMITS.keepaliveS,
      reconnectPeriod: EXTERNAL_LIMITS.reconnectMs,
      connectTimeout: EXTERNAL_LIMITS.connectMsMax,
      queueQoSZero: false,
      // At each connection, below: only there is heard whether it was granted.
      resubscribe: false,
      will: { topic: topics.state, payload: Buffer.from(lastWords), qos: 1, retain: true },
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
    });
    this.#watch();
  }

  publish(topic: string, text: string, how: { qos: 0 | 1; retain: boolean }): void {
    if (this.#client.connected) this.#client.publish(topic, text, how);
  }

  async close(): Promise<void> {
    this.#closing = true;
    const { topics, lastWords } = this.#options;
    if (this.#client.connected) this.#client.publish(topics.state, lastWords, { qos: 0, retain: true });
    this.#allGone("the daemon ends");
    await this.#client.endAsync(!this.#client.connected);
  }

  #watch(): void {
    const { url, log, event, onConnected } = this.#options;
    this.#client.on("connect", () => {
      this.#isAwayTold = false;
      log("info", "mqttBroker", `connected to ${hostOf(url)}`);
      this.#subscribe();
      event("info", "mqtt", `The MQTT broker ${hostOf(url)} is connected`);
      onConnected();
    });
    this.#client.on("message", (topic, payload, packet) => this.#take(topic, payload, packet));
    this.#client.on("close", () => this.#away("it has closed the connection, or is silent"));
    this.#client.on("error", (error) => this.#away(errorText(error, 160)));
  }

  #subscribe(): void {
    const { topics, url, log, event } = this.#options;
    const wanted = {
      [`${topics.root}pose/+`]: { qos: 0 },
      [`${topics.root}presence/+`]: { qos: 1 },
      [topics.stop]: { qos: 1 },
    } as const;
    this.#client.subscribe(wanted, (error) => {
      // One that was lost meanwhile is told of as that.
      if (error === null || this.#closing || !this.#client.connected) return;
      const names = Object.keys(wanted).join(", ");
      const text = `This daemon may not subscribe to all of ${names} on the MQTT broker ${hostOf(url)}: ${errorText(error)}`;
      log("warn", "mqttBroker", text);
      event(
        "error",
        "mqtt",
        `${text}. Poses or stops from there are not heard`,
        "Let gateway.mqtt.username read them in that broker's access list, as docs/mosquitto/acl does",
      );
    });
  }

  #away(why: string): void {
    if (this.#closing) return;
    this.#allGone(`the MQTT broker is lost: ${why}`);
    if (this.#isAwayTold) return;
    this.#isAwayTold = true;
    const { url, event, log } = this.#options;
    const text = `The MQTT broker ${hostOf(url)} cannot be reached: ${why}. Devices behind it hold`;
    log("warn", "mqttBroker", text);
    event(
      "warn",
      "mqtt",
      text,
      "Check that it runs, and gateway.mqtt's address, user name and password; it is tried again every second",
    );
  }

  #take(topic: string, payload: Buffer, { retain, dup }: IPublishPacket): void {
    const receivedNs = this.#options.clock.nowNs();
    const { topics, listener } = this.#options;
    const log = this.#refusalLog;
    if (topic === topics.stop) {
      // A retained one was said before this daemon listened: it would stop every start from then on.
      if (retain) log("warn", "mqttRefused", `a retained ${topic}: clear it with an empty retained message`);
      else listener.onStop("somebody on the MQTT broker", payload);
      return;
    }
    const absent = deviceOf(topics, "presence", topic);
    if (absent !== undefined) {
      if (payload.toString() === OFFLINE) this.#gone(absent, "it says that it is offline");
      return;
    }
    const device = deviceOf(topics, "pose", topic);
    if (device === undefined) return;
    if (retain || dup) {
      log("warn", "mqttRefused", `${topic}: a pose must be neither retained nor repeated`);
      return;
    }
    const peer = this.#deviceNamed(device);
    if (peer !== undefined) listener.onPose(peer, payload, receivedNs);
  }

  #deviceNamed(device: string): Device | undefined {
    const { listener, clock } = this.#options;
    const heardMs = clock.nowMs();
    const known = this.#devices.get(device);
    if (known !== undefined) {
      known.heardMs = heardMs;
      return known;
    }
    const { devicesMax, silentMsMax } = EXTERNAL_LIMITS;
    if (this.#devices.size >= devicesMax) {
      const silent = [...this.#devices.values()].find((one) => heardMs - one.heardMs > silentMsMax);
      if (silent === undefined) {
        this.#refusalLog("warn", "mqttRefused", `${device}: ${devicesMax} devices are known already`);
        return undefined;
      }
      this.#gone(silent.device, "it was silent, and another device needs its place");
    }
    const end = new AbortController();
    const peer: Device = {
      device,
      role: "operator",
      isPaired: false,
      end,
      closed: end.signal,
      untakenBytes: 0,
      heardMs,
    };
    this.#devices.set(device, peer);
    listener.onPeer(peer);
    return peer;
  }

  #gone(device: string, why: string): void {
    const peer = this.#devices.get(device);
    if (peer === undefined) return;
    this.#devices.delete(device);
    peer.end.abort();
    this.#options.listener.onPeerGone(peer, why);
  }

  #allGone(why: string): void {
    for (const device of [...this.#devices.keys()]) this.#gone(device, why);
  }
}

/** Without user name and password, should the address have them. */
function hostOf(url: string): string {
  try {
    return new URL(url).host;
  } catch {
    return "(address unreadable)";
  }
}
