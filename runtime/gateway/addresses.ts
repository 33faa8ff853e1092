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

/** What DNS and certificates can have; a computer may be called otherwise. */
const DNS_NAME = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;
const LOOPBACK = ["127.0.0.1", "::1"];

/**
 * Names that mean this computer, and the addresses at which a gateway on `host` is reached, loopback first.
 *
 * @param host that the gateway listens on
 * @param configured further names or addresses
 */
export function ownNames(host: string, configured: readonly string[]): Names {
  const own = hostname().toLowerCase();
  const short = own.split(".")[0]!;
  const names = ["localhost", own, `${short}.local`, host, ...configured].map((name) => name.toLowerCase());
  const isOther = isIP(host) !== 0 && !isUnspecified(host);
  const reached =
    isLoopback(host) || host === "localhost" ? [] : isOther ? [host] : networkAddresses(host === "::");
  const addresses = [...LOOPBACK, ...reached, ...configured.filter((name) => isIP(name) !== 0)];
  return {
    hostnames: [...new Set(names.filter((name) => isIP(name) === 0 && DNS_NAME.test(name)))],
    // Link-local IPv6 needs a zone, which neither browsers nor certificates have.
    addresses: [...new Set(addresses.filter((address) => !/%|^fe80:/i.test(address)))],
  };
}

const isUnspecified = (host: string): boolean => host === "0.0.0.0" || host === "::";

/** IPv6 addresses change by the day (RFC 8981), and a certificate with them: only where somebody listens on them. */
const networkAddresses = (withIpv6: boolean): string[] =>
  Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ family }) => family === "IPv4" || withIpv6)
    .map(({ address }) => address);

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
  if (!isUnspecified(host)) return [`https://${bracketed(host)}:${port}`];
  const shown = names.addresses.filter((address) => !isLoopback(address)).map(bracketed);
  const mdns = names.hostnames.filter((name) => name.endsWith(".local"));
  return [...[...shown, ...mdns].map((name) => `https://${name}:${port}`), local];
}
