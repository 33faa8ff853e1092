/**
 * How a page becomes a paired device: a code in the address (`#pair=CODE`), read once and taken out of it, is changed
 * for a token at `POST /api/pair`, and the token is kept until the gateway refuses it. Shared by both pages.
 */
import { PairAnswer } from "../../core/gateway/library.js";
import type { Role } from "../../core/gateway/requests.js";
import type { Refusal } from "../../core/gateway/server.js";
import { DeviceName } from "../../core/teleop/pose.js";

/** What is used of `localStorage`. */
export interface PageStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** What is used of the address bar. */
export interface PageAddress {
  /** For instance "https://robot.local:8443". */
  readonly origin: string;
  /** With its "#", or empty. */
  readonly hash: string;
  /** Takes the hash out of the address and out of the history, so that a used code is not kept. */
  clearHash(): void;
}

/** Posts JSON and gives the answer's text, whatever its status. @throws when nobody answers */
export type PostJson = (url: string, body: string) => Promise<string>;

export interface Paired {
  readonly token: string;
  /** Name under which the gateway knows this device. */
  readonly device: string;
  readonly role: Role;
}

export type Pairing =
  | ({ readonly kind: "paired" } & Paired)
  /** No code in the address and no token kept. */
  | { readonly kind: "unpaired" }
  /** The code was not taken; a token that was kept before is still kept. */
  | { readonly kind: "refused"; readonly refusal: Refusal };

export interface PairingOptions {
  readonly address: PageAddress;
  readonly storage: PageStorage;
  readonly post: PostJson;
  /** Proposed to the gateway, e.g. "quest3-4f2a"; see `proposeDeviceName`. */
  readonly deviceName: string;
}

const STORAGE_KEY = "cerebellum.pairing";
const PAIR_PATH = "/api/pair";
const CODE = /^[A-Za-z0-9]{4,64}$/;

/** The code in an address's hash, without spaces and hyphens that people put in; undefined when there is none. */
export function codeInHash(hash: string): string | undefined {
  const code = new URLSearchParams(hash.replace(/^#/, "")).get("pair")?.replace(/[\s-]/g, "");
  return code !== undefined && CODE.test(code) ? code : undefined;
}

/** Call once when the page loads. A fresh code goes before a token that is kept. Never throws. */
export async function openPairing(options: PairingOptions): Promise<Pairing> {
  const code = codeInHash(options.address.hash);
  if (options.address.hash.includes("pair=")) options.address.clearHash();
  if (code !== undefined) return pairWithCode(code, options);
  const kept = readPaired(options.storage);
  return kept === undefined ? { kind: "unpaired" } : { kind: "paired", ...kept };
}

/** Also for a code that a person typed. Never throws; keeps the token when the gateway gives one. */
export async function pairWithCode(
  code: string,
  { address, storage, post, deviceName }: PairingOptions,
): Promise<Pairing> {
  let text: string;
  try {
    const body = JSON.stringify({ code: code.replace(/[\s-]/g, ""), name: deviceName });
    text = await post(`${address.origin}${PAIR_PATH}`, body);
  } catch {
    return { kind: "refused", refusal: NOBODY_ANSWERS };
  }
  const answer = parseAnswer(text);
  if (answer === undefined) return { kind: "refused", refusal: STRANGE_ANSWER };
  if (!answer.ok) {
    const { code: why, happened, remedy } = answer;
    return { kind: "refused", refusal: { code: why, happened, remedy } };
  }
  const { token, device, role } = answer;
  keep(storage, { token, device, role });
  return { kind: "paired", token, device, role };
}

/** Undefined when nothing, or nothing usable, is kept. */
export function readPaired(storage: PageStorage): Paired | undefined {
  try {
    const answer = PairAnswer.safeParse({ ok: true, ...JSON.parse(storage.getItem(STORAGE_KEY) ?? "null") });
    if (!answer.success || !answer.data.ok) return undefined;
    const { token, device, role } = answer.data;
    return { token, device, role };
  } catch {
    return undefined;
  }
}

/** After the gateway has refused the token (NOT_AUTHORISED), or when a person wants this device forgotten. */
export function forgetPaired(storage: PageStorage): void {
  try {
    storage.removeItem(STORAGE_KEY);
  } catch {
    // A browser that keeps nothing has nothing to forget.
  }
}

/** What to show a person in words, by the browser's own description of itself; the gateway may add to it. */
const KINDS: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/Quest 3S/i, "quest3s"],
  [/Quest 3/i, "quest3"],
  [/Quest 2/i, "quest2"],
  [/Quest Pro/i, "questpro"],
  [/OculusBrowser|Quest/i, "quest"],
  [/Pico/i, "pico"],
  [/iPad/i, "ipad"],
  [/iPhone/i, "iphone"],
  [/Android/i, "android"],
  [/Firefox/i, "firefox"],
  [/Edg\//i, "edge"],
  [/Chrome/i, "chrome"],
  [/Safari/i, "safari"],
];

/** @param mark a few lower case letters and digits that tell two devices of a kind apart */
export function proposeDeviceName(userAgent: string, mark: string): string {
  const kind = KINDS.find(([pattern]) => pattern.test(userAgent))?.[1] ?? "browser";
  return DeviceName.parse(`${kind}-${mark}`);
}

function keep(storage: PageStorage, paired: Paired): void {
  try {
    storage.setItem(STORAGE_KEY, JSON.stringify(paired));
  } catch {
    // A private window may keep nothing: the device is paired until the page is left.
  }
}

function parseAnswer(text: string): PairAnswer | undefined {
  try {
    const parsed = PairAnswer.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

const NOBODY_ANSWERS: Refusal = {
  code: "LINK_CLOSED",
  happened: "The robot's computer did not answer",
  remedy: "Check that it runs and that this device is in the same network, then load the page again",
};
const STRANGE_ANSWER: Refusal = {
  code: "MESSAGE_INVALID",
  happened: "The robot's computer answered something that this page does not understand",
  remedy: "Reload the page; after an update of the software it may be an old one",
};
