/**
 * Who may look on. On this computer: programs, Foxglove's own pages and pages from this computer, but no other page that
 * a browser happens to show. Everybody else shows a paired device's token in the address, and only an observer's: the
 * connection is not encrypted, and an operator's token would let who overhears it move the robot.
 */
import type { Role } from "../../../core/gateway/requests.js";
import { isLoopback } from "../addresses.js";
import { SUBPROTOCOLS } from "./protocol.js";

export interface Knock {
  /** As in the request, e.g. "/" or "/TOKEN". */
  readonly path: string;
  readonly remoteAddress: string;
  readonly origin: string | undefined;
  readonly host: string | undefined;
  /** Offered by the client. */
  readonly protocols: readonly string[];
}

export type Admission =
  /** With the token that it takes, which may be revoked later. */
  | { readonly ok: true; readonly token?: string }
  | { readonly ok: false; readonly httpStatus: 400 | 401 | 403; readonly why: string };

/** A name that leads elsewhere may have been pointed here. */
const LOOPBACK_HOST = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/i;
const LOCAL_ORIGIN = /^(null|file:\/\/.*|https?:\/\/(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?)$/i;
const FOXGLOVE_ORIGIN = /^https:\/\/([a-z0-9-]+\.)*foxglove\.dev$/i;
const TOKEN_CHARACTERS_MAX = 200;

/** The subprotocol that will be spoken; undefined when none of those that are offered is known. */
export const chooseProtocol = (offered: Iterable<string>): string | undefined =>
  [...offered].find((one) => SUBPROTOCOLS.some((known) => known === one));

/** Whose token stands in an address. */
export const mayLook = (device: { readonly role: Role } | undefined): boolean => device?.role === "observer";

export function admit(
  { path, remoteAddress, origin, host, protocols }: Knock,
  authenticate: (token: string) => { readonly role: Role } | undefined,
): Admission {
  if (chooseProtocol(protocols) === undefined)
    return refused(400, `Offer one of the subprotocols ${SUBPROTOCOLS.join(", ")}`);
  const token = path.replace(/^\//, "").replace(/[?#].*$/, "");
  if (token !== "") {
    const device = token.length > TOKEN_CHARACTERS_MAX ? undefined : authenticate(token);
    if (device === undefined)
      return refused(401, "The token in the address is not known, or has expired. Pair again");
    if (!mayLook(device))
      return refused(403, "This door is not encrypted: use a token of `./cerebellum pair --role observer`");
    return { ok: true, token };
  }
  if (!isLoopback(remoteAddress))
    return refused(
      401,
      "From another computer, the address ends with an observer's token: ws://HOST:PORT/TOKEN",
    );
  if (host === undefined || !LOOPBACK_HOST.test(host))
    return refused(403, "Connect to localhost, or put an observer's token into the address");
  if (origin !== undefined && !LOCAL_ORIGIN.test(origin) && !FOXGLOVE_ORIGIN.test(origin))
    return refused(403, `Pages of ${origin.slice(0, 100)} may not look on without an observer's token`);
  return { ok: true };
}

const refused = (httpStatus: 400 | 401 | 403, why: string): Admission => ({ ok: false, httpStatus, why });
