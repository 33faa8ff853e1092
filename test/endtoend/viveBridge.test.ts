/** The real bridge, the real gateway, real sockets; only SteamVR and the robot are played. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, describe, expect, it } from "vitest";
import { openTrackerStore } from "../../calibration/store.js";
import { frameDifferenceDeg } from "../../calibration/trackerSolver.js";
import { repositoryRootUrl } from "../../core/entry.js";
import { PoseMessage } from "../../core/teleop/pose.js";
import { multiplyQuat } from "../../kinematics/pose.js";
import { calibrationDialogue } from "../../launch/commands/calibrate.js";
import { joinGateway } from "../../launch/commands/gatewayProgram.js";
import { systemClock } from "../../launch/systemClock.js";
import { GatewayConfig } from "../../runtime/gateway/config.js";
import { mqttTopics, StateMessage } from "../../runtime/gateway/mqtt/topics.js";
import type { GatewayClient, GatewayPart, PoseArrival } from "../../runtime/gateway/part.js";
import { PART_FACTORIES } from "../../runtime/gateway/parts.js";
import { freePorts } from "../support/cell.js";
import { TestGateway } from "../support/gateway.js";
import { BRIDGE_PYTHON, hasBridgePython, ViveBridge } from "../support/viveBridge.js";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const arrivals: PoseArrival[] = [];
const gone: string[] = [];
const clients: GatewayClient[] = [];
const probe: GatewayPart = {
  onClient: (client) => void clients.push(client),
  onClosed: ({ name }) => void gone.push(name),
  onPose: (arrival) => void arrivals.push(arrival),
};

interface Places {
  readonly folder: string;
  readonly mqttPort: number;
  readonly port: number;
}

async function places(): Promise<Places> {
  for (const list of [arrivals, gone, clients]) list.length = 0;
  const folder = mkdtempSync(join(tmpdir(), "cerebellum-vive-"));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  const [mqttPort, port] = (await freePorts(2)) as [number, number];
  return { folder, mqttPort, port };
}

async function begin({ folder, mqttPort, port }: Places): Promise<TestGateway> {
  const gateway = await TestGateway.start({
    gateway: { port, mqtt: GatewayConfig.parse({ mqtt: { port: mqttPort } }).mqtt },
    stateFolder: join(folder, "state"),
    factories: [...PART_FACTORIES, () => probe],
  });
  cleanups.push(() => gateway.close());
  return gateway;
}

function bridge(args: readonly string[], env: Record<string, string> = {}): ViveBridge {
  const started = new ViveBridge(args, env);
  cleanups.push(() => started.close());
  return started;
}

const until = (look: () => unknown) => expect.poll(look, { timeout: 20_000, interval: 20 });
const topics = mqttTopics("cerebellum", "test");
/** Rises by one and never goes back: nothing was kept for later. */
const isInOrder = (seqs: readonly number[]) => seqs.every((seq, i) => i === 0 || seq > seqs[i - 1]!);

