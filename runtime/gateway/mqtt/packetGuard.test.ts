import { PassThrough } from "node:stream";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GuardedConnection, PacketGuard } from "./packetGuard.js";

/** MQTT's variable length (3.1.1, section 2.2.3). */
function packetOf(bodyBytes: number): Buffer {
  const head = [0x30];
  let left = bodyBytes;
  do {
    const digit = left % 128;
    left = Math.floor(left / 128);
    head.push(left > 0 ? digit | 0x80 : digit);
  } while (left > 0);
  return Buffer.concat([Buffer.from(head), Buffer.alloc(bodyBytes, 0x55)]);
}

describe("the guard of a connection's packets", () => {
  it("lets any packets through that are small enough, however the stream is cut", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 20 }),
        (sizes, cuts) => {
          const stream = Buffer.concat(sizes.map(packetOf));
          const guard = new PacketGuard(1000);
          for (let at = 0, cut = 0; at < stream.length; cut++) {
            const step = cuts[cut % cuts.length]!;
            if (guard.take(stream.subarray(at, at + step)) !== undefined) return false;
            at += step;
          }
          return true;
        },
      ),
    );
  });

  it.each([
    ["one byte too many", packetOf(1001), /at least 1001 bytes, at most 1000/],
    ["256 MiB announced", Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f]), /at most 1000/],
    ["a length that does not end", Buffer.from([0x10, 0x80, 0x80, 0x80, 0x80]), /does not end/],
  ])("refuses %s before its body has come", (_name, bytes, expected) => {
    const whole = new PacketGuard(1000).take(bytes);
    expect(whole).toMatch(expected);
    const byByte = new PacketGuard(1000);
    const said = [...bytes.subarray(0, 6)].map((byte) => byByte.take(Uint8Array.of(byte)));
    expect(said.find((one) => one !== undefined)).toMatch(expected);
  });

  it("ends the connection at the first packet that is too large, and hands on nothing of it", async () => {
    const inner = new PassThrough();
    const guarded = new GuardedConnection(inner, 10);
    const heard: Buffer[] = [];
    guarded.on("data", (chunk: Buffer) => heard.push(chunk));
    const ended = new Promise<Error>((resolve) => guarded.once("error", resolve));
    inner.write(packetOf(10));
    inner.write(packetOf(11));
    expect((await ended).message).toMatch(/at most 10/);
    expect(Buffer.concat(heard)).toEqual(packetOf(10));
    expect(inner.destroyed).toBe(true);
  });
});
