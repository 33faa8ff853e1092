import { X509Certificate } from "node:crypto";
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { nsToMs } from "../../core/clock.js";
import { SimClock } from "../../core/simClock.js";
import { type Names, ownNames } from "./addresses.js";
import { CertificateKeeper, VALID_DAYS } from "./certificate.js";
import { time } from "./der.js";

const DAY_MS = 86_400_000;
const NAMES: Names = {
  hostnames: ["localhost", "robot", "robot.local", "arm.lab.example.org"],
  addresses: ["127.0.0.1", "::1", "192.168.1.20", "2001:db8::7:0:9", "::ffff:10.0.0.1"],
};

let folder: string;
let clock: SimClock;
let said: string[];
const keeper = () =>
  new CertificateKeeper({
    folder,
    clock,
    random: (bytes) => new Uint8Array(bytes).fill(0xff),
    log: (_level, event, text) => said.push(`${event}: ${text}`),
  });
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cerebellum-certificate-"));
  clock = new SimClock(1_000_000_000n, 1_795_000_000_000_000_000n);
  said = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("certificate", () => {
  it("is what Node's own parser reads: names, dates, use, and signed by its own key", () => {
    const made = keeper().current(NAMES);
    const parsed = new X509Certificate(made.certificate);
    for (const name of NAMES.hostnames) expect(parsed.checkHost(name)).toBe(name);
    for (const address of NAMES.addresses) expect(parsed.checkIP(address)).toBe(address);
    expect(parsed.checkHost("robot.example.org")).toBeUndefined();
    expect(parsed.checkIP("192.168.1.21")).toBeUndefined();
    expect(parsed.verify(parsed.publicKey)).toBe(true);
    expect(parsed.ca).toBe(false);
    expect(parsed.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
    expect(parsed.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: "prime256v1" });
    const nowMs = nsToMs(clock.epochNs());
    expect(Date.parse(parsed.validTo) - nowMs).toBe(VALID_DAYS * DAY_MS);
    expect(Date.parse(parsed.validFrom)).toBe(nowMs - DAY_MS);
    expect(made.fingerprint).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
  });

  it("has dates that can be read on a computer whose clock has begun at zero", () => {
    clock = new SimClock(1_000_000_000n, 5_000_000_000n);
    const made = keeper().current(NAMES);
    const parsed = new X509Certificate(made.certificate);
    expect(Date.parse(parsed.validFrom)).toBeLessThanOrEqual(5000);
    expect(keeper().current(NAMES).fingerprint).toBe(made.fingerprint);
    clock.stepEpoch(20_000 * DAY_MS);
    expect(keeper().current(NAMES).fingerprint).not.toBe(made.fingerprint);
  });

  it("is kept, with a key that nobody else may read", () => {
    const first = keeper().current(NAMES);
    expect(statSync(join(folder, "gateway.key.pem")).mode & 0o777).toBe(0o600);
    chmodSync(join(folder, "gateway.key.pem"), 0o644);
    said = [];
    expect(keeper().current(NAMES).fingerprint).toBe(first.fingerprint);
    expect(statSync(join(folder, "gateway.key.pem")).mode & 0o777).toBe(0o600);
    expect(said).toEqual([]);
  });

  it.each([
    ["390 days later, a week before its end", 390 * DAY_MS, /expires on/],
    ["after its end", 400 * DAY_MS, /has expired/],
    ["before its beginning: the clock was wrong", -3 * DAY_MS, /not valid before/],
  ])("is renewed %s, with the same key", (_when, laterMs, why) => {
    const first = keeper().current(NAMES);
    clock.stepEpoch(389 * DAY_MS);
    expect(keeper().current(NAMES).fingerprint).toBe(first.fingerprint);
    clock.stepEpoch(laterMs - 389 * DAY_MS);
    const next = keeper().current(NAMES);
    expect(next.fingerprint).not.toBe(first.fingerprint);
    expect(next.key).toBe(first.key);
    expect(next.daysLeft(nsToMs(clock.epochNs()))).toBe(VALID_DAYS);
    expect(said.at(-1)).toMatch(why);
  });

  it("is renewed for a new address, and then good for the former one too", () => {
    keeper().current(NAMES);
    const moved = { ...NAMES, addresses: ["127.0.0.1", "::1", "10.1.2.3"] };
    const next = keeper().current(moved);
    expect(said.at(-1)).toMatch(/lacks 10\.1\.2\.3/);
    const back = keeper().current({ ...NAMES, addresses: ["127.0.0.1", "192.168.1.20"] });
    expect(back.fingerprint).toBe(next.fingerprint);
  });

  it("is good for every present address, however many, and so is not made anew each minute", () => {
    keeper().current(NAMES);
    const addresses = Array.from({ length: 40 }, (_, index) => `172.${16 + index}.0.1`);
    const one = keeper();
    const made = one.current({ ...NAMES, addresses: ["127.0.0.1", "::1", ...addresses] });
    const parsed = new X509Certificate(made.certificate);
    for (const address of addresses) expect(parsed.checkIP(address)).toBe(address);
    const again = one.current({ ...NAMES, addresses: ["127.0.0.1", "::1", ...addresses] });
    expect(again.fingerprint).toBe(made.fingerprint);
  });

  it("is not made anew each minute for a configured address that no certificate can have", () => {
    const names = ownNames("127.0.0.1", ["fe80::1%lo", "10.9.8.7"]);
    const one = keeper();
    one.current(names);
    one.current(names);
    expect(said).toHaveLength(1);
    expect(names.addresses).toEqual(["127.0.0.1", "::1", "10.9.8.7"]);
  });

  it.each([
    ["an unreadable certificate", "gateway.cert.pem", "nonsense"],
    ["an unreadable key", "gateway.key.pem", "nonsense"],
    ["an empty certificate", "gateway.cert.pem", ""],
  ])("replaces %s, and says so", (_what, file, text) => {
    const first = keeper().current(NAMES);
    writeFileSync(join(folder, file), text);
    const next = keeper().current(NAMES);
    expect(next.fingerprint).not.toBe(first.fingerprint);
    expect(said.join("\n")).toMatch(/certificateUnreadable/);
    expect(keeper().current(NAMES).fingerprint).toBe(next.fingerprint);
  });

  it("replaces a certificate of another key", () => {
    keeper().current(NAMES);
    const key = readFileSync(join(folder, "gateway.key.pem"), "utf8");
    rmSync(join(folder, "gateway.key.pem"));
    keeper().current(NAMES);
    writeFileSync(join(folder, "gateway.key.pem"), key);
    expect(keeper().current(NAMES).certificate).toContain("BEGIN CERTIFICATE");
    expect(said.join("\n")).toMatch(/the key is of another certificate/);
  });

  it("still serves where nothing can be written", () => {
    rmSync(folder, { recursive: true });
    writeFileSync(folder, "a file in the folder's place");
    expect(keeper().current(NAMES).certificate).toContain("BEGIN CERTIFICATE");
    expect(said.join("\n")).toMatch(/certificateUnwritten/);
  });
});

describe("times in certificates", () => {
  const text = (iso: string) => time(Date.parse(iso)).subarray(2).toString();
  it.each([
    ["1970-01-01T00:00:00Z", "700101000000Z"],
    ["2000-02-29T23:59:59Z", "000229235959Z"],
    ["2026-11-27T20:48:01Z", "261127204801Z"],
    ["2024-12-31T12:00:00Z", "241231120000Z"],
    ["2049-12-31T23:59:59Z", "491231235959Z"],
    ["2050-01-01T00:00:00Z", "20500101000000Z"],
    ["2100-03-01T00:00:00Z", "21000301000000Z"],
  ])("%s", (iso, expected) => expect(text(iso)).toBe(expected));

  it("follows the calendar on every day for 130 years", () => {
    for (let day = 0; day < 47_500; day++) {
      const iso = new Date(day * DAY_MS).toISOString();
      const expected = iso.slice(0, 10).replaceAll("-", "");
      const found = text(iso).replace(/000000Z$/, "");
      if (!expected.endsWith(found)) expect(`${iso} ${found}`).toBe(expected);
    }
  });
});
