/**
 * Who is paired with this cell: tokens are kept as their SHA-256 only, in a file of this user's; pairing codes only in
 * memory. A token is random and long, so a plain hash keeps it as well as a slow one.
 */
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { type Clock, nsToMs } from "../../core/clock.js";
import { errorText } from "../../core/errors.js";
import { Role } from "../../core/gateway/requests.js";
import type { Refusal } from "../../core/gateway/server.js";
import { limitedLog } from "./limitedLog.js";
import { RateLimit } from "./rateLimit.js";

const DeviceEntry = z.strictObject({
  device: z.string().min(1).max(64),
  role: Role,
  tokenSha256: z.string().regex(/^[0-9a-f]{64}$/),
  pairedEpochMs: z.number(),
  lastSeenEpochMs: z.number().nullable(),
});
type DeviceEntry = z.infer<typeof DeviceEntry>;
const DevicesFile = z.strictObject({
  schema: z.literal("cerebellum/devices@1"),
  devices: z.array(DeviceEntry).max(1000),
});

/** Letters and digits that nobody takes for one another. */
const ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789";
export const CODE_LENGTH = 8;
export const CODE_MS_MAX = 5 * 60_000;
/** Codes that are good at the same time; the oldest goes. */
const CODES_MAX = 8;
/** Of everybody together: 31^8 codes are out of reach at this rate. */
export const WRONG_TRIES_PER_MINUTE = 5;
/** After more than that, every code is refused for so long: a right guess among too many must not count. */
const LOCK_MS = 60_000;
const TOKEN_BYTES = 32;
/** Seconds of use are not worth a write. */
const SEEN_MS = 60_000;
const MS_PER_DAY = 86_400_000;
const DEVICES_MAX = 200;

export interface DeviceStoreOptions {
  readonly folder: string;
  readonly clock: Clock;
  readonly tokenDaysMax: number;
  readonly random: (bytes: number) => Uint8Array;
  readonly log: (level: "info" | "warn" | "error", event: string, text: string) => void;
}

export interface Code {
  readonly code: string;
  readonly role: Role;
  readonly expiresEpochMs: number;
}

export type Paired =
  | { readonly ok: true; readonly token: string; readonly device: string; readonly role: Role }
  | ({ readonly ok: false } & Refusal);

export class DeviceStore {
  readonly #options: DeviceStoreOptions;
  readonly #path: string;
  readonly #wrongTries = new RateLimit(WRONG_TRIES_PER_MINUTE / 60, WRONG_TRIES_PER_MINUTE);
  #devices: DeviceEntry[] = [];
  #written: Promise<void> = Promise.resolve();
  #isWritten = true;
  #lockedUntilMs = Number.NEGATIVE_INFINITY;
  #codes: (Code & { readonly dueMs: number })[] = [];
  readonly #triesLog: DeviceStoreOptions["log"];

  constructor(options: DeviceStoreOptions) {
    this.#options = options;
    this.#triesLog = limitedLog(options.log, options.clock);
    this.#path = join(options.folder, "devices.json");
  }

  /** Reads what was kept. A file that cannot be understood is put aside: whoever was paired pairs again. */
  open(): void {
    const { folder, log } = this.#options;
    let text: string;
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      text = readFileSync(this.#path, "utf8");
      // Whoever could read it could not use it, but whoever could write it could let himself in.
      chmodSync(this.#path, 0o600);
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== "ENOENT")
        log("error", "devicesUnreadable", `${this.#path}: ${errorText(thrown)}; everybody must pair again`);
      return;
    }
    try {
      this.#devices = DevicesFile.parse(JSON.parse(text)).devices;
    } catch (thrown) {
      const fate = this.#putAside() ? "was put aside as .unreadable" : "will be written over";
      log(
        "error",
        "devicesUnreadable",
        `${this.#path} ${fate}, everybody must pair again: ${errorText(thrown, 200)}`,
      );
    }
  }

  #putAside(): boolean {
    try {
      renameSync(this.#path, `${this.#path}.unreadable`);
      return true;
    } catch {
      return false;
    }
  }

  /** Resolves when the disk has what was said so far, or has refused it. */
  written(): Promise<void> {
    return this.#written;
  }

