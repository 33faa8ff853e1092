/** Under which names and addresses this computer is reached, and whether a request means it. */
import { isIP } from "node:net";
import { hostname, networkInterfaces } from "node:os";

/** How a gateway is reached at present. */
export interface Reached {
  /** Origins, best first, e.g. "https://192.168.1.5:8443". */
  readonly origins: readonly string[];
  /** SHA-256 of the certificate; null where plain HTTP is all there is. */
  readonly fingerprint: string | null;
  readonly certificateDaysLeft: number | null;
}

export interface Names {
  /** Lower case, without a port. */
  readonly hostnames: readonly string[];
  readonly addresses: readonly string[];
}

/** Names that mean this computer, and its addresses on every network, loopback first. */
export function ownNames(configured: readonly string[]): Names {
  const own = hostname().toLowerCase();
  const short = own.split(".")[0]!;
  const hostnames = ["localhost", own, `${short}.local`, ...configured.map((name) => name.toLowerCase())];
  const addresses = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    // Link-local IPv6 needs a zone, which neither browsers nor certificates have.
    .filter(({ address }) => !address.toLowerCase().startsWith("fe80:"))
    .map(({ address }) => address);
  return {
    hostnames: [...new Set(hostnames.filter((name) => isIP(name) === 0))],
    addresses: [
      ...new Set(["127.0.0.1", "::1", ...addresses, ...configured.filter((name) => isIP(name) !== 0)]),
    ],
  };
}

export const isLoopback = (address: string | undefined): boolean =>
  address !== undefined && /^(::ffff:)?127\.|^::1$/.test(address);

/** Name or address of a `Host` header or of an origin's host part, lower case, without port and brackets. */
export function hostPart(host: string): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/i.exec(host);
  return (match?.[1] ?? match?.[2])?.toLowerCase();
}

/**
 * A name that somebody else controls may be made to mean this computer (DNS rebinding); an address cannot.
 * @param host the `Host` header
 */
export function isOwnHost(host: string | undefined, names: Names): boolean {
  const part = host === undefined ? undefined : hostPart(host);
  return part !== undefined && (isIP(part) !== 0 || names.hostnames.includes(part.replace(/\.$/, "")));
}

/** A page may only talk to the gateway that it came from; programs send no origin. */
export function isSameOrigin(origin: string | undefined, host: string, isTls: boolean): boolean {
  if (origin === undefined) return true;
  return origin.toLowerCase() === `${isTls ? "https" : "http"}://${host.toLowerCase()}`;
}

/** @param host that the gateway listens on */
export function originsOf(host: string, port: number, names: Names): string[] {
  const bracketed = (address: string) => (address.includes(":") ? `[${address}]` : address);
  const local = `http://localhost:${port}`;
  if (isLoopback(host) || host === "localhost") return [local];
  const isEverywhere = host === "0.0.0.0" || host === "::";
  const shown = isEverywhere
    ? names.addresses.filter((address) => !isLoopback(address) && (host === "::" || !address.includes(":")))
    : [host];
  const mdns = isEverywhere ? names.hostnames.filter((name) => name.endsWith(".local")) : [];
  return [...[...shown.map(bracketed), ...mdns].map((name) => `https://${name}:${port}`), local];
}
