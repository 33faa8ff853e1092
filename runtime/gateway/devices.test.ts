import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SimClock } from "../../core/simClock.js";
import { CODE_MS_MAX, DeviceStore, WRONG_TRIES_PER_MINUTE } from "./devices.js";

let folder: string;
let clock: SimClock;
let said: string[];
let stores: DeviceStore[];
const open = () => {
  const store = new DeviceStore({
    folder,
    clock,
    tokenDaysMax: 30,
    random: randomBytes,
    log: (_level, event) => said.push(event),
  });
  store.open();
  stores.push(store);
  return store;
};
const reopened = async (store: DeviceStore) => {
  await store.written();
  return open();
};
const paired = (store: DeviceStore, role: "observer" | "operator" = "operator", name = "quest3") => {
  const answer = store.pair(store.createCode(role).code, name);
  if (!answer.ok) throw new Error(answer.happened);
  return answer;
};
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), "cerebellum-devices-")), "state");
  clock = new SimClock();
  said = [];
  stores = [];
});
afterEach(async () => {
  // Whoever authenticates is noted on the disk a moment later: a folder that is being written to cannot be removed.
  await Promise.all(stores.map((store) => store.written()));
  rmSync(join(folder, ".."), { recursive: true, force: true });
});

describe("paired devices", () => {
  it("exchange a code for a token once; the file has neither", async () => {
    const store = open();
    const { code } = store.createCode("operator");
    expect(code).toMatch(/^[A-HJKMNP-Z2-9]{8}$/);
    const answer = store.pair(code.toLowerCase().replace(/^(.{4})/, "$1-"), "My Quest 3!");
    expect(answer).toMatchObject({ ok: true, device: "my-quest-3-", role: "operator" });
    expect(store.pair(code, "again")).toMatchObject({ ok: false, code: "NOT_AUTHORISED" });
    const token = answer.ok ? answer.token : "";
    expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/);
    await store.written();
    const text = readFileSync(join(folder, "devices.json"), "utf8");
    expect(text).not.toContain(token);
    expect(text).not.toContain(code);
    expect(statSync(join(folder, "devices.json")).mode & 0o777).toBe(0o600);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  it("stay paired over a restart, with their role", async () => {
    const store = open();
    const { token, device } = paired(store, "observer");
    expect((await reopened(store)).authenticate(token)).toEqual({ device, role: "observer" });
  });

  it("have names that differ", () => {
    const store = open();
    expect([1, 2, 3].map(() => paired(store).device)).toEqual(["quest3", "quest3-2", "quest3-3"]);
    expect(paired(store, "operator", "日本").device).toBe("device");
  });

  it.each(["", "x", "\u0000", "a".repeat(200)])("do not get in with the token %j", (token) => {
    const store = open();
    paired(store);
    expect(store.authenticate(token)).toBeUndefined();
  });

  it("lose their token when it is too old, also over a restart", async () => {
    const store = open();
    const { token, device } = paired(store);
    clock.stepEpoch(29.9 * 86_400_000);
    expect(store.authenticate(token)).toBeDefined();
    expect(store.isPaired(device)).toBe(true);
    clock.stepEpoch(0.2 * 86_400_000);
    expect(store.authenticate(token)).toBeUndefined();
    expect(store.isPaired(device)).toBe(false);
    expect((await reopened(store)).authenticate(token)).toBeUndefined();
    expect(store.list()).toEqual([]);
  });

  it("lose their token when they are revoked, and only they", async () => {
    const store = open();
    const [first, second] = [paired(store), paired(store)];
    expect(store.revoke(first.device)).toBe(true);
    expect(store.revoke(first.device)).toBe(false);
    expect(store.authenticate(first.token)).toBeUndefined();
    const again = await reopened(store);
    expect(again.authenticate(first.token)).toBeUndefined();
    expect(again.authenticate(second.token)).toBeDefined();
  });

  it("cannot use a code after five minutes, nor one that eight newer ones have pushed out", async () => {
    const store = open();
    const { code } = store.createCode("operator");
    await clock.advance(CODE_MS_MAX - 1);
    const late = store.createCode("operator").code;
    await clock.advance(2);
    expect(store.pair(code, "late").ok).toBe(false);
    for (let more = 0; more < 8; more++) store.createCode("operator");
    expect(store.pair(late, "pushed out").ok).toBe(false);
  });

  it("are guessed in vain: a few wrong codes lock every code for a minute", async () => {
    const store = open();
    const { code } = store.createCode("operator");
    for (let wrong = 0; wrong < WRONG_TRIES_PER_MINUTE; wrong++)
      expect(store.pair("AAAAAAAA", "guesser")).toMatchObject({
        happened: expect.stringMatching(/wrong, used/),
      });
    expect(store.pair("AAAAAAAA", "guesser")).toMatchObject({ happened: expect.stringMatching(/Too many/) });
    expect(store.pair(code, "guesser").ok).toBe(false);
    await clock.advance(59_000);
    expect(store.pair(code, "guesser").ok).toBe(false);
    await clock.advance(1_001);
    expect(store.pair(code, "owner").ok).toBe(true);
  });

  it("are tried at most a few times a minute, whatever the guesser does", async () => {
    const store = open();
    let looked = 0;
    for (let second = 0; second < 3600; second++) {
      for (let guess = 0; guess < 20; guess++) {
        const answer = store.pair("BBBBBBBB", "guesser");
        if (!answer.ok && /wrong, used/.test(answer.happened)) looked++;
      }
      await clock.advance(1000);
    }
    expect(looked).toBeLessThanOrEqual(60 * WRONG_TRIES_PER_MINUTE + WRONG_TRIES_PER_MINUTE);
    expect(looked).toBeGreaterThan(60);
  });

  it("do not fill the log with what a guesser tries", () => {
    const store = open();
    for (let guess = 0; guess < 1000; guess++) store.pair("CCCCCCCC", "guesser");
    expect(said.length).toBeGreaterThan(3);
    expect(said.length).toBeLessThan(40);
  });

  it("that are too old make room for others: nobody could see them, nor revoke them", () => {
    const store = open();
    for (let count = 0; count < 200; count++) paired(store);
    expect(store.pair(store.createCode("operator").code, "one more")).toMatchObject({
      ok: false,
      happened: expect.stringMatching(/200 devices/),
    });
    clock.stepEpoch(31 * 86_400_000);
    expect(store.list()).toEqual([]);
    const { token } = paired(store);
    expect(store.authenticate(token)).toBeDefined();
  });

  it("can still be paired where the folder cannot be made, and that is said", async () => {
    writeFileSync(folder, "a file in the folder's place");
    const store = open();
    const { token } = paired(store);
    expect(store.authenticate(token)).toBeDefined();
    await store.written();
    expect(said).toContain("devicesUnreadable");
    expect(said).toContain("devicesUnwritten");
  });

  it.each(["", "{", "{}", '{"schema":"cerebellum/devices@1","devices":[{"device":"a"}]}'])(
    "must pair again when their file is %j; it is put aside",
    async (text) => {
      const first = open();
      const { token } = paired(first);
      await first.written();
      writeFileSync(join(folder, "devices.json"), text);
      const store = open();
      expect(store.authenticate(token)).toBeUndefined();
      expect(said).toContain("devicesUnreadable");
      expect(readdirSync(folder)).toContain("devices.json.unreadable");
      const again = paired(store);
      expect((await reopened(store)).authenticate(again.token)).toBeDefined();
    },
  );

  it("are not kept out by an unreadable file that cannot be put aside", async () => {
    const first = open();
    paired(first);
    await first.written();
    writeFileSync(join(folder, "devices.json"), "{");
    mkdirSync(join(folder, "devices.json.unreadable", "in the way"), { recursive: true });
    const store = open();
    expect(said).toContain("devicesUnreadable");
    const { token } = paired(store);
    expect((await reopened(store)).authenticate(token)).toBeDefined();
  });

  it("keep their connection when the disk does not take what is new", async () => {
    const store = open();
    rmSync(folder, { recursive: true });
    const { token } = paired(store);
    expect(store.authenticate(token)).toBeDefined();
    await store.written();
    expect(said).toContain("devicesUnwritten");
  });
});
