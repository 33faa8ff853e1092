/**
 * MQTT for bridges and fleets: poses in; pulses, presence, the cell's state and telemetry out; a software stop. Poses are
 * never queued: QoS 0, and what comes late is refused by its age like any other pose. `stop` is no emergency stop.
 */
import { readFileSync } from "node:fs";
import { createWebSocketStream } from "ws";
import { type MonotonicNs, nsToMs, sleepMs } from "../../../core/clock.js";
import { CerebellumError, errorText } from "../../../core/errors.js";
import { isLoopback } from "../addresses.js";
import type { GatewayConfig } from "../config.js";
import type { ToGateway } from "../messages.js";
import type { GatewayClient, GatewayPart, PartServices } from "../part.js";
import { RateLimit } from "../rateLimit.js";
import { RobotTelemetryMaker } from "../robotTelemetry.js";
import { ServoWatch } from "../servoWatch.js";
import type { Broker, BrokerListener, MqttPeer } from "./broker.js";
import { EMBEDDED_LIMITS, EmbeddedBroker } from "./embeddedBroker.js";
import type { ExternalBroker } from "./externalBroker.js";
import { MqttButtons } from "./mqttButtons.js";
import { MqttClients } from "./mqttClients.js";
import {
  type MqttInfo,
  type MqttTelemetry,
  mqttTopics,
  readStop,
  type StateMessage,
  type StopAck,
} from "./topics.js";

export type MqttConfig = Exclude<GatewayConfig["mqtt"], "off">;
type MainState = Extract<ToGateway, { kind: "state" }>;

/** How soon a change of state is told. */
const STATE_LOOK_MS = 200;
/** Snapshots of each servo a second. */
const SNAPSHOT_RATE_HZ = 20;
/** Revoked and expired tokens are looked for so often. */
const TOKENS_LOOK_MS = 2000;
/** Stops beyond that come while everything is stopping already. */
const STOPS_PER_S = 5;
export const MQTT_PATH = "/mqtt";
/** Where a bridge that has just been paired learns what else it needs. */
const MQTT_INFO_PATH = "/api/mqtt";

export class MqttPart implements GatewayPart {
  readonly #services: PartServices;
  readonly #config: MqttConfig;
  readonly #topics;
  readonly #clients: MqttClients;
  readonly #closing = new AbortController();
  readonly #stops = new RateLimit(STOPS_PER_S, 2 * STOPS_PER_S);
  readonly #robots;
  #broker: Broker | undefined;
  #mainState: MainState | undefined;
  #toldState = "";

