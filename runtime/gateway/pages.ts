/** The built pages, as files: which file an address means, and the headers that every answer of the gateway carries. */
import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { extname, join } from "node:path";

export interface Page {
  readonly status: 200 | 304 | 404 | 503;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | string;
}

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".webmanifest": "application/manifest+json",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
  ".ttf": "font/ttf",
  ".wasm": "application/wasm",
  ".txt": "text/plain; charset=utf-8",
};
/** No dot in front: neither hidden files nor the folder above. */
const SEGMENT = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/;
/** Vite names these after their content. */
const ASSETS = "/assets/";
const FOREVER = "public, max-age=31536000, immutable";

/**
 * Scripts only of our own; connections only to where the page came from. Styles may be inline: the plots set their
 * sizes so.
 * @param host the checked `Host` header
 */
export const securityHeaders = (host: string): Record<string, string> => ({
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    // Not every browser takes 'self' to mean WebSockets too.
    `connect-src 'self' ws://${host} wss://${host}`,
    "worker-src 'self' blob:",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; "),
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy":
    "xr-spatial-tracking=(self), gamepad=(self), hid=(self), fullscreen=(self), camera=(), microphone=(), geolocation=()",
});

/**
 * @param folder of the built pages
 * @param path of the request, decoded, without the query
 * @param knownTag the browser's `If-None-Match`
 */
export async function readPage(folder: string, path: string, knownTag: string | undefined): Promise<Page> {
  const segments = path.split("/").slice(1);
  const isFolder = segments.at(-1) === "";
  if (isFolder) segments[segments.length - 1] = "index.html";
  if (!segments.every((segment) => SEGMENT.test(segment))) return missing(path);
  const file = join(folder, ...segments);
  const type = TYPES[extname(file)];
  if (type === undefined) return missing(path);
  let body: Uint8Array;
  try {
    if (!(await stat(file)).isFile()) return missing(path);
    body = await readFile(file);
  } catch {
    return path === "/" ? notBuilt() : missing(path);
  }
  const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
  const headers = {
    "content-type": type,
    "cache-control": path.startsWith(ASSETS) ? FOREVER : "no-cache",
    etag,
  };
  return knownTag === etag ? { status: 304, headers, body: "" } : { status: 200, headers, body };
}

const PLAIN = { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" } as const;
const missing = (path: string): Page => ({
  status: 404,
  headers: PLAIN,
  body: `There is no ${path.slice(0, 100)} here; the console is at / and the headset's page at /xr/\n`,
});
const notBuilt = (): Page => ({
  status: 503,
  headers: PLAIN,
  body: "The pages are not built on this computer: run ./cerebellum once, it builds them\n",
});
