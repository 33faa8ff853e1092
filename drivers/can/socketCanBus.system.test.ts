/** The real package on a virtual CAN interface of a real kernel, where there are such; else the errors that say so. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../launch/systemClock.js";
import type { CanFrame } from "./frame.js";
import { openSocketCanBus } from "./socketCanBus.js";
import { decodeSocketCan, socketCanBytes } from "./socketCanFrame.js";
import { loadSocketCan } from "./socketCanPackage.js";

const INTERFACE = "vcan7";
const QUIET = { onFrame: () => {}, onState: () => {} };

/** A raw socket of Python's own: sends each line of hex, prints what comes as hex. */
const PEER = `
import socket, sys, threading
peer = socket.socket(socket.AF_CAN, socket.SOCK_RAW, socket.CAN_RAW)
peer.bind((sys.argv[1],))
def send():
    for line in sys.stdin:
        peer.send(bytes.fromhex(line))
threading.Thread(target=send, daemon=True).start()
print("ready", flush=True)
while True:
    print(peer.recv(16).hex(), flush=True)
`;

const package_ = await loadSocketCan().catch(() => undefined);
const reason = whyNoBus();

/** Why a virtual bus can not be had here; undefined where it can. */
function whyNoBus(): string | undefined {
  const family = spawnSync("python3", [
    "-c",
    "import socket; socket.socket(socket.AF_CAN, socket.SOCK_RAW, 1)",
  ]);
  if (family.status !== 0) return "this kernel has no AF_CAN";
  if (package_ === undefined) return "the package socketcan is not installed";
  if (existsSync(`/sys/class/net/${INTERFACE}`)) return undefined;
  try {
    execFileSync("ip", ["link", "add", INTERFACE, "type", "vcan"], { stdio: "ignore" });
    execFileSync("ip", ["link", "set", INTERFACE, "up"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "no right to make a virtual interface, or no module vcan";
  }
}

describe.skipIf(reason !== undefined)(`a virtual bus (${reason ?? "here"})`, () => {
  it("frames pass between the bus and a raw socket, both ways", async () => {
    const peer = spawn("python3", ["-c", PEER, INTERFACE], { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: peer.stdout })[Symbol.asyncIterator]();
    expect((await lines.next()).value).toBe("ready");
    const heard: CanFrame[] = [];
    const bus = await openSocketCanBus({ interface: INTERFACE, clock: systemClock })(
      {
        onFrame: (frame) => void heard.push({ ...frame, data: Uint8Array.from(frame.data) }),
        onState: () => {},
      },
      new AbortController().signal,
    );
    const frames: CanFrame[] = [
      { id: 0x180, isExtended: false, isRemote: false, length: 2, data: Uint8Array.of(1, 2) },
      { id: 0x200, isExtended: false, isRemote: true, length: 0, data: new Uint8Array() },
      { id: 0x12abcdef, isExtended: true, isRemote: false, length: 1, data: Uint8Array.of(9) },
    ];
    expect(bus.write(frames)).toBe(true);
    for (const frame of frames)
      expect(decodeSocketCan(Uint8Array.from(Buffer.from((await lines.next()).value, "hex")))).toEqual({
        kind: "frame",
        frame,
      });
    for (const frame of frames) peer.stdin.write(`${Buffer.from(socketCanBytes(frame)).toString("hex")}\n`);
    for (let turn = 0; heard.length < frames.length && turn < 1000; turn++)
      await new Promise((resolve) => setTimeout(resolve, 5));
    expect(heard).toEqual(frames);
    await bus.close();
    peer.kill();
  });
});

it("an interface that is not there is told with the remedy, on whatever kernel", async () => {
  const opening = openSocketCanBus({ interface: "nocan9", clock: systemClock })(
    QUIET,
    new AbortController().signal,
  );
  await expect(opening).rejects.toMatchObject({
    code: "DEVICE_UNREACHABLE",
    happened: expect.stringMatching(
      /no CAN bus at nocan9: (this kernel has no CAN|there is no such interface)/,
    ),
  });
});

it.skipIf(package_ !== undefined)("without the package the error says what to install", async () => {
  await expect(loadSocketCan()).rejects.toMatchObject({
    code: "PREPARATION_MISSING",
    remedy: expect.stringContaining("npm install --no-save --ignore-scripts=false socketcan@4"),
  });
});
