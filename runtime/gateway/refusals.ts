/** Why the hub refuses or ends something, in one table: what clients are told, and how their WebSocket is closed. */
import { CLOSE_CODES } from "../../core/gateway/client.js";
import type { Refusal } from "../../core/gateway/server.js";

export interface Dismissal extends Refusal {
  readonly closeCode: number;
  /** A page may try again by itself: it is closed without being told that it was refused. */
  readonly mayReturn?: boolean;
}

/** Longest silence before hello [ms]. */
export const HELLO_MS_MAX = 3000;
/** Clients of the WebSocket that have said hello. */
export const CLIENTS_MAX = 32;
/** Messages of one connection, whatever they are: more closes it. */
export const FLOOD = { perS: 1000, burst: 1000 } as const;
/** Unanswered requests of one client. */
export const REQUESTS_OPEN_MAX = 8;

const { notAuthorised, helloMissing, malformed, tooFast, superseded, shuttingDown } = CLOSE_CODES;

export const DISMISSALS = {
  strangers: {
    closeCode: tooFast,
    mayReturn: true,
    code: "NOT_AUTHORISED",
    happened: "Too many connections have not said who they are",
    remedy: "Wait a few seconds",
  },
  noHello: {
    closeCode: helloMissing,
    code: "NOT_AUTHORISED",
    happened: `No hello came within ${HELLO_MS_MAX / 1000} s`,
    remedy: "The first message is hello, with the token that pairing gave",
  },
  badToken: {
    closeCode: notAuthorised,
    code: "NOT_AUTHORISED",
    happened: "The token is unknown, revoked or expired",
    remedy: "Pair again: `./cerebellum pair` on the robot's computer shows how",
  },
  superseded: {
    closeCode: superseded,
    code: "ALREADY_RUNNING",
    happened: "The same page was opened again, and that one counts from now on",
    remedy: "Close this one, or reload it to take over",
  },
  full: {
    closeCode: tooFast,
    mayReturn: true,
    code: "NOT_AUTHORISED",
    happened: `${CLIENTS_MAX} clients are connected already`,
    remedy: "Close pages that nobody looks at",
  },
  flood: {
    closeCode: tooFast,
    code: "MESSAGE_INVALID",
    happened: `More than ${FLOOD.perS} messages a second came`,
    remedy: "Send poses at the headset's own rate, and everything else only when a person asks",
  },
  silent: {
    closeCode: shuttingDown,
    mayReturn: true,
    code: "LINK_SILENT",
    happened: "Nothing was heard of the client any more",
    remedy: "Connect again",
  },
  slow: {
    closeCode: tooFast,
    mayReturn: true,
    code: "LINK_SILENT",
    happened: "The client does not take what it is sent",
    remedy: "Use a faster network, or fewer cameras",
  },
  leaving: {
    closeCode: shuttingDown,
    mayReturn: true,
    code: "NOT_RUNNING",
    happened: "The gateway ends",
    remedy: "The page comes back by itself when the daemon runs again",
  },
} as const satisfies Record<string, Dismissal>;

export const revoked = (why: string): Dismissal => ({
  closeCode: notAuthorised,
  code: "NOT_AUTHORISED",
  happened: why,
  remedy: "Pair again: `./cerebellum pair` on the robot's computer shows how",
});

export const notHello = (why: string): Dismissal => ({
  closeCode: malformed,
  code: "MESSAGE_INVALID",
  happened: `The first message is no hello: ${why}`,
  remedy: "Reload the page; a program sends hello with protocol, token, client and name",
});

export const notUnderstood = (why: string): Dismissal => ({
  closeCode: malformed,
  code: "MESSAGE_INVALID",
  happened: `A message was not understood: ${why}`,
  remedy: "Reload the page; it may be of another version",
});

export const defect = (text: string): Dismissal => ({
  closeCode: malformed,
  code: "CHECK_FAILED",
  happened: text,
  remedy: "This is a defect; keep the log and report it",
});

export const TOO_MANY: Refusal = {
  code: "MESSAGE_INVALID",
  happened: "Too many messages a second came",
  remedy: "Ask again in a moment",
};

export const TOO_MANY_OPEN: Refusal = {
  code: "ALREADY_RUNNING",
  happened: `${REQUESTS_OPEN_MAX} requests are not answered yet`,
  remedy: "Wait for their answers",
};

export const observersMayNot = (client: string, request: string): Refusal => ({
  code: "NOT_AUTHORISED",
  happened: `${client} is paired as observer; ${request} takes an operator`,
  remedy: "Pair it as operator: `./cerebellum pair --role operator`",
});

export const unanswered = (request: string): Refusal => ({
  code: "NOT_RUNNING",
  happened: `Nothing in this cell answers ${request}`,
  remedy: "The cell file's sections say what this cell has",
});
