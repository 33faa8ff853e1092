/**
 * The gateway's own certificate: made here, kept in the cell's state folder, replaced before it expires or when this
 * computer is reached under a name that it lacks. Browsers cannot know who signed it; its fingerprint is what a person
 * compares.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, X509Certificate } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { isIP, SocketAddress } from "node:net";
import { join } from "node:path";
import { type Clock, nsToMs } from "../../core/clock.js";
import { errorText } from "../../core/errors.js";
import type { Names } from "./addresses.js";
import {
  bitString,
  integer,
  isTrue,
  objectIdentifier,
  octetString,
  sequence,
  set,
  tagged,
  time,
  utf8String,
} from "./der.js";
import type { PartContext } from "./part.js";
import type { TlsIdentity } from "./server.js";

export interface Certificate extends TlsIdentity {
  /** SHA-256 of the certificate, as browsers show it: "AB:CD:...". */
  readonly fingerprint: string;
  daysLeft(epochMs: number): number;
}

/** In the cell's state folder. */
export const CERTIFICATE_FILE = "gateway.cert.pem";
const MS_PER_DAY = 86_400_000;
/** Apple's and some Android browsers refuse certificates of more days than this. */
export const VALID_DAYS = 397;
export const RENEW_DAYS = 7;
/** A clock of another computer may be behind. */
const BACKDATED_MS = MS_PER_DAY;

/** Former ones are left out above this, never present ones: a certificate that lacks one is made anew each minute. */
const ADDRESSES_MAX = 32;

const OIDS = {
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  commonName: "2.5.4.3",
  organisation: "2.5.4.10",
  basicConstraints: "2.5.29.19",
  keyUsage: "2.5.29.15",
  extendedKeyUsage: "2.5.29.37",
  serverAuthentication: "1.3.6.1.5.5.7.3.1",
  subjectAlternativeName: "2.5.29.17",
} as const;
/** GeneralName of RFC 5280 4.2.1.6. */
const DNS_NAME = 0x82;
const IP_ADDRESS = 0x87;
const EXPLICIT_VERSION = 0xa0;
const EXPLICIT_EXTENSIONS = 0xa3;

export interface KeeperOptions {
  readonly folder: string;
  readonly clock: Clock;
  readonly random: (bytes: number) => Uint8Array;
  readonly log: PartContext["log"];
}