  private constructor(services: PartServices, config: MqttConfig) {
    this.#services = services;
    this.#config = config;
    this.#topics = mqttTopics(config.prefix, services.setup.cell);
    this.#clients = new MqttClients({
      services,
      topics: this.#topics,
      publish: (topic, text) => this.#broker?.publish(topic, text, { qos: 0, retain: false }),
      buttons: new MqttButtons({
        ask: services.ask,
        isRecording: () => this.#mainState?.recorder?.state === "recording",
        task: services.setup.teleop.defaultTask,
        log: services.log,
      }),
    });
    this.#robots = services.setup.robots.map(({ robot, rateHz }) => ({
      robot,
      maker: new RobotTelemetryMaker(robot, services.setup),
      watch: new ServoWatch({
        clock: services.clock,
        connect: () =>
          services.connectServo(
            robot,
            "observer",
            "mqtt",
            Math.max(1, Math.round(rateHz / SNAPSHOT_RATE_HZ)),
          ),
      }),
    }));
  }

  /**
   * @throws CerebellumError PORT_IN_USE when the embedded broker cannot listen, CONFIG_INVALID when the password's file
   *   cannot be read
   */
  static async start(services: PartServices, config: MqttConfig): Promise<MqttPart> {
    const part = new MqttPart(services, config);
    part.#broker =
      config.broker === "embedded" ? await part.#startEmbedded() : await part.#connectExternal(config.broker);
    services.onMain((message) => {
      if (message.kind === "state") part.#mainState = message;
    });
    for (const { watch } of part.#robots) watch.start();
    services.serveHttp(MQTT_INFO_PATH, async () => part.#info());
    void part.#tellState();
    if (config.telemetryHz > 0) void part.#tellTelemetry(config.telemetryHz);
    return part;
  }

  onClosed(client: GatewayClient): void {
    if (client.kind === "mqtt") this.#clients.ended(client);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([this.#broker?.close(), ...this.#robots.map(({ watch }) => watch.stop())]);
  }

  get #listener(): BrokerListener {
    return {
      onPeer: (peer) => this.#clients.add(peer),
      onPeerGone: (peer, why) => this.#clients.remove(peer, why),
      onPose: (peer: MqttPeer, payload: Uint8Array, receivedNs: MonotonicNs) =>
        this.#clients.pose(peer, payload, receivedNs),
      onStop: (by, payload) => void this.#stop(by, payload),
    };
  }

  async #startEmbedded(): Promise<EmbeddedBroker> {
    const { clock, authenticate, log, serveUpgrade, event } = this.#services;
    const { host, port } = this.#config;
    const broker = await EmbeddedBroker.start({
      host,
      port,
      clock,
      authenticate,
      topics: this.#topics,
      listener: this.#listener,
      log,
    });
    serveUpgrade(MQTT_PATH, {
      protocols: ["mqtt"],
      bytesMax: EMBEDDED_LIMITS.packetBytesMax,
      accept: (socket, address) => broker.accept(createWebSocketStream(socket), address),
    });
    log("info", "mqttBroker", `MQTT 3.1.1 on ${host}:${broker.port}, topics ${this.#topics.root}...`);
    if (!isLoopback(host) && host !== "localhost")
      event(
        "warn",
        "mqtt",
        `MQTT on ${host}:${broker.port} is not encrypted: tokens can be read on that network`,
        `Give bridges wss://...${MQTT_PATH} of the gateway instead, and gateway.mqtt.host 127.0.0.1`,
      );
    void this.#watchTokens(broker);
    return broker;
  }

  /** The client's package is large, and most cells have no other broker. */
  async #connectExternal(url: string): Promise<ExternalBroker> {
    const { ExternalBroker } = await import("./externalBroker.js");
    const { clock, log, event, setup } = this.#services;
    const { username, passwordFile } = this.#config;
    return new ExternalBroker({
      url,
      username,
      password: passwordFile === undefined ? undefined : readPassword(passwordFile),
      topics: this.#topics,
      clientId: `cerebellum-${setup.cell}`,
      clock,
      listener: this.#listener,
      log,
      event,
      onConnected: () => {
        this.#toldState = "";
      },
      lastWords: JSON.stringify({ ...this.#state(), online: false } satisfies StateMessage),
    });
  }

  #info() {
    const { broker } = this.#config;
    const where: MqttInfo = {
      v: 1,
      root: this.#topics.root,
      ...(broker === "embedded" ? { path: MQTT_PATH } : { broker }),
    };
    return { status: 200, type: "application/json", body: JSON.stringify(where) };
  }

  async #watchTokens(broker: EmbeddedBroker): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await sleepMs(this.#services.clock, TOKENS_LOOK_MS, signal);
      broker.dropUnauthorised();
    }
  }

  async #stop(by: string, payload: Uint8Array): Promise<void> {
    const { clock, stopRobots } = this.#services;
    if (!this.#stops.take(clock.nowMs())) return;
    const { id, reason } = readStop(payload);
    const answer = await stopRobots(2, `MQTT, ${by}${reason === "" ? "" : `: ${reason}`}`);
    const ack: StopAck = {
      v: 1,
      id,
      by,
      ok: answer.ok,
      message: answer.ok ? answer.message : `${answer.happened}. ${answer.remedy}.`,
      epochMs: nsToMs(clock.epochNs()),
    };
    this.#broker?.publish(this.#topics.stopAck, JSON.stringify(ack), { qos: 1, retain: false });
  }

  /** Retained, so that who connects later knows too; told when anything but the time has changed. */
  async #tellState(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      const state = this.#state();
      const told = JSON.stringify({ ...state, epochMs: 0 });
      if (told !== this.#toldState) {
        this.#toldState = told;
        this.#broker?.publish(this.#topics.state, JSON.stringify(state), { qos: 1, retain: true });
      }
      await sleepMs(this.#services.clock, STATE_LOOK_MS, signal);
    }
  }

  async #tellTelemetry(rateHz: number): Promise<void> {
    const { signal } = this.#closing;
    const { clock } = this.#services;
    while (!signal.aborted) {
      await sleepMs(clock, 1000 / rateHz, signal);
      if (signal.aborted) return;
      const nowNs = clock.nowNs();
      const robots = this.#robots.flatMap(({ robot, watch, maker }) => {
        const snapshot = watch.client?.latest();
        return snapshot === undefined ? [] : [[robot, maker.make(snapshot, nowNs, null)] as const];
      });
      const message: MqttTelemetry = {
        v: 1,
        epochMs: nsToMs(clock.epochNs()),
        robots: Object.fromEntries(robots),
      };
      this.#broker?.publish(this.#topics.telemetry, JSON.stringify(message), { qos: 0, retain: false });
    }
  }

  #state(): StateMessage {
    const { setup, clock, clients } = this.#services;
    const teleop = this.#services.teleop();
    const { recorder = null, policy = null, activity = "" } = this.#mainState ?? {};
    return {
      v: 1,
      online: true,
      epochMs: nsToMs(clock.epochNs()),
      cell: setup.cell,
      software: setup.software,
      robots: Object.fromEntries(
        this.#robots.map(({ robot, watch }) => {
          const snapshot = watch.client?.latest();
          return [
            robot,
            {
              state: snapshot?.state ?? "unknown",
              commander: snapshot?.commander ?? "",
              epoch: snapshot?.epoch ?? 0,
            },
          ];
        }),
      ),
      teleop: { state: teleop?.state ?? "off", robot: teleop?.robot ?? "", operator: teleop?.operator ?? "" },
      recorder:
        recorder === null ? null : { state: recorder.state, task: recorder.task, episode: recorder.episode },
      policy: policy === null ? null : { phase: policy.phase, policy: policy.policy, task: policy.task },
      activity,
      clients: clients().map(({ name, role, kind }) => ({ name, role, kind })),
    };
  }
}

/** @throws CerebellumError CONFIG_INVALID */
function readPassword(file: string): string {
  try {
    const [first = ""] = readFileSync(file, "utf8").split("\n");
    if (first.trim() !== "") return first.trim();
  } catch (thrown) {
    throw new CerebellumError(
      "CONFIG_INVALID",
      `gateway.mqtt.passwordFile: ${file} cannot be read (${errorText(thrown)})`,
      "Name a file that this user can read; its first line is the password",
      thrown,
    );
  }
  throw new CerebellumError(
    "CONFIG_INVALID",
    `gateway.mqtt.passwordFile: the first line of ${file} is empty`,
    "Write the password into its first line",
  );
}