  /** Undefined for a token that is unknown, revoked or too old. */
  authenticate(token: string): { readonly device: string; readonly role: Role } | undefined {
    const digest = sha256(token);
    const entry = this.#devices.find(({ tokenSha256 }) => tokenSha256 === digest);
    if (entry === undefined || this.#isExpired(entry)) return undefined;
    const nowEpochMs = this.#nowEpochMs();
    if (entry.lastSeenEpochMs === null || Math.abs(nowEpochMs - entry.lastSeenEpochMs) > SEEN_MS)
      this.#replace({ ...entry, lastSeenEpochMs: nowEpochMs });
    return { device: entry.device, role: entry.role };
  }

  /** False once its pairing is revoked or too old. */
  isPaired(device: string): boolean {
    return this.#devices.some((entry) => entry.device === device && !this.#isExpired(entry));
  }

  createCode(role: Role): Code {
    const { clock, random } = this.#options;
    const letters: string[] = [];
    while (letters.length < CODE_LENGTH)
      for (const byte of random(2 * CODE_LENGTH)) {
        // Only whole multiples of the alphabet, so that every letter is as likely.
        if (byte < 256 - (256 % ALPHABET.length) && letters.length < CODE_LENGTH)
          letters.push(ALPHABET[byte % ALPHABET.length]!);
      }
    const code = { code: letters.join(""), role, expiresEpochMs: this.#nowEpochMs() + CODE_MS_MAX };
    this.#codes = [...this.#codes, { ...code, dueMs: clock.nowMs() + CODE_MS_MAX }].slice(-CODES_MAX);
    return code;
  }

  /** Exchanges a code for a token; a code is good once. @param name that the device gives itself */
  pair(code: string, name: string): Paired {
    const { clock, random, log } = this.#options;
    const nowMs = clock.nowMs();
    this.#codes = this.#codes.filter(({ dueMs }) => dueMs > nowMs);
    const wanted = code.toUpperCase().replace(/[^A-Z0-9]/g, "");
    const found = this.#codes.find((one) => one.code === wanted);
    if (this.#areTriesSpent(nowMs, found !== undefined)) {
      this.#triesLog(
        "warn",
        "pairingLimited",
        "too many wrong pairing codes; every code is refused for a while",
      );
      return refused(
        "Too many wrong codes were tried",
        "Wait a minute, then make a new code with `./cerebellum pair`",
      );
    }
    if (found === undefined) {
      this.#triesLog("warn", "pairingRefused", "a wrong pairing code was tried");
      return refused(
        "The code is wrong, used or expired",
        "Make a new one with `./cerebellum pair` on the robot's computer; it is good once, for 5 minutes",
      );
    }
    // Only then: a clock that is wrong for a while would otherwise cost pairings that are good again after it.
    if (this.#devices.length >= DEVICES_MAX)
      this.#devices = this.#devices.filter((entry) => !this.#isExpired(entry));
    if (this.#devices.length >= DEVICES_MAX)
      return refused(`${DEVICES_MAX} devices are paired`, "Revoke those that are not used any more");
    this.#codes = this.#codes.filter((one) => one !== found);
    const token = Buffer.from(random(TOKEN_BYTES)).toString("base64url");
    const device = this.#uniqueName(name);
    this.#devices.push({
      device,
      role: found.role,
      tokenSha256: sha256(token),
      pairedEpochMs: this.#nowEpochMs(),
      lastSeenEpochMs: null,
    });
    this.#write();
    log("info", "paired", `${device} is paired as ${found.role}`);
    return { ok: true, token, device, role: found.role };
  }

  list(): readonly Omit<DeviceEntry, "tokenSha256">[] {
    return this.#devices
      .filter((entry) => !this.#isExpired(entry))
      .map(({ tokenSha256: _hash, ...entry }) => entry);
  }

  /** False when there is none of this name. */
  revoke(device: string): boolean {
    const left = this.#devices.filter((entry) => entry.device !== device);
    if (left.length === this.#devices.length) return false;
    this.#devices = left;
    this.#write();
    this.#options.log("info", "revoked", `${device} is not paired any more`);
    return true;
  }

  #areTriesSpent(nowMs: number, isRight: boolean): boolean {
    if (nowMs < this.#lockedUntilMs) return true;
    if (isRight || this.#wrongTries.take(nowMs)) return false;
    this.#lockedUntilMs = nowMs + LOCK_MS;
    return true;
  }

  #isExpired({ pairedEpochMs }: DeviceEntry): boolean {
    return this.#nowEpochMs() - pairedEpochMs > this.#options.tokenDaysMax * MS_PER_DAY;
  }

  #uniqueName(wanted: string): string {
    const name =
      wanted
        .toLowerCase()
        .replace(/[^a-z0-9._-]+/g, "-")
        .replace(/^[^a-z0-9]+/, "")
        .slice(0, 56) || "device";
    const taken = new Set(this.#devices.map(({ device }) => device));
    let unique = name;
    for (let count = 2; taken.has(unique); count++) unique = `${name}-${count}`;
    return unique;
  }

  #replace(entry: DeviceEntry): void {
    this.#devices = this.#devices.map((one) => (one.device === entry.device ? entry : one));
    this.#write();
  }

  /**
   * One write at a time, the newest state last; poses of somebody else do not wait for the disk. One that is full costs
   * what was newly said, never a client that is connected.
   */
  #write(): void {
    this.#isWritten = false;
    this.#written = this.#written.then(async () => {
      if (this.#isWritten) return;
      this.#isWritten = true;
      try {
        const text = JSON.stringify({ schema: "cerebellum/devices@1", devices: this.#devices }, undefined, 2);
        await writeFile(`${this.#path}.new`, `${text}\n`, { mode: 0o600 });
        await rename(`${this.#path}.new`, this.#path);
      } catch (thrown) {
        this.#options.log("error", "devicesUnwritten", `${this.#path}: ${errorText(thrown)}`);
      }
    });
  }

  #nowEpochMs(): number {
    return nsToMs(this.#options.clock.epochNs());
  }
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

const refused = (happened: string, remedy: string): Paired => ({
  ok: false,
  code: "NOT_AUTHORISED",
  happened,
  remedy,
});
