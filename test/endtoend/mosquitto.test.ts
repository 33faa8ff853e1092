/** An external broker in place of the daemon's own: Debian's mosquitto with the configuration that the manual gives. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import mqtt, { type MqttClient } from "mqtt";
import { afterEach, describe, expect, it } from "vitest";
import { repositoryRootUrl } from "../../core/entry.js";
import { GatewayConfig } from "../../runtime/gateway/config.js";
import { mqttTopics, StateMessage, StopAck } from "../../runtime/gateway/mqtt/topics.js";
import type { GatewayPart, PoseArrival } from "../../runtime/gateway/part.js";
import { PART_FACTORIES } from "../../runtime/gateway/parts.js";
import { freePorts } from "../support/cell.js";
import { TestGateway } from "../support/gateway.js";
import { hasBridgePython, ViveBridge } from "../support/viveBridge.js";

const MOSQUITTO = "/usr/sbin/mosquitto";
const PASSWD = "/usr/bin/mosquitto_passwd";
const SAMPLE = fileURLToPath(new URL("docs/mosquitto", repositoryRootUrl()));
const topics = mqttTopics("cerebellum", "test");
const PASSWORDS = { cerebellum: "daemon-password", "vive-1": "vive-password", fleet: "fleet-password" };

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

class Mosquitto {
  readonly folder = mkdtempSync(join(tmpdir(), "cerebellum-mosquitto-"));
  #child: ChildProcess | undefined;

  constructor(readonly port: number) {
    const acl = readFileSync(join(SAMPLE, "acl"), "utf8").replaceAll("xarm7_cell", "test");
    writeFileSync(join(this.folder, "acl"), acl, { mode: 0o600 });
    const file = join(this.folder, "passwords");
    writeFileSync(file, "", { mode: 0o600 });
    for (const [name, password] of Object.entries(PASSWORDS))
      execFileSync(PASSWD, ["-b", file, name, password], { stdio: "ignore" });
    const config = readFileSync(join(SAMPLE, "cerebellum.conf"), "utf8")
      .replace(/^listener .*$/m, `listener ${port} 127.0.0.1`)
      .replaceAll("/etc/mosquitto", this.folder)
      .replace(/^(cafile|certfile|keyfile) .*$/gm, "");
    // Otherwise it becomes the user mosquitto when started by root, who cannot read this test's folder.
    writeFileSync(join(this.folder, "mosquitto.conf"), `${config}\nuser root\n`);
  }

  async start(): Promise<void> {
    const child = spawn(MOSQUITTO, ["-c", join(this.folder, "mosquitto.conf")], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#child = child;
    let said = "";
    child.stderr?.on("data", (chunk: Buffer) => (said += chunk.toString()));
    await expect
      .poll(() => said, { timeout: 5000, interval: 10 })
      .toMatch(/running|Opening ipv4 listen socket/);
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }

  async close(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const arrivals: PoseArrival[] = [];
const gone: string[] = [];
const probe: GatewayPart = {
  onPose: (arrival) => void arrivals.push(arrival),
  onClosed: ({ name }, why) => void gone.push(`${name}: ${why}`),
};
const until = (look: () => unknown, timeout = 15_000) => expect.poll(look, { timeout, interval: 20 });

async function begin(broker: Mosquitto): Promise<TestGateway> {
  arrivals.length = 0;
  gone.length = 0;
  const passwordFile = join(broker.folder, "daemon");
  writeFileSync(passwordFile, `${PASSWORDS.cerebellum}\n`, { mode: 0o600 });
  const gateway = await TestGateway.start({
    gateway: {
      mqtt: GatewayConfig.parse({
        mqtt: {
          broker: `mqtt://127.0.0.1:${broker.port}`,
          username: "cerebellum",
          passwordFile,
          telemetryHz: 5,
        },
      }).mqtt,
    },
    factories: [...PART_FACTORIES, () => probe],
  });
  cleanups.push(() => gateway.close());
  return gateway;
}

async function withBroker(): Promise<Mosquitto> {
  const [port] = (await freePorts(1)) as [number];
  const broker = new Mosquitto(port);
  cleanups.push(() => broker.close());
  await broker.start();
  return broker;
}

async function client(broker: Mosquitto, username: keyof typeof PASSWORDS): Promise<MqttClient> {
  const opened = mqtt.connect(`mqtt://127.0.0.1:${broker.port}`, { username, password: PASSWORDS[username] });
  opened.on("error", () => {});
  cleanups.push(() => void opened.end(true));
  await new Promise((resolve) => opened.once("connect", resolve));
  return opened;
}

async function hear(from: MqttClient, topic: string): Promise<string[]> {
  const heard: string[] = [];
  from.on("message", (at, payload) => void (at === topic && heard.push(payload.toString())));
  await from.subscribeAsync(topic, { qos: 1 });
  return heard;
}

describe.skipIf(!existsSync(MOSQUITTO) || !existsSync(PASSWD))("an external broker (mosquitto)", () => {
  it.skipIf(!hasBridgePython)("carries the bridge's poses, and its loss ends what a device had", async () => {
    const broker = await withBroker();
    const gateway = await begin(broker);
    const page = await gateway.client("operator", "anna", "console");
    page.send({ kind: "subscribe", telemetryHz: 0, teleop: false, events: true, cameras: [] });
    const bridge = new ViveBridge(
      [
        ...["--simulate", "circle", "--device", "vive-1", "--topics", topics.root.slice(0, -1)],
        ...["--url", `mqtt://127.0.0.1:${broker.port}`, "--config", join(broker.folder, "none.json")],
      ],
      { CEREBELLUM_VIVE_TOKEN: PASSWORDS["vive-1"] },
    );
    cleanups.push(() => bridge.close());
    await until(() => arrivals.length).toBeGreaterThan(60);
    expect(arrivals[0]!.client).toMatchObject({ name: "mqtt vive-1", kind: "mqtt", role: "operator" });
    await broker.stop();
    await until(() => gone.join()).toMatch(/mqtt vive-1: the MQTT broker is lost/);
    await until(() =>
      page.ofKind("event").filter(({ level, source }) => level === "warn" && source === "mqtt"),
    ).toHaveLength(1);
    const lost = page.ofKind("event").find(({ level }) => level === "warn")!;
    expect(lost.remedy).toMatch(/Check that it runs/);
    const lastSeq = arrivals.at(-1)!.pose.seq;
    await new Promise((resolve) => setTimeout(resolve, 1500));
    arrivals.length = 0;
    await broker.start();
    await until(() => arrivals.length, 25_000).toBeGreaterThan(60);
    // Nothing from the time in between, and nothing twice.
    expect(arrivals[0]!.pose.seq).toBeGreaterThan(lastSeq + 90);
    expect(new Set(arrivals.map(({ pose }) => pose.seq)).size).toBe(arrivals.length);
    expect(arrivals[0]!.client.closed.aborted).toBe(false);
  });

  it("hears a stop, answers it, tells state retained, and says so when the daemon is gone", async () => {
    const broker = await withBroker();
    const gateway = await begin(broker);
    const fleet = await client(broker, "fleet");
    const states = await hear(fleet, topics.state);
    await until(() => states.length).toBeGreaterThan(0);
    expect(StateMessage.parse(JSON.parse(states[0]!)).online).toBe(true);
    const telemetry = await hear(fleet, topics.telemetry);
    await until(() => telemetry.length).toBeGreaterThan(0);
    const acks = await hear(fleet, topics.stopAck);
    fleet.publish(topics.stop, '{"id":"z9"}', { qos: 1 });
    await until(() => acks).toHaveLength(1);
    expect(StopAck.parse(JSON.parse(acks[0]!)).id).toBe("z9");
    expect(gateway.ofKind("stopped")).toHaveLength(1);
    await gateway.close();
    await until(() => StateMessage.parse(JSON.parse(states.at(-1)!)).online).toBe(false);
  });

  it("is held to the sample's access list: who is not the device sends no pose, nobody but the daemon its state", async () => {
    const broker = await withBroker();
    const gateway = await begin(broker);
    const [vive, fleet] = [await client(broker, "vive-1"), await client(broker, "fleet")];
    const watcher = await client(broker, "cerebellum");
    const heard: string[] = [];
    watcher.on("message", (topic) => void heard.push(topic));
    await watcher.subscribeAsync(`${topics.root}#`, { qos: 1 });
    await until(() => heard.length).toBeGreaterThan(0);
    heard.length = 0;
    for (const [who, topic] of [
      [fleet, topics.pose("vive-1")],
      [fleet, topics.presence("vive-1")],
      [fleet, topics.haptic("vive-1")],
      [vive, topics.pose("vive-2")],
      [vive, topics.presence("vive-2")],
      [vive, topics.stopAck],
      [vive, topics.telemetry],
    ] as const)
      await who.publishAsync(topic, "forged", { qos: 1 });
    await vive.publishAsync(topics.pose("vive-1"), "allowed", { qos: 0 });
    await until(() => heard).toContain(topics.pose("vive-1"));
    expect(heard.filter((topic) => topic !== topics.telemetry)).toEqual([topics.pose("vive-1")]);
    expect(arrivals).toEqual([]);
    expect(gateway.ofKind("stopped")).toEqual([]);
  });

  it("ignores a retained stop and a retained pose, which were said before", async () => {
    const broker = await withBroker();
    const fleet = await client(broker, "fleet");
    await fleet.publishAsync(topics.stop, '{"id":"old"}', { qos: 1, retain: true });
    const vive = await client(broker, "vive-1");
    await vive.publishAsync(topics.pose("vive-1"), "{}", { qos: 0, retain: true });
    const gateway = await begin(broker);
    await until(() => gateway.ofKind("log").some(({ text }) => text.includes("a retained"))).toBe(true);
    await until(() => gateway.ofKind("log").some(({ text }) => text.includes("neither retained"))).toBe(true);
    expect(gateway.ofKind("stopped")).toEqual([]);
    expect(gone).toEqual([]);
    expect(arrivals).toEqual([]);
  });
});
