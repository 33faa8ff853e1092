/** What peers of the gateway's ports may take their time for, and how much they may say before they are known. */
import type { ServerOptions } from "node:http";

/** Durations [ms]. */
export const SERVER_LIMITS = {
  /** A connection that says nothing is closed. */
  firstByteMsMax: 5000,
  handshakeMsMax: 5000,
  headersMsMax: 5000,
  requestMsMax: 10_000,
  /** Nothing goes either way, for instance because nobody takes the answer. Longer than any answer is waited for. */
  stalledMsMax: 90_000,
  limitsLookMs: 1000,
};

const HEADER_BYTES_MAX = 8192;

/** For a server of `node:http` or `node:https`; `stalledMsMax` is its `timeout`. */
export const httpLimits = ({
  headersMsMax,
  requestMsMax,
  limitsLookMs,
}: typeof SERVER_LIMITS): ServerOptions => ({
  headersTimeout: headersMsMax,
  requestTimeout: requestMsMax,
  keepAliveTimeout: headersMsMax,
  maxHeaderSize: HEADER_BYTES_MAX,
  connectionsCheckingInterval: limitsLookMs,
});
