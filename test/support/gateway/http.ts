/** Requests to a gateway's port, as a browser or whoever wants to be one would make them. */
import type { X509Certificate } from "node:crypto";
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import { connect as connectTls } from "node:tls";

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface AskOptions {
  readonly tls: boolean;
  readonly host: string;
  readonly headers: Record<string, string>;
  readonly method: string;
  readonly body: string;
}

/** Any address on this port; certificates are looked at elsewhere. */
export function askPort(
  port: number,
  path: string,
  { tls = false, host = "127.0.0.1", headers = {}, method = "GET", body }: Partial<AskOptions> = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const options = { host, port, path, method, headers, timeout: 5000 };
    const take = (response: IncomingMessage) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () =>
        resolve({
          status: response.statusCode!,
          headers: response.headers,
          body: Buffer.concat(chunks).toString(),
        }),
      );
      response.on("error", reject);
    };
    const request = tls
      ? httpsRequest({ ...options, agent: new Agent({ rejectUnauthorized: false }) }, take)
      : httpRequest({ ...options, agent: false }, take);
    request.once("error", reject);
    request.end(body);
  });
}

/** The certificate that the port shows. */
export function certificateOf(port: number, host = "127.0.0.1"): Promise<X509Certificate> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host, port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerX509Certificate()!);
      socket.destroy();
    });
    socket.once("error", reject);
  });
}