export class CertificateKeeper {
  readonly #options: KeeperOptions;
  readonly #keyPath: string;
  readonly #certificatePath: string;
  /** Read or made once: whoever looks again each minute does not wait for the disk. */
  #kept: { readonly key: string; readonly certificate: string } | undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#keyPath = join(options.folder, "gateway.key.pem");
    this.#certificatePath = join(options.folder, CERTIFICATE_FILE);
  }

  /** The one that is kept, or a new one when that is of no use any more, which is said. */
  current(names: Names): Certificate {
    const { log, clock } = this.#options;
    const nowMs = nsToMs(clock.epochNs());
    this.#kept ??= this.#read();
    const kept = this.#kept;
    const whyNot = kept === undefined ? "there is none" : whyReplace(kept, names, nowMs);
    if (kept !== undefined && whyNot === undefined) return describe(kept.key, kept.certificate);
    // The key stays where it can: only a person's trust in this one certificate is lost then.
    const key = kept?.key ?? newKey();
    const certificate = makeCertificate({
      key,
      // Networks come back: an address that was left is no reason for the next certificate.
      names: kept === undefined ? names : withFormer(names, kept.certificate),
      nowMs,
      serial: this.#options.random(16),
    });
    this.#kept = { key, certificate };
    this.#write(key, certificate);
    const made = describe(key, certificate);
    log(
      kept === undefined ? "info" : "warn",
      "certificateMade",
      `a new certificate, because ${whyNot}; browsers ask once more. SHA-256 ${made.fingerprint}`,
    );
    return made;
  }

  #read(): { key: string; certificate: string } | undefined {
    try {
      const key = readFileSync(this.#keyPath, "utf8");
      const certificate = readFileSync(this.#certificatePath, "utf8");
      const parsed = new X509Certificate(certificate);
      if (!parsed.checkPrivateKey(createPrivateKey(key)))
        throw new Error("the key is of another certificate");
      chmodSync(this.#keyPath, 0o600);
      return { key, certificate };
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== "ENOENT")
        this.#options.log(
          "warn",
          "certificateUnreadable",
          `${this.#certificatePath} is of no use: ${errorText(thrown, 200)}`,
        );
      return undefined;
    }
  }

  /** Where nothing can be kept the certificate still serves, until the next start makes another. */
  #write(key: string, certificate: string): void {
    try {
      mkdirSync(this.#options.folder, { recursive: true, mode: 0o700 });
      for (const [path, text] of [
        [this.#keyPath, key],
        [this.#certificatePath, certificate],
      ] as const) {
        writeFileSync(`${path}.new`, text, { mode: 0o600 });
        renameSync(`${path}.new`, path);
      }
    } catch (thrown) {
      this.#options.log("error", "certificateUnwritten", errorText(thrown));
    }
  }
}

function whyReplace(
  { certificate }: { certificate: string },
  names: Names,
  nowMs: number,
): string | undefined {
  const parsed = new X509Certificate(certificate);
  const leftDays = (Date.parse(parsed.validTo) - nowMs) / MS_PER_DAY;
  if (leftDays <= 0) return `the former one has expired on ${parsed.validTo}`;
  if (leftDays <= RENEW_DAYS) return `the former one expires on ${parsed.validTo}`;
  if (Date.parse(parsed.validFrom) > nowMs) return `the former one is not valid before ${parsed.validFrom}`;
  const missing = [
    ...names.hostnames.filter((name) => parsed.checkHost(name) === undefined),
    ...names.addresses.filter((address) => parsed.checkIP(address) === undefined),
  ];
  return missing.length === 0 ? undefined : `the former one lacks ${missing.join(", ")}`;
}

function withFormer({ hostnames, addresses }: Names, certificate: string): Names {
  const text = new X509Certificate(certificate).subjectAltName ?? "";
  const former = [...text.matchAll(/IP Address:([0-9.]+)(?:,|$)/g)].map((match) => match[1]!);
  const count = Math.max(ADDRESSES_MAX, addresses.length);
  return { hostnames, addresses: [...new Set([...addresses, ...former])].slice(0, count) };
}

function describe(key: string, certificate: string): Certificate {
  const parsed = new X509Certificate(certificate);
  const endMs = Date.parse(parsed.validTo);
  return {
    key,
    certificate,
    fingerprint: parsed.fingerprint256,
    daysLeft: (epochMs) => Math.floor((endMs - epochMs) / MS_PER_DAY),
  };
}

const newKey = (): string =>
  generateKeyPairSync("ec", {
    namedCurve: "P-256",
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  }).privateKey;

export interface CertificateDraft {
  /** PEM of an EC key on P-256. */
  readonly key: string;
  readonly names: Names;
  readonly nowMs: number;
  /** 16 random bytes. */
  readonly serial: Uint8Array;
  readonly validDays?: number;
}

/** A certificate of RFC 5280 that has signed itself. @returns PEM */
export function makeCertificate({
  key,
  names,
  nowMs,
  serial,
  validDays = VALID_DAYS,
}: CertificateDraft): string {
  const privateKey = createPrivateKey(key);
  const publicKey = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  const algorithm = sequence(objectIdentifier(OIDS.ecdsaWithSha256));
  const name = sequence(
    set(sequence(objectIdentifier(OIDS.organisation), utf8String("Cerebellum"))),
    set(
      sequence(
        objectIdentifier(OIDS.commonName),
        utf8String((names.hostnames[1] ?? "localhost").slice(0, 64)),
      ),
    ),
  );
  const positive = Uint8Array.from(serial);
  positive[0] = (positive[0]! & 0x7f) | 0x40;
  const toBeSigned = sequence(
    tagged(EXPLICIT_VERSION, integer(Uint8Array.of(2))),
    integer(positive),
    algorithm,
    name,
    sequence(time(Math.max(0, nowMs - BACKDATED_MS)), time(nowMs + validDays * MS_PER_DAY)),
    name,
    publicKey,
    tagged(
      EXPLICIT_EXTENSIONS,
      sequence(
        extension(OIDS.basicConstraints, sequence(), true),
        // digitalSignature, the only use of an EC key in TLS.
        extension(OIDS.keyUsage, bitString(Uint8Array.of(0x80), 7), true),
        extension(OIDS.extendedKeyUsage, sequence(objectIdentifier(OIDS.serverAuthentication))),
        extension(
          OIDS.subjectAlternativeName,
          sequence(
            ...names.hostnames.map((host) => tagged(DNS_NAME, Buffer.from(host, "ascii"))),
            ...names.addresses.map((address) => tagged(IP_ADDRESS, addressBytes(address))),
          ),
        ),
      ),
    ),
  );
  const signature = sign("sha256", toBeSigned, { key: privateKey, dsaEncoding: "der" });
  const der = sequence(toBeSigned, algorithm, bitString(signature));
  const lines = der.toString("base64").match(/.{1,64}/g)!;
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

const extension = (oid: string, value: Uint8Array, isCritical = false): Buffer =>
  sequence(objectIdentifier(oid), ...(isCritical ? [isTrue()] : []), octetString(value));

/** 4 or 16 bytes, network order. */
function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split(".").map(Number));
  // Node writes IPv6 in its shortest form; two halves around the longest run of zeros.
  const { address: plain } = new SocketAddress({ address, family: "ipv6" });
  const mapped = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(plain);
  const hex = (high: string, low: string) => ((Number(high) << 8) | Number(low)).toString(16);
  const text =
    mapped === null ? plain : `${mapped[1]}${hex(mapped[2]!, mapped[3]!)}:${hex(mapped[4]!, mapped[5]!)}`;
  const [front = "", back = ""] = text.split("::");
  const groups = (part: string) => (part === "" ? [] : part.split(":"));
  const [first, last] = [groups(front), groups(back)];
  const zeros = Array.from({ length: 8 - first.length - last.length }, () => "0");
  const bytes = Buffer.alloc(16);
  for (const [index, group] of [...first, ...zeros, ...last].entries())
    bytes.writeUInt16BE(Number.parseInt(group, 16), 2 * index);
  return bytes;
}