describe.skipIf(!hasBridgePython)("the Vive bridge", () => {
  it("pairs by the printed address, then sends schema-valid poses at its rate until it is told to end", async () => {
    const where = await places();
    const gateway = await begin(where);
    const settings = join(where.folder, "bridge.json");
    // Over TLS, as from another computer: the certificate is the gateway's own, and the bridge keeps to it.
    const origin = gateway.origin.replace("http:", "https:");
    const pairing = bridge(["pair", `${origin}/#pair=${await gateway.code()}`, "--config", settings]);
    expect(await pairing.ended, pairing.said).toBe(0);
    const { fingerprint } = gateway.ofKind("ready")[0]!;
    const plain = fingerprint!.replaceAll(":", "").toLowerCase();
    expect(JSON.parse(readFileSync(settings, "utf8"))).toMatchObject({
      url: `wss://127.0.0.1:${gateway.port}/mqtt`,
      topics: topics.root.slice(0, -1),
      device: "vive",
      fingerprint: plain,
    });
    const other = bridge(["--config", settings, "--simulate", "still", "--fingerprint", "00".repeat(32)]);
    expect(await other.ended).toBe(2);
    expect(other.said).toMatch(/shows a certificate with SHA-256 [0-9a-f]{64}; paired was 0000/);
    expect(arrivals).toEqual([]);
    const running = bridge(["--config", settings, "--simulate", "circle"]);
    await until(() => arrivals.length).toBeGreaterThan(200);
    running.signal("SIGTERM");
    expect(await running.ended, running.said).toBe(0);
    for (const { pose, client } of arrivals) {
      expect(PoseMessage.parse(pose)).toEqual(pose);
      expect(client).toMatchObject({ kind: "mqtt", role: "operator", name: "mqtt vive" });
    }
    const seqs = arrivals.map(({ pose }) => pose.seq);
    expect(isInOrder(seqs)).toBe(true);
    expect(new Set(arrivals.map(({ pose }) => pose.session)).size).toBe(1);
    expect(arrivals.some(({ pose }) => pose.hands[0]?.clutch === 1)).toBe(true);
    await until(() => gone).toEqual(["mqtt vive"]);
    expect(running.said).toMatch(/Ended: \d+ poses read, \d+ sent/);
    expect(running.said).not.toContain("tried again");
  });

  it("refuses a code that is wrong, in the cell's own words", async () => {
    const gateway = await begin(await places());
    const pairing = bridge([
      "pair",
      gateway.origin,
      "WRONGONE",
      "--config",
      join(gateway.folder, "none.json"),
    ]);
    expect(await pairing.ended).toBe(2);
    expect(pairing.said).toMatch(/code/);
  });

  it("says offline when it ends, and the broker says it when the bridge is killed", async () => {
    const where = await places();
    const gateway = await begin(where);
    const env = { CEREBELLUM_VIVE_TOKEN: await gateway.token("operator", "vive-1") };
    const args = ["--simulate", "still", "--device", "vive-1", "--topics", topics.root.slice(0, -1)];
    const url = ["--url", `mqtt://127.0.0.1:${where.mqttPort}`, "--config", join(where.folder, "none.json")];
    const { default: mqtt } = await import("mqtt");
    const fleet = mqtt.connect(`mqtt://127.0.0.1:${where.mqttPort}`, {
      username: "fleet",
      password: await gateway.token("observer", "fleet"),
    });
    cleanups.push(() => void fleet.end(true));
    const heard: string[] = [];
    fleet.on("message", (topic, payload) => {
      if (topic === topics.presence("vive-1")) heard.push(payload.toString());
      if (topic === topics.state) StateMessage.parse(JSON.parse(payload.toString()));
    });
    await fleet.subscribeAsync([topics.presence("vive-1"), topics.state], { qos: 1 });
    for (const [signal, times] of [
      ["SIGINT", 1],
      ["SIGKILL", 2],
    ] as const) {
      const running = bridge([...args, ...url], env);
      await until(() => heard.filter((one) => one === "online").length).toBe(times);
      running.signal(signal);
      await running.ended;
      await until(() => heard.filter((one) => one === "offline").length).toBe(times);
    }
  });

  it("comes back when the cell does, with nothing from in between", async () => {
    const where = await places();
    const first = await begin(where);
    const env = { CEREBELLUM_VIVE_TOKEN: await first.token("operator", "vive-1") };
    const running = bridge(
      [
        ...["--simulate", "circle", "--device", "vive-1", "--topics", topics.root.slice(0, -1)],
        ...["--url", `mqtt://127.0.0.1:${where.mqttPort}`, "--config", join(where.folder, "none.json")],
      ],
      env,
    );
    await until(() => arrivals.length).toBeGreaterThan(30);
    await first.close();
    expect(gone).toContain("mqtt vive-1");
    const lastSeq = arrivals.at(-1)!.pose.seq;
    await new Promise((resolve) => setTimeout(resolve, 1500));
    arrivals.length = 0;
    await begin(where);
    await until(() => arrivals.length).toBeGreaterThan(30);
    // A second and a half of poses were made meanwhile: they are gone, not late.
    expect(arrivals[0]!.pose.seq).toBeGreaterThan(lastSeq + 90);
    expect(isInOrder(arrivals.map(({ pose }) => pose.seq))).toBe(true);
    expect(running.said).toMatch(/Disconnected from/);
  });

  it("calibrates by its scripted strokes and the terminal's dialogue, at any heading of the room", async () => {
    const HEADING_DEG = 40;
    const where = await places();
    const gateway = await begin(where);
    const env = { CEREBELLUM_VIVE_TOKEN: await gateway.token("operator", "vive-1") };
    bridge(
      [
        ...["--simulate", "strokes", "--heading-deg", String(HEADING_DEG), "--device", "vive-1"],
        ...["--topics", topics.root.slice(0, -1), "--url", `mqtt://127.0.0.1:${where.mqttPort}`],
        ...["--config", join(where.folder, "none.json")],
      ],
      env,
    );
    const program = await joinGateway(gateway.origin, await gateway.code(), "calibrate", systemClock);
    cleanups.push(() => program.close());
    // As in the script: each stroke is 1 s still, 1.5 s of motion, 1 s still, and back.
    const at = (stroke: number, fromS: number, untilS: number) =>
      until(() => {
        // The script goes on by one ninetieth of a second with each pose, however late they are made.
        const timeS = (arrivals.at(-1)?.pose.seq ?? 0) / 90;
        const inLegS = timeS % 5;
        return Math.floor(timeS / 5) % 3 === stroke && inLegS >= fromS && inLegS <= untilS;
      }).toBe(true);
    let entered = 0;
    const printed: string[] = [];
    const result = await calibrationDialogue("vive-1", {
      ask: program.ask,
      line: async () => {
        const [stroke, isEnd] = [Math.floor(entered / 2), entered % 2 === 1];
        if (++entered <= 6) await at(stroke, isEnd ? 2.6 : 0.1, isEnd ? 3.3 : 0.7);
        return "y";
      },
      print: (text) => printed.push(text),
      progress: () => {},
      clock: systemClock,
    });
    expect(result, printed.join("\n")).toMatchObject({ kept: true });
    const stored = openTrackerStore(gateway.setup.calibrationFolder).frameOf("vive-1");
    const half = (-HEADING_DEG * Math.PI) / 360;
    const truth = multiplyQuat([0.5, -0.5, -0.5, 0.5], [0, Math.sin(half), 0, Math.cos(half)]);
    expect(frameDifferenceDeg(stored!.frame.quatBaseTracker, truth)).toBeLessThan(0.5);
    expect(stored!.sha256).toBe(result.sha256);
  });

  it("says why a token is refused", async () => {
    const where = await places();
    const gateway = await begin(where);
    const refused = bridge(
      [
        ...["--simulate", "still", "--device", "vive-1", "--topics", "cerebellum/test"],
        ...["--url", `ws://127.0.0.1:${gateway.port}/mqtt`, "--config", join(where.folder, "none.json")],
      ],
      { CEREBELLUM_VIVE_TOKEN: "wrong" },
    );
    await until(() => refused.said).toMatch(/The broker refuses this bridge .*Pair it again/s);
    expect(arrivals).toEqual([]);
  });

  it("passes its own tests", async () => {
    const folder = fileURLToPath(new URL("bridges/vive", repositoryRootUrl()));
    const { stdout } = await promisify(execFile)(BRIDGE_PYTHON, ["-m", "pytest"], { cwd: folder });
    expect(stdout).toMatch(/\d+ passed/);
  });
});
