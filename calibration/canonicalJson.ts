/** One text for one value, so that a hash names what a file says and not how it was laid out. */
import { createHash } from "node:crypto";

/** Keys sorted, two spaces, a final line feed: readable in a diff and the same on every computer. */
export const canonicalText = (value: unknown): string => `${JSON.stringify(sorted(value), null, 2)}\n`;

/** SHA-256 in hex. */
export const sha256Of = (bytes: string | Uint8Array): string =>
  createHash("sha256").update(bytes).digest("hex");

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
