import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { asEpochNs } from "../../../core/clock.js";
import { BundleList, CellPage, EpisodeList } from "../../../core/gateway/library.js";
import { SimClock } from "../../../core/simClock.js";
import { EpisodeSet } from "../../../episodes/episodeSet.js";
import { writeTestEpisode } from "../../../test/support/episodes/testEpisode.js";
import type { HttpHandler, HttpReply } from "../part.js";
import { FakeClient, libraryHere, partBench, testSetup } from "../partTesting.js";
import { libraryPart } from "./libraryPart.js";
import { LibraryThread, type LibraryWorker } from "./thread.js";

const client = new FakeClient();
let folder: string;
let recordings: string;
let bundles: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "cerebellum-library-"));
  recordings = join(folder, "recordings");
  bundles = join(folder, "bundles");
  const episode = { seconds: 0.6, widthPx: 64, heightPx: 48, cameras: ["wrist"] };
  await writeTestEpisode(join(recordings, "reach"), {
    ...episode,
    number: 1,
    task: "reach",
    outcome: "success",
  });
  await writeTestEpisode(join(recordings, "reach"), {
    ...episode,
    number: 2,
    task: "reach",
    start: { startedNs: "1800000100000000000" },
  });
  await writeTestEpisode(join(recordings, "blind"), { ...episode, number: 1, task: "blind", cameras: [] });
  mkdirSync(join(recordings, "reach", "episode-000003.active"));
  mkdirSync(join(bundles, "broken"), { recursive: true });
  writeFileSync(join(bundles, "broken", "policy.json"), '{"schema": "other"}');
  mkdirSync(join(bundles, "empty"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function started(change: object = {}) {
  const handlers = new Map<string, HttpHandler>();
  const bench = partBench(
    testSetup({
      episodesFolder: recordings,
      bundleFolders: ["policies/bundles", bundles, join(folder, "nowhere")],
      stateFolder: join(folder, "state"),
      ...change,
    }),
  );
  const part = libraryPart({
    ...bench.services,
    serveHttp: (prefix, handler) => void handlers.set(prefix, handler),
    reachedAt: () => ({ origins: ["http://localhost:8443"], fingerprint: "ab", certificateDaysLeft: 3 }),
  });
  const get = (path: string): Promise<HttpReply> =>
    handlers.get("/api/episodes/")!({
      method: "GET",
      path,
      query: new URLSearchParams(),
      device: "x",
      role: "observer",
    });
  return { ...bench, part, get };
}

describe("the library", () => {
  it("lists episodes newest first, with what is wrong with those that cannot be used", async () => {
    const { part } = started();
    const answer = await part.requests!.listEpisodes!({ do: "listEpisodes" }, client);
    const list = EpisodeList.parse((answer as { data: unknown }).data);
    expect(list.tasks).toEqual(["blind", "reach"]);
    expect(list.episodes.map(({ task, episode, state }) => `${task}/${episode} ${state}`)).toEqual([
      "reach/episode-000002 finished",
      "blind/episode-000001 finished",
      "reach/episode-000001 finished",
      "reach/episode-000003.active damaged",
    ]);
    expect(list.episodes[2]).toMatchObject({
      outcome: "success",
      startedEpochMs: 1_800_000_000_000,
      sheet: "/api/episodes/reach/episode-000001/sheet.png",
    });
    expect(list.episodes[3]).toMatchObject({ sheet: null, note: "was left by a crash and waits for repair" });
    const some = await part.requests!.listEpisodes!({ do: "listEpisodes", task: "blind" }, client);
    expect(EpisodeList.parse((some as { data: unknown }).data).episodes.length).toBe(1);
    await part.close!();
  });

  it("sees a label that was given since, without reading the episode again", async () => {
    const { part } = started();
    const outcomes = async () => {
      const answer = await part.requests!.listEpisodes!({ do: "listEpisodes", task: "blind" }, client);
      return EpisodeList.parse((answer as { data: unknown }).data).episodes.map(({ outcome }) => outcome);
    };
    const before = await outcomes();
    const set = await EpisodeSet.open(join(recordings, "blind"));
    await set.label(1, { outcome: "failure", note: "" }, { atNs: asEpochNs(5n), by: "test" });
    expect(await outcomes()).toEqual(["failure"]);
    expect(before).not.toEqual(["failure"]);
    await part.close!();
  });

  it("draws a contact sheet once, and again when an edit has changed what it says", async () => {
    const { part, get } = started();
    const sheet = await get("/api/episodes/reach/episode-000001/sheet.png");
    expect([sheet.status, sheet.type]).toEqual([200, "image/png"]);
    const { width } = await sharp(sheet.body as Uint8Array).metadata();
    expect(width).toBe(1400);
    const kept = () => readdirSync(join(folder, "state", "sheets"));
    const [file] = kept();
    // What is kept is what is given: a mark proves it.
    const mark = join(folder, "state", "sheets", file!);
    writeFileSync(mark, "kept");
    expect(Buffer.from((await get("/api/episodes/reach/episode-000001/sheet.png")).body).toString()).toBe(
      "kept",
    );
    const set = await EpisodeSet.open(join(recordings, "reach"));
    await set.label(1, { outcome: "failure", note: "" }, { atNs: asEpochNs(5n), by: "test" });
    const again = await get("/api/episodes/reach/episode-000001/sheet.png");
    expect(again.body.length).toBeGreaterThan(1000);
    expect(kept().length).toBe(2);
    await part.close!();
  });

  it("gives nothing for a path that leads elsewhere, and says why there is no sheet", async () => {
    const { part, get } = started();
    writeFileSync(join(folder, "sheet.png"), "secret");
    for (const path of [
      "/api/episodes/../../sheet.png",
      "/api/episodes/reach/../../../sheet.png",
      "/api/episodes/../reach/episode-000001/sheet.png",
      "/api/episodes/reach/episode-000001/../../../../sheet.png",
      "/api/episodes/reach/episode-000001.active/sheet.png",
      "/api/episodes/reach/%2e%2e/sheet.png",
      "/api/episodes/reach/episode-000001/sheet.png/../x",
      "/api/episodes//etc/episode-000001/sheet.png",
      "/api/episodes/reach\0/episode-000001/sheet.png",
      "/api/episodes/REACH/episode-000001/sheet.png",
      "/api/episodes/reach/episode-000009/sheet.png",
      "/api/episodes/nowhere/episode-000001/sheet.png",
    ]) {
      const { status, body } = await get(path);
      expect(status, path).toBe(404);
      expect(String(body), path).not.toContain("secret");
    }
    expect(await get("/api/episodes/blind/episode-000001/sheet.png")).toMatchObject({
      status: 404,
      body: expect.stringContaining("has no images"),
    });
    await part.close!();
  });

  it("lists bundles, those that cannot be used with the reason, and marks the one that is loaded", async () => {
    const { part, fromMain } = started();
    const answer = await part.requests!.listBundles!({ do: "listBundles" }, client);
    const list = BundleList.parse((answer as { data: unknown }).data).bundles;
    const broken = list.find(({ name }) => name === "broken");
    const good = list.find(({ rateHz }) => rateHz > 0)!;
    expect(list.length).toBe(1 + readdirSync("policies/bundles").length);
    expect(broken!.note).toContain("policy.json does not fit its schema");
    expect(good).toMatchObject({ loaded: false });
    expect(["fp32", "int8"]).toContain(good.precision);
    fromMain({
      kind: "state",
      policy: {
        phase: "ready",
        policy: good.name,
        task: "",
        failure: null,
        commands: 0,
        refusals: {},
        partsMs: {},
        steering: null,
      },
      recorder: null,
      activity: "",
      cameras: {},
    });
    const again = await part.requests!.listBundles!({ do: "listBundles" }, client);
    const loaded = BundleList.parse((again as { data: unknown }).data).bundles.filter((one) => one.loaded);
    expect(loaded.map(({ name }) => name)).toEqual([good.name]);
    await part.close!();
  });

  it("tells the cell and how it is reached, and refuses episodes where none are recorded", async () => {
    const { part } = started({ episodesFolder: null });
    const cell = await part.requests!.cell!({ do: "cell" }, client);
    expect(CellPage.parse((cell as { data: unknown }).data)).toMatchObject({
      yaml: "name: test\n",
      addresses: ["http://localhost:8443"],
    });
    expect(await part.requests!.listEpisodes!({ do: "listEpisodes" }, client)).toMatchObject({
      ok: false,
      code: "NOT_RUNNING",
    });
    await part.close!();
  });

  it("lists a folder that nothing has been recorded into yet", async () => {
    const { part } = started({ episodesFolder: join(folder, "not-yet") });
    const answer = await part.requests!.listEpisodes!({ do: "listEpisodes" }, client);
    expect(EpisodeList.parse((answer as { data: unknown }).data)).toMatchObject({ tasks: [], episodes: [] });
    await part.close!();
  });

  it("reads an episode's records again when its file has changed", async () => {
    const set = join(folder, "changed", "swap");
    const options = { seconds: 0.3, cameras: [], task: "swap", number: 1 };
    await writeTestEpisode(set, { ...options, outcome: "success" });
    const other = join(folder, "other", "swap");
    await writeTestEpisode(other, { ...options, outcome: "failure", seconds: 0.4 });
    const { part } = started({ episodesFolder: join(folder, "changed") });
    const outcome = async () => {
      const answer = await part.requests!.listEpisodes!({ do: "listEpisodes" }, client);
      return EpisodeList.parse((answer as { data: unknown }).data).episodes[0]!.outcome;
    };
    expect(await outcome()).toBe("success");
    const file = join("episode-000001", "episode-000001.mcap");
    copyFileSync(join(other, file), join(set, file));
    utimesSync(join(set, file), 5, 5);
    expect(await outcome()).toBe("failure");
    await part.close!();
  });
});

describe("the library's thread", () => {
  const setup = { episodesFolder: null, bundleFolders: [], sheetsFolder: "/nowhere" };

  it("starts when it is asked, ends when nobody asks for a minute, and starts again", async () => {
    const clock = new SimClock();
    let starts = 0;
    const thread = new LibraryThread(clock, () => {
      starts++;
      return libraryHere(setup);
    });
    expect(thread.isRunning).toBe(false);
    await thread.ask({ ask: "bundles" });
    await thread.ask({ ask: "bundles" });
    await clock.advance(59_000);
    expect([starts, thread.isRunning]).toEqual([1, true]);
    await clock.advance(2000);
    expect(thread.isRunning).toBe(false);
    await thread.ask({ ask: "bundles" });
    expect(starts).toBe(2);
    await thread.close();
  });

  it("tells whoever waits that it has failed, and answers the next question", async () => {
    const exits: (() => void)[] = [];
    const dead: LibraryWorker = {
      postMessage: () => queueMicrotask(() => exits[0]!()),
      on: () => {},
      once: (_, listener) => exits.push(listener),
      terminate: () => Promise.resolve(),
    };
    let starts = 0;
    const thread = new LibraryThread(new SimClock(), () => (starts++ === 0 ? dead : libraryHere(setup)));
    await expect(thread.ask({ ask: "bundles" })).rejects.toMatchObject({ code: "NOT_RUNNING" });
    expect(await thread.ask({ ask: "bundles" })).toEqual({ kind: "bundles", bundles: [] });
    await thread.close();
  });

  it("ends one that hangs in a disk, so that the next question is answered", async () => {
    let terminated = 0;
    const hung: LibraryWorker = {
      postMessage: () => {},
      on: () => {},
      once: () => {},
      terminate: () => Promise.resolve(terminated++),
    };
    let starts = 0;
    const clock = new SimClock();
    const thread = new LibraryThread(clock, () => (starts++ === 0 ? hung : libraryHere(setup)));
    const asked = ["one", "another"].map(() =>
      thread.ask({ ask: "bundles" }).catch((thrown) => `${thrown.code} ${thrown.remedy}`),
    );
    await clock.advance(61_000);
    expect(await Promise.all(asked)).toEqual([expect.stringMatching(/TIMED_OUT/), expect.any(String)]);
    expect(terminated).toBe(1);
    expect(await thread.ask({ ask: "bundles" })).toEqual({ kind: "bundles", bundles: [] });
    await thread.close();
  });

  it("starts no more once it is closed", async () => {
    let starts = 0;
    const thread = new LibraryThread(new SimClock(), () => {
      starts++;
      return libraryHere(setup);
    });
    await thread.close();
    await expect(thread.ask({ ask: "bundles" })).rejects.toMatchObject({ code: "NOT_RUNNING" });
    expect(starts).toBe(0);
  });

  it("takes no more than sixteen questions at once", async () => {
    const deaf: LibraryWorker = {
      postMessage: () => {},
      on: () => {},
      once: () => {},
      terminate: () => Promise.resolve(),
    };
    const clock = new SimClock();
    const thread = new LibraryThread(clock, () => deaf);
    const asked = Array.from({ length: 17 }, () =>
      thread.ask({ ask: "bundles" }).catch((thrown) => thrown.code),
    );
    expect(await asked[16]).toBe("COMMAND_REFUSED");
    await thread.close();
    expect(new Set(await Promise.all(asked.slice(0, 16)))).toEqual(new Set(["NOT_RUNNING"]));
  });
});
