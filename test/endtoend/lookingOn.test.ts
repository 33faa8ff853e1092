/** People who look on, before a real cell: console, Foxglove from Python, the library; and one that hangs. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { decodeCameraFrame } from "../../core/gateway/cameraFrame.js";
import { EpisodeList, type EpisodeSummary, PairAnswer } from "../../core/gateway/library.js";
import type { GatewayRequest } from "../../core/gateway/requests.js";
import { command, freePorts, ROOT, Running, writeCell } from "../support/cell.js";
import { soon, TestClient } from "../support/gateway.js";

let folder: string;
let cell: string;
let port: number;
let foxglovePort: number;
let up: Running;
const clients: TestClient[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "cerebellum-looking-on-"));
  [port, foxglovePort] = (await freePorts(2)) as [number, number];
  cell = await writeCell(folder, (draft) => {
    draft.gateway = { port, foxglove: { port: foxglovePort } };
    draft.recorder = { folder: join(folder, "recordings") };
    delete draft.policy;
  });
  up = new Running(["up", cell, "--no-policy"]);
  await up.until(/console: http/, 90);
});

afterAll(async () => {
  for (const { socket } of clients) socket.terminate();
  await up.interrupt();
  rmSync(folder, { recursive: true, force: true });
});

const origin = () => `http://localhost:${port}`;

/** A device that was paired with a code from the command line. */
async function pair(role: string, name: string): Promise<string> {
  const { code, text } = await command("pair", "--cell", cell, "--role", role, "--json", "-");
  expect(code, text).toBe(0);
  const pairing = JSON.parse(text.slice(text.indexOf("{"))) as { code: string };
  const answer = await fetch(`${origin()}/api/pair`, {
    method: "POST",
    headers: { "content-type": "application/json", origin: origin() },
    body: JSON.stringify({ code: pairing.code, name }),
  });
  const paired = PairAnswer.parse(await answer.json());
  if (!paired.ok) throw new Error(paired.happened);
  return paired.token;
}

async function connect(token: string, name: string): Promise<TestClient> {
  const client = new TestClient(new WebSocket(`ws://localhost:${port}/ws`, { origin: origin() }));
  clients.push(client);
  await client.opened;
  client.hello(token, name);
  await client.next("welcome");
  return client;
}

const EVERYTHING = {
  kind: "subscribe" as const,
  telemetryHz: 30,
  teleop: true,
  events: true,
  cameras: [{ camera: "wrist", rateHz: 10 }],
};

