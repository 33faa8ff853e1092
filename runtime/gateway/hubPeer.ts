/** One connection of the hub, with or without a client: how long it may take for what, and when it must go. */
import { type HubSocket, type SocketClient, UNTAKEN_BYTES_MAX } from "./hubClient.js";
import { RateLimit } from "./rateLimit.js";
import { DISMISSALS, type Dismissal, FLOOD, HELLO_MS_MAX } from "./refusals.js";

/** Connections that have not, in all and from one address. */
const STRANGERS_MAX = 16;
const STRANGERS_PER_ADDRESS_MAX = 6;
/** A peer that is not heard for so long has vanished; it is asked for a sign of life in between. */
const SILENT_MS_MAX = 10_000;
const PING_MS = 2000;
/** How long a peer that was told to go may take for it. */
const GOING_MS_MAX = 1000;

export interface Peer {
  readonly socket: HubSocket;
  readonly address: string;
  readonly flood: RateLimit;
  readonly sinceMs: number;
  heardMs: number;
  pingedMs: number;
  client: SocketClient | undefined;
  /** Device and name of its hello. */
  identity: string;
  /** Set once it was told to go: nothing of it is heard any more. */
  goneMs: number | undefined;
}

export const newPeer = (socket: HubSocket, address: string, nowMs: number): Peer => ({
  socket,
  address,
  flood: new RateLimit(FLOOD.perS, FLOOD.burst),
  sinceMs: nowMs,
  heardMs: nowMs,
  pingedMs: nowMs,
  client: undefined,
  identity: "",
  goneMs: undefined,
});

/** Why one more from this address is too many who have not said who they are. */
export function whyNotAccept(peers: Iterable<Peer>, address: string): Dismissal | undefined {
  const strangers = [...peers].filter(({ client, goneMs }) => client === undefined && goneMs === undefined);
  const fromHere = strangers.filter((other) => other.address === address).length;
  const areMany = strangers.length >= STRANGERS_MAX || fromHere >= STRANGERS_PER_ADDRESS_MAX;
  return areMany ? DISMISSALS.strangers : undefined;
}

/**
 * What is to be done about a peer now: tell it to go, end its connection (it was told before, or a word would not reach
 * it), or ask it for a sign of life.
 */
export function lookAt(
  { client, goneMs, sinceMs, heardMs, pingedMs, socket }: Peer,
  nowMs: number,
  isPaired: (device: string) => boolean,
): { readonly dismissal?: Dismissal; readonly ends?: boolean; readonly pings?: boolean } {
  if (goneMs !== undefined) return { ends: nowMs - goneMs > GOING_MS_MAX };
  if (client === undefined && nowMs - sinceMs > HELLO_MS_MAX) return { dismissal: DISMISSALS.noHello };
  if (client !== undefined && !isPaired(client.device)) return { dismissal: DISMISSALS.badToken };
  if (nowMs - heardMs > SILENT_MS_MAX) return { dismissal: DISMISSALS.silent, ends: true };
  // The refusal would stand behind everything that was not taken.
  if (socket.bufferedBytes > UNTAKEN_BYTES_MAX) return { dismissal: DISMISSALS.slow, ends: true };
  return { pings: nowMs - pingedMs >= PING_MS };
}
