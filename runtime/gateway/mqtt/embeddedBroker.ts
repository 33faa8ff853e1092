/**
 * The daemon's own MQTT broker (3.1.1; aedes), on a TCP port and behind the gateway's WebSocket. Who connects is a paired
 * device: user name = device, password = token. Nothing is kept for who is away: every session is a clean one.
 */
import { createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { Aedes, type AuthenticateError, type Client, type ConnectPacket } from "aedes";
import type { Clock } from "../../../core/clock.js";
import { CerebellumError, errorText } from "../../../core/errors.js";
import type { Role } from "../../../core/gateway/requests.js";
import { DeviceName } from "../../../core/teleop/pose.js";
import { limitedLog } from "../limitedLog.js";
import { RateLimit } from "../rateLimit.js";
import { type MqttIdentity, whyNotPublish, whyNotSubscribe } from "./acl.js";
import type { Broker, BrokerListener, MqttPeer } from "./broker.js";
import { GuardedConnection } from "./packetGuard.js";
import { deviceOf, type MqttTopics } from "./topics.js";

export const EMBEDDED_LIMITS = {
  /** Twice the largest pose, and more than any packet of ours. */
  packetBytesMax: 32_768,
  connectionsMax: 32,
  /** Among them those that have not shown a token, from one address. */
  strangersPerAddressMax: 6,
  connectMsMax: 3000,
  /** A peer that vanished without a word is noticed after one and a half of it. */
  keepaliveSMax: 120,
  /** Packets of one connection: poses at 90 to 200 a second, and room for a burst after a stall. */
  packetsPerS: 400,
  packetsBurst: 800,
  /** A subscriber that does not take what it asked for goes. */
  drainMsMax: 2000,
  /** What may be lost is not sent to who is behind by more. */
  lossyBytesMax: 65_536,
} as const;

/** Topics come from outside, and may be as long as a packet. */
const REFUSAL_CHARACTERS_MAX = 300;

/** CONNACK codes (MQTT 3.1.1, table 3.1). */
const BAD_CREDENTIALS = 4;
const NOT_AUTHORISED = 5;

export interface EmbeddedBrokerOptions {
  readonly host: string;
  readonly port: number;
  readonly topics: MqttTopics;
  readonly clock: Clock;
  readonly authenticate: (token: string) => { readonly device: string; readonly role: Role } | undefined;
  readonly listener: BrokerListener;
  readonly log: (level: "info" | "warn", event: string, text: string) => void;
}

interface Connection {
  readonly stream: GuardedConnection;
  readonly from: string;
  readonly client: Client;
}

interface Peer extends MqttPeer {
  readonly token: string;
  readonly end: AbortController;
  readonly packets: RateLimit;
}

export class EmbeddedBroker implements Broker {
  readonly #options: EmbeddedBrokerOptions;
  readonly #aedes: Aedes;
  /** Also of connections that have ended: a will comes after its device has vanished. */
  readonly #peers = new WeakMap<Client, Peer>();
  readonly #live = new Set<Client>();
  /** What a CONNECT cannot be given, found before its password is looked at. */
  readonly #refusals = new WeakMap<Client, string>();
  readonly #wills = new WeakMap<Client, ConnectPacket["will"]>();
  readonly #connections = new Set<Connection>();
  readonly #refusalLog: EmbeddedBrokerOptions["log"];
  #server: Server | undefined;

  private constructor(options: EmbeddedBrokerOptions) {
    this.#options = options;
    this.#refusalLog = limitedLog(options.log, options.clock);
    this.#aedes = new Aedes({
      connectTimeout: EMBEDDED_LIMITS.connectMsMax,
      drainTimeout: EMBEDDED_LIMITS.drainMsMax,
      maxClientsIdLength: 128,
      maxTopicLevels: 12,
      preConnect: (client, packet, done) => this.#inspect(client, packet, done),
      authenticate: (client, username, password, done) => {
        const why = this.#whyNotConnect(client, username, password);
        if (why === undefined) done(null, true);
        else done(refusal(why.text, why.code), null);
      },
      authorizePublish: (client, packet, done) => {
        const why = this.#whyNotTake(client, packet);
        if (why !== undefined) this.#refused(`${nameOf(this.#peers, client)}: ${why}`);
        done(why === undefined ? null : new Error(why));
      },
      authorizeSubscribe: (client, subscription, done) => {
        const peer = this.#peers.get(client);
        const why =
          peer === undefined
            ? "not connected"
            : whyNotSubscribe(options.topics.root, peer, subscription.topic);
        if (why !== undefined) this.#refused(`${nameOf(this.#peers, client)}: ${why}`);
        done(null, why === undefined ? { ...subscription, qos: subscription.qos === 0 ? 0 : 1 } : null);
      },
      authorizeForward: (client, packet) => {
        const isLossy = packet.topic === options.topics.telemetry;
        const untaken = this.#peers.get(client)?.untakenBytes ?? 0;
        return isLossy && untaken > EMBEDDED_LIMITS.lossyBytesMax ? null : packet;
      },
    });
  }

  /** @throws CerebellumError PORT_IN_USE when its port is taken or not to be had */
  static async start(options: EmbeddedBrokerOptions): Promise<EmbeddedBroker> {
    const broker = new EmbeddedBroker(options);
    broker.#watch();
    await broker.#aedes.listen();
    try {
      await broker.#listen();
    } catch (thrown) {
      await broker.close();
      throw thrown;
    }
    return broker;
  }

  /** Of the TCP port. */
  get port(): number {
    const address = this.#server?.address();
    return address !== null && typeof address === "object" ? address.port : this.#options.port;
  }

  /** One connection, from TCP or from a WebSocket. */
  accept(inner: Duplex, from: string): void {
    const against = this.#whyNotAccept(from);
    if (against !== undefined) {
      this.#refused(`${from}: ${against}`);
      inner.on("error", () => {});
      inner.destroy();
      return;
    }
    const stream = new GuardedConnection(inner, EMBEDDED_LIMITS.packetBytesMax);
    const client = this.#aedes.handle(stream);
    const connection = { stream, from, client };
    this.#connections.add(connection);
    stream.once("close", () => {
      this.#connections.delete(connection);
      // The library says nothing of one that has gone while it was let in.
      this.#forget(client, "its connection has ended");
    });
  }

  publish(topic: string, text: string, { qos, retain }: { qos: 0 | 1; retain: boolean }): void {
    const packet = { cmd: "publish", topic, payload: Buffer.from(text), qos, retain, dup: false } as const;
    this.#aedes.publish(packet, (error) => {
      if (error) this.#options.log("warn", "mqttPublish", `${topic}: ${errorText(error)}`);
    });
  }

  /** Tokens are revoked, and expire, while their devices are connected. */
  dropUnauthorised(): void {
    for (const client of this.#live) {
      const peer = this.#peers.get(client)!;
      if (this.#options.authenticate(peer.token)?.device !== peer.device) {
        this.#options.log("info", "mqttClosed", `${peer.device}: its token is revoked or has expired`);
        client.close();
      }
    }
  }

  async close(): Promise<void> {
    const server = this.#server;
    const closed = new Promise<void>((resolve) => {
      if (server?.listening === true) server.close(() => resolve());
      else resolve();
    });
    await new Promise<void>((resolve) => this.#aedes.close(() => resolve()));
    for (const { stream } of this.#connections) stream.destroy();
    await closed;
  }

  #whyNotAccept(from: string): string | undefined {
    const { connectionsMax, strangersPerAddressMax } = EMBEDDED_LIMITS;
    if (this.#aedes.closed) return "the broker ends";
    if (this.#connections.size >= connectionsMax) return `${connectionsMax} connections are open already`;
    const strangers = [...this.#connections].filter(
      (other) => other.from === from && !this.#peers.has(other.client),
    );
    if (strangers.length < strangersPerAddressMax) return undefined;
    return `${strangersPerAddressMax} connections from there have not said who they are`;
  }

  #watch(): void {
    const { log, listener } = this.#options;
    this.#aedes.on("clientReady", (client) => {
      const peer = this.#peers.get(client);
      if (peer === undefined) return;
      log("info", "mqttConnected", `${peer.device} (${peer.role}) as ${client.id}`);
      listener.onPeer(peer);
    });
    this.#aedes.on("clientDisconnect", (client) => this.#forget(client, "its MQTT connection has ended"));
    this.#aedes.on("keepaliveTimeout", (client) =>
      this.#forget(client, "it was silent beyond its keepalive"),
    );
    this.#aedes.on("clientError", (client, error) => this.#forget(client, errorText(error, 120)));
    this.#aedes.on("connectionError", (_client, error) => this.#refused(errorText(error, 120)));
    // Only a failing store can cause it, and ours is in memory.
    (this.#aedes as NodeJS.EventEmitter).on("error", (error: unknown) =>
      log("warn", "mqttBroker", errorText(error)),
    );
  }

  async #listen(): Promise<void> {
    const { host, port } = this.#options;
    const server = createServer((socket: Socket) => {
      socket.setNoDelay(true);
      this.accept(socket, socket.remoteAddress ?? "somebody");
    });
    server.maxConnections = 2 * EMBEDDED_LIMITS.connectionsMax;
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error) =>
        reject(
          new CerebellumError(
            "PORT_IN_USE",
            `The MQTT broker cannot listen on ${host}:${port} (${errorText(error)})`,
            "Give `gateway.mqtt.port` a free port and `gateway.mqtt.host` an address of this computer",
            error,
          ),
        ),
      );
      server.listen(port, host, () => resolve());
    });
  }

  #inspect(
    client: Client,
    packet: ConnectPacket,
    done: (error: Error | null, success: boolean) => void,
  ): void {
    const { protocolVersion, keepalive = 0, clientId, username = "", will } = packet;
    if ((protocolVersion ?? 4) > 4) {
      // aedes answers with CONNACK 1, which clients show as "unacceptable protocol version".
      this.#refused(`${shownName(username)}: MQTT ${protocolVersion}; this broker speaks 3.1.1 (protocol 4)`);
    } else if (keepalive === 0 || keepalive > EMBEDDED_LIMITS.keepaliveSMax)
      this.#refusals.set(
        client,
        `keepalive of ${keepalive} s; 1 to ${EMBEDDED_LIMITS.keepaliveSMax} s are taken`,
      );
    // Names are a device's own: nobody can throw another one off by taking its name, only itself.
    if (clientId !== "") packet.clientId = `${username}:${clientId}`;
    packet.clean = true;
    this.#wills.set(client, will);
    done(null, true);
  }

  #whyNotConnect(
    client: Client,
    username: string | undefined,
    password: Readonly<Buffer> | undefined,
  ): { text: string; code: number } | undefined {
    const refuse = (text: string, code = NOT_AUTHORISED) => {
      this.#refused(`${shownName(username)}: ${text}`);
      return { text, code };
    };
    const early = this.#refusals.get(client);
    if (early !== undefined) return refuse(early);
    if (username === undefined || password === undefined)
      return refuse("user name (device) and password (token) are missing", BAD_CREDENTIALS);
    const token = password.toString();
    const known = this.#options.authenticate(token);
    if (known === undefined || known.device !== username)
      return refuse("this device and token do not belong together; pair it again", BAD_CREDENTIALS);
    const who: MqttIdentity = { device: known.device, role: known.role };
    const will = this.#wills.get(client);
    if (will !== undefined) {
      const { topic, qos = 0, retain = false } = will;
      const why = whyNotPublish(this.#options.topics.root, who, { topic, qos, retain }, true);
      if (why !== undefined) return refuse(why);
    }
    this.#admit(client, who, token);
    return undefined;
  }

  #admit(client: Client, who: MqttIdentity, token: string): void {
    const end = new AbortController();
    const connection = client.conn as GuardedConnection;
    // Nobody would hear of its end any more.
    if (connection.destroyed) return;
    this.#live.add(client);
    this.#peers.set(client, {
      ...who,
      isPaired: true,
      token,
      end,
      closed: end.signal,
      packets: new RateLimit(EMBEDDED_LIMITS.packetsPerS, EMBEDDED_LIMITS.packetsBurst),
      get untakenBytes() {
        return connection.untakenBytes;
      },
    });
  }

  /** Also called for a will, whose device has vanished by then. */
  #whyNotTake(
    client: Client | null,
    packet: { topic: string; qos?: number; retain?: boolean; payload: string | Buffer },
  ): string | undefined {
    const receivedNs = this.#options.clock.nowNs();
    const peer = client === null ? undefined : this.#peers.get(client);
    if (peer === undefined) return "it is not connected";
    const { topic, qos = 0, retain = false } = packet;
    const { topics, listener, clock } = this.#options;
    // Whatever else is wrong with it: somebody wants everything to stop.
    if (topic === topics.stop) listener.onStop(peer.device, bytesOf(packet.payload));
    if (!peer.packets.take(clock.nowMs()))
      return `more than ${EMBEDDED_LIMITS.packetsPerS} messages a second`;
    const why = whyNotPublish(topics.root, peer, { topic, qos, retain });
    if (why !== undefined) return why;
    if (deviceOf(topics, "pose", topic) !== undefined && !peer.closed.aborted)
      listener.onPose(peer, bytesOf(packet.payload), receivedNs);
    return undefined;
  }

  #forget(client: Client, why: string): void {
    const peer = this.#peers.get(client);
    if (peer === undefined || peer.closed.aborted) return;
    peer.end.abort();
    this.#options.log("info", "mqttClosed", `${peer.device}: ${why}`);
    this.#options.listener.onPeerGone(peer, why);
    this.#live.delete(client);
  }

  #refused(text: string): void {
    this.#refusalLog("warn", "mqttRefused", `refused: ${text.slice(0, REFUSAL_CHARACTERS_MAX)}`);
  }
}

const nameOf = (peers: WeakMap<Client, Peer>, client: Client | null): string =>
  (client === null ? undefined : peers.get(client)?.device) ?? "somebody";

/** People put a token where a name belongs, and strangers anything: neither is for the log. */
const shownName = (username: string | undefined): string =>
  DeviceName.safeParse(username).success ? `${username}` : "somebody whose name is none";

const refusal = (text: string, returnCode: number): AuthenticateError =>
  Object.assign(new Error(text), { returnCode });

const bytesOf = (payload: string | Buffer): Uint8Array =>
  typeof payload === "string" ? Buffer.from(payload) : payload;
