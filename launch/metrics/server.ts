/** `GET /metrics` for Prometheus, over plain HTTP on one address: it only reads, and says nothing else to anybody. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Logger } from "pino";
import { CerebellumError, errorText } from "../../core/errors.js";
import { METRICS_CONTENT_TYPE } from "./render.js";

export interface MetricsConfig {
  readonly host: string;
  readonly port: number;
}

/** A scraper needs one connection; more than these are turned away. */
const CONNECTIONS_MAX = 8;
const REQUEST_MS_MAX = 5000;
const HEADER_BYTES_MAX = 8192;

/**
 * Serves what `render` answers at the moment of each request.
 * @returns its port and its own end
 * @throws CerebellumError PORT_IN_USE naming the field
 */
export async function serveMetrics(
  { host, port }: MetricsConfig,
  render: () => Promise<string>,
  log: Pick<Logger, "warn">,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const server = createServer({ maxHeaderSize: HEADER_BYTES_MAX }, (request, response) => {
    answer(request, response, render).catch((thrown: unknown) => {
      log.warn({ event: "metricsFailed" }, errorText(thrown));
      if (!response.headersSent) plain(response, 500, "the figures could not be gathered");
      else response.destroy();
    });
  });
  server.maxConnections = CONNECTIONS_MAX;
  server.requestTimeout = REQUEST_MS_MAX;
  server.headersTimeout = REQUEST_MS_MAX;
  await listen(server, host, port);
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  render: () => Promise<string>,
): Promise<void> {
  // A query is allowed: scrapers may be told to send one.
  const path = (request.url ?? "").split("?")[0];
  if (path !== "/metrics") return plain(response, 404, "there is only /metrics");
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("Allow", "GET, HEAD");
    return plain(response, 405, "only GET and HEAD");
  }
  const text = request.method === "HEAD" ? "" : await render();
  response.writeHead(200, { "Content-Type": METRICS_CONTENT_TYPE, "Cache-Control": "no-store" });
  response.end(text);
}

function plain(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8" });
  response.end(`${text}\n`);
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) =>
      reject(
        new CerebellumError(
          "PORT_IN_USE",
          `metrics.host ${host} with metrics.port ${port} cannot be listened on: ${
            cause.code === "EADDRINUSE" ? "another program uses this port" : errorText(cause)
          }`,
          "Give `metrics` in the cell file another port or host, or remove the section",
          cause,
        ),
      ),
    );
    server.listen(port, host, resolve);
  });
}
