/** How somebody who asked for a WebSocket is turned away. */
import type { Duplex } from "node:stream";

/** Says why and lets go of the connection, whether or not the other side closes it too. */
export function refuseUpgrade(socket: Duplex, status: number, why: string): void {
  socket.end(
    `HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(why) + 1}\r\n\r\n${why}\n`,
    () => socket.destroy(),
  );
}
