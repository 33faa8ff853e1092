/**
 * A web page with one button, and the request that it sends: `POST /stop`. It answers when motion has
 * ended, with what could not be stopped; it reads nothing and enables nothing. Served on the thread of the stop sources, so a busy daemon does not delay it.
 *
 * Nobody has to prove who he is, because a stop is never refused. Only pages of other sites are turned away: a browser
 * that shows one must not stop robots.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { errorText } from "../../core/errors.js";
import type { PageStop } from "./config.js";
import type { SourceEvents } from "./source.js";

const CONNECTIONS_MAX = 32;
const REQUEST_MS_MAX = 5000;
const HEADER_BYTES_MAX = 8192;

const HTML = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Stop</title>
<style>
  :root { color-scheme: light dark; }
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; font: 1.2rem system-ui, sans-serif; }
  button { width: min(80vmin, 28rem); aspect-ratio: 1; border: 1.2rem solid #f2b600; border-radius: 50%;
    background: #c1121f; color: #fff; font-size: 4rem; font-weight: 700; cursor: pointer; }
  button:active { background: #7d0a13; }
  button:focus-visible { outline: 0.4rem solid currentColor; outline-offset: 0.4rem; }
  p { min-height: 3em; max-width: 28rem; text-align: center; }
</style>
<main>
  <button id="stop" autofocus>STOP</button>
  <p role="status" aria-live="assertive" id="told">Also the Escape key. This is a software stop: it does not replace the red button.</p>
</main>
<script>
  const told = document.getElementById("told");
  async function stop() {
    told.textContent = "Stopping …";
    try {
      const answer = await fetch("stop", { method: "POST", cache: "no-store" });
      told.textContent = answer.ok
        ? "Stopped, and latched: ./cerebellum reset, then enable, lead on."
        : "NOT STOPPED: " + (await answer.text()) + " Use the red button.";
    } catch {
      told.textContent = "NOT STOPPED: the daemon does not answer. Use the red button.";
    }
  }
  document.getElementById("stop").addEventListener("click", stop);
  addEventListener("keydown", (event) => { if (event.key === "Escape") stop(); });
</script>
</html>
`;

/** Serves until it cannot any more or the signal; resolves with why. Never rejects. */
export function listenPage({ host, port }: PageStop, on: SourceEvents, signal: AbortSignal): Promise<string> {
  const server = createServer({ maxHeaderSize: HEADER_BYTES_MAX }, (request, response) =>
    answer(request, response, on),
  );
  server.maxConnections = CONNECTIONS_MAX;
  server.requestTimeout = REQUEST_MS_MAX;
  server.headersTimeout = REQUEST_MS_MAX;
  return new Promise((resolve) => {
    const end = (why: string) => {
      signal.removeEventListener("abort", onAbort);
      server.close();
      server.closeAllConnections();
      resolve(why);
    };
    const onAbort = () => end("it was ended");
    signal.addEventListener("abort", onAbort, { once: true });
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const why = cause.code === "EADDRINUSE" ? "another program uses this port" : errorText(cause);
      end(`estop.page cannot listen on ${host}:${port}: ${why}`);
    });
    server.listen(port, host, () => {
      if (signal.aborted) onAbort();
      else on.live();
    });
  });
}

function answer(request: IncomingMessage, response: ServerResponse, on: SourceEvents): void {
  // What a request carries means nothing here.
  request.resume();
  const path = (request.url ?? "").split("?")[0];
  const method = request.method ?? "";
  if (path === "/stop" && method === "POST") void stop(request, response, on);
  else if (path === "/" && (method === "GET" || method === "HEAD")) {
    response.writeHead(200, { "Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store" });
    response.end(method === "HEAD" ? undefined : HTML);
  } else if (path === "/" || path === "/stop") plain(response, 405, "GET / or POST /stop");
  else plain(response, 404, "There are only / and /stop.");
}

async function stop(request: IncomingMessage, response: ServerResponse, on: SourceEvents): Promise<void> {
  const { origin, host } = request.headers;
  if (origin !== undefined && !isSameSite(origin, host)) {
    plain(response, 403, "This request comes from a page of another site.");
    return;
  }
  const failures = await on.stop(`asked for by ${request.socket.remoteAddress ?? "somebody who has gone"}`);
  if (failures.length === 0) plain(response, 200, "stopped");
  else plain(response, 502, `${failures.join("; ")}.`);
}

const isSameSite = (origin: string, host: string | undefined): boolean => {
  try {
    return new URL(origin).host === host;
  } catch {
    return false;
  }
};

function plain(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store" });
  response.end(`${text}\n`);
}
