/**
 * A command of this computer as a client of its own gateway: whoever may use the control socket may pair, so it pairs
 * itself, asks, and takes its pairing back at the end.
 */
import { GatewayLink, RequestRefused } from "../../console/link/gatewayLink.js";
import { pairWithCode } from "../../console/link/pairing.js";
import { type Clock, sleepMs } from "../../core/clock.js";
import { CerebellumError, type ErrorCode } from "../../core/errors.js";
import { Pairing } from "../../core/gateway/library.js";
import type { GatewayRequest } from "../../core/gateway/requests.js";
import { loadCell } from "../cell/load.js";
import { askDaemon } from "../control/client.js";
import { createNodeSocket } from "../headset/nodeSocket.js";
import { createPageClock } from "../headset/pageTime.js";
import { runFolder } from "../runFolder.js";

const CONNECT_MS_MAX = 5000;
const LOOK_MS = 20;

export interface Answered {
  readonly message: string;
  readonly data?: unknown;
}
/** @throws CerebellumError with the gateway's own words */
export type AskGateway = (request: GatewayRequest) => Promise<Answered>;

export interface GatewayProgram {
  readonly ask: AskGateway;
  close(): Promise<void>;
}

/**
 * @param name shown to others, and kept among the paired devices only while this runs
 * @throws CerebellumError NOT_RUNNING without a daemon or a gateway, LINK_CLOSED when it cannot be reached from here
 */
export async function openGatewayProgram(
  cellFile: string,
  name: string,
  clock: Clock,
): Promise<GatewayProgram> {
  const { controlSocket } = runFolder(loadCell(cellFile).name);
  const { status } = await askDaemon(controlSocket, { do: "pair", role: "operator" }, clock);
  const { code, urls } = Pairing.parse(status);
  const local = urls.map((url) => new URL(url)).find(({ hostname }) => hostname === "localhost");
  return joinGateway(`http://127.0.0.1:${local?.port ?? ""}`, code, name, clock);
}

/** @param origin for instance "http://127.0.0.1:8443" @param code of pairing */
export async function joinGateway(
  origin: string,
  code: string,
  name: string,
  clock: Clock,
): Promise<GatewayProgram> {
  const { token, device } = await paired(origin, code, name);
  const link = new GatewayLink({
    origin,
    token,
    client: "program",
    name,
    clock: createPageClock(clock),
    openSocket: createNodeSocket(),
  });
  link.connect();
  const dueMs = clock.nowMs() + CONNECT_MS_MAX;
  while (link.state === "connecting" && clock.nowMs() < dueMs) await sleepMs(clock, LOOK_MS);
  if (link.state !== "open") {
    link.close();
    throw notReached(origin, link.refusal?.happened ?? `no answer within ${CONNECT_MS_MAX / 1000} s`);
  }
  const ask: AskGateway = async (request) => {
    try {
      return await link.request(request);
    } catch (thrown) {
      if (!(thrown instanceof RequestRefused)) throw thrown;
      const { code: refusedAs, happened, remedy } = thrown.refusal;
      throw new CerebellumError(refusedAs as ErrorCode, happened, remedy, thrown);
    }
  };
  return {
    ask,
    close: async () => {
      // The answer may not come any more: it is this very connection that ends.
      await Promise.race([ask({ do: "revokeDevice", device }).catch(() => undefined), sleepMs(clock, 500)]);
      link.close();
    },
  };
}

async function paired(origin: string, code: string, name: string) {
  let why = "";
  const pairing = await pairWithCode(code, {
    address: { origin, hash: "", clearHash: () => {} },
    storage: { getItem: () => null, setItem: () => {}, removeItem: () => {} },
    post: async (url, body) => {
      const headers = { "content-type": "application/json" };
      try {
        return await (await fetch(url, { method: "POST", headers, body })).text();
      } catch (thrown) {
        why = thrown instanceof Error ? thrown.message : String(thrown);
        throw thrown;
      }
    },
    deviceName: name,
  });
  if (pairing.kind === "paired") return pairing;
  if (why !== "") throw notReached(origin, why);
  const { happened, remedy } =
    pairing.kind === "refused"
      ? pairing.refusal
      : { happened: "Pairing was not answered", remedy: "Try again" };
  throw new CerebellumError("NOT_AUTHORISED", happened, remedy);
}

const notReached = (origin: string, why: string) =>
  new CerebellumError(
    "LINK_CLOSED",
    `The gateway does not answer at ${origin} (${why})`,
    "Set `gateway.host` to 127.0.0.1 or 0.0.0.0, so that this computer reaches its own gateway, or calibrate on the console's page",
  );