describe("people who look on", () => {
  it("see the robot, its camera, events and diagnostics, also beside one that never reads", async () => {
    const token = await pair("operator", "looker");
    const hung = await connect(token, "hung");
    hung.send(EVERYTHING);
    await soon(() => hung.binaries[0], 20);
    hung.socket.pause();
    const client = await connect(token, "looker");
    client.send(EVERYTHING);
    const telemetry = await soon(
      () => client.ofKind("telemetry").find(({ robots }) => robots.arm?.latenessUs != null),
      20,
    );
    expect(telemetry.robots.arm!.positionRad.length).toBe(7);
    expect(telemetry.robots.arm!.tool).not.toBeNull();
    expect(telemetry.recorder).toMatchObject({ state: "idle" });
    await soon(() => client.binaries[5], 20);
    const picture = decodeCameraFrame(client.binaries.at(-1)!)!;
    expect(picture.cameraIndex).toBe(0);
    expect([picture.jpeg[0], picture.jpeg[1]]).toEqual([0xff, 0xd8]);
    await soon(
      () =>
        client.ofKind("diagnostics").find(({ items }) => items.some(({ name }) => name === "camera: wrist")),
      20,
    );
    await ask(client, { do: "enable" });
    await soon(() => client.ofKind("event").find(({ source }) => source === "arm"), 20);
    hung.socket.terminate();
  });

  it("find a new episode with its contact sheet, and nothing beside it", async () => {
    const client = await connect(await pair("operator", "recorder"), "recorder");
    await ask(client, { do: "startRecording", task: "look", note: "" });
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await ask(client, { do: "stopRecording", outcome: "success", note: "well" });
    const answer = await ask(client, { do: "listEpisodes" });
    const episode = EpisodeList.parse((answer as { data: unknown }).data).episodes[0]!;
    expect(episode).toMatchObject({
      task: "look",
      state: "finished",
      outcome: "success",
    } satisfies Partial<EpisodeSummary>);
    const token = await pair("observer", "sheets");
    const get = (path: string, withToken = token) =>
      fetch(`${origin()}${path}`, { headers: { authorization: `Bearer ${withToken}` } });
    const sheet = await get(episode.sheet!);
    expect([sheet.status, sheet.headers.get("content-type")]).toEqual([200, "image/png"]);
    expect(
      Buffer.from(await sheet.arrayBuffer())
        .subarray(1, 4)
        .toString(),
    ).toBe("PNG");
    expect((await get(episode.sheet!, "x".repeat(43))).status).toBe(401);
    expect((await get("/api/episodes/look/..%2f..%2f..%2fepisode-000001/sheet.png")).status).not.toBe(200);
    await ask(client, {
      do: "labelEpisode",
      outcome: "failure",
      note: "",
      task: "look",
      episode: episode.episode,
    });
    const again = await ask(client, { do: "listEpisodes", task: "look" });
    expect(EpisodeList.parse((again as { data: unknown }).data).episodes[0]!.outcome).toBe("failure");
    await ask(client, { do: "listBundles" });
  });

  it("have every topic in Foxglove, over both names of the protocol, decoded by its own schema", async () => {
    const { stdout } = await promisify(execFile)(
      join(ROOT, ".ros2/venv/bin/python"),
      [
        join(ROOT, "test/endtoend/foxgloveClient.py"),
        `ws://localhost:${foxglovePort}`,
        "3",
        "foxglove.sdk.v1",
        "foxglove.websocket.v1",
      ],
      { maxBuffer: 2 ** 24 },
    );
    const looks = JSON.parse(stdout) as {
      protocol: string;
      capabilities: string[];
      statuses: string[];
      got: Record<string, Record<string, number | string>>;
    }[];
    expect(looks.map(({ protocol }) => protocol)).toEqual(["foxglove.sdk.v1", "foxglove.websocket.v1"]);
    for (const { got, capabilities, statuses } of looks) {
      expect(capabilities).toEqual([]);
      expect(statuses.some((text) => text.includes("read-only"))).toBe(true);
      expect(got["/arm/joint_states"]!.positions).toBe(8);
      expect(got["/arm/joint_states"]!.count).toBeGreaterThan(5);
      expect(got["/arm/joint_command"]!.positions).toBe(7);
      expect(got["/arm/servo_state"]!.state).toMatch(/^[a-z]+$/);
      expect(got["/arm/robot_description"]!.text).toContain("<?xml");
      expect(got["/camera/wrist/color/image_raw"]!.bytes).toBe(640 * 480 * 3);
      for (const topic of [
        "/tf",
        "/tf_static",
        "/camera/wrist/color/camera_info",
        "/cerebellum/recorder_status",
        "/diagnostics",
      ])
        expect(got[topic]?.count, topic).toBeGreaterThan(0);
      const ageS = Date.now() / 1000 - Number(got["/tf"]!.logNs) / 1e9;
      expect(ageS).toBeGreaterThan(-1);
      expect(ageS).toBeLessThan(60);
    }
  });
});

let requestId = 1000;
/** Its answer, which is no refusal; tests share a computer, so it may take long. */
async function ask(client: TestClient, request: GatewayRequest): Promise<unknown> {
  const id = ++requestId;
  client.send({ kind: "request", id, request });
  const answer = await soon(
    () => [...client.ofKind("answer"), ...client.ofKind("refusal")].find((one) => one.id === id),
    60,
  );
  expect(answer).toMatchObject({ ok: true });
  return answer;
}
