/** The bus on a stand-in for the package and for the kernel's folders; the real ones: socketCanBus.system.test.ts. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { CerebellumError } from "../../core/errors.js";
import { SimClock } from "../../core/simClock.js";
import type { CanFrame } from "./frame.js";
import { openSocketCanBus, SEEK_MS_MAX, STUCK_MS } from "./socketCanBus.js";
import { ERROR_CLASS } from "./socketCanFrame.js";
import type { SocketCanMessage } from "./socketCanPackage.js";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** The kernel's files, and the package on top of them. */
class FakeKernel {
  readonly interfacesFolder: string;
  readonly canFolder: string;
  readonly sent: SocketCanMessage[] = [];
  /** Frames that its queue still takes. */
  room = Number.POSITIVE_INFINITY;
  channels = 0;
  stopped = 0;
  #onMessage: (message: SocketCanMessage) => void = () => {};
  #onStopped: () => void = () => {};

  constructor() {
    const folder = mkdtempSync(join(tmpdir(), "cerebellum-can-"));
    folders.push(folder);
    this.interfacesFolder = join(folder, "net");
    this.canFolder = join(folder, "can");
    mkdirSync(this.canFolder);
    mkdirSync(this.interfacesFolder);
    this.put("can0", 280, 0x40041);
    this.put("eth0", 1, 0x1003);
  }

  put(name: string, type: number, flags: number): void {
    mkdirSync(join(this.interfacesFolder, name), { recursive: true });
    writeFileSync(join(this.interfacesFolder, name, "type"), `${type}\n`);
    writeFileSync(join(this.interfacesFolder, name, "flags"), `0x${flags.toString(16)}\n`);
  }

  remove(name: string): void {
    rmSync(join(this.interfacesFolder, name), { recursive: true });
  }

  readonly load = async () => ({
    createRawChannelWithOptions: (_name: string, options: { non_block_send: boolean }) => {
      expect(options.non_block_send).toBe(true);
      this.channels++;
      return {
        addListener: (event: string, listener: (message: SocketCanMessage) => void) => {
          if (event === "onMessage") this.#onMessage = listener;
          else this.#onStopped = listener as () => void;
        },
        start: () => {},
        stop: () => {
          this.stopped++;
        },
        send: (message: SocketCanMessage) => {
          if (this.room <= 0) return -1;
          this.room--;
          this.sent.push(message);
          return 16;
        },
      };
    },
  });

  say(message: SocketCanMessage): void {
    this.#onMessage(message);
  }

  takeDown(): void {
    this.put("can0", 280, 0x40040);
    this.#onStopped();
  }
}

async function openBus(kernel = new FakeKernel(), name = "can0") {
  const clock = new SimClock();
  const frames: CanFrame[] = [];
  const states: string[] = [];
  const open = openSocketCanBus({ interface: name, clock, kernel, load: kernel.load });
  const bus = await open(
    {
      onFrame: (frame) => void frames.push(frame),
      onState: (state, why) => void states.push(why === "" ? state : `${state}: ${why}`),
    },
    new AbortController().signal,
  );
  return { bus, clock, kernel, frames, states };
}

async function failure(kernel: FakeKernel, name = "can0"): Promise<CerebellumError> {
  const thrown: unknown = await openBus(kernel, name).catch((error: unknown) => error);
  if (!(thrown instanceof CerebellumError)) throw new Error(`no error of ours: ${thrown}`);
  return thrown;
}

const torque: CanFrame = {
  id: 0x180,
  isExtended: false,
  isRemote: false,
  length: 2,
  data: Uint8Array.of(0xab, 1),
};

describe("frames", () => {
  it("pass unchanged both ways, remote ones with their length", async () => {
    const { bus, kernel, frames } = await openBus();
    const remote: CanFrame = {
      id: 0x200,
      isExtended: false,
      isRemote: true,
      length: 3,
      data: new Uint8Array(),
    };
    const extended: CanFrame = { ...torque, id: 0x12abcdef, isExtended: true };
    expect(bus.write([torque, remote, extended])).toBe(true);
    expect(kernel.sent).toEqual([
      { id: 0x180, ext: false, rtr: false, data: Buffer.from("ab01", "hex") },
      { id: 0x200, ext: false, rtr: true, data: Buffer.alloc(3) },
      { id: 0x12abcdef, ext: true, rtr: false, data: Buffer.from("ab01", "hex") },
    ]);
    for (const message of kernel.sent) kernel.say(message);
    expect(frames.map((frame) => ({ ...frame, data: Uint8Array.from(frame.data) }))).toEqual([
      torque,
      remote,
      extended,
    ]);
    expect(bus.statistics()).toMatchObject({ framesSent: 3, framesReceived: 3, framesDropped: 0 });
    expect(bus.name).toBe("can0 (SocketCAN)");
  });

  it("a frame of CAN FD is none of this bus", async () => {
    const { bus, kernel, frames } = await openBus();
    kernel.say({ id: 0x080, data: Buffer.alloc(12) });
    expect(frames).toEqual([]);
    expect(bus.statistics()).toMatchObject({ framesReceived: 0, bytesDiscarded: 12 });
  });

  it("what the kernel's queue does not take is dropped and counted", async () => {
    const { bus, kernel } = await openBus();
    kernel.room = 1;
    // The rest of a stop must be told again: only the whole of a piece counts as written.
    expect(bus.write([torque, torque, torque])).toBe(false);
    expect(bus.write([torque])).toBe(false);
    kernel.room = 9;
    expect(bus.write([{ ...torque, id: 0x800 }, torque])).toBe(false);
    expect(bus.write([])).toBe(false);
    expect(bus.statistics()).toMatchObject({ framesSent: 1, framesDropped: 2 + 1 + 2 });
  });
});

describe("states", () => {
  it("bus-off is told with the remedy; the kernel restarts the bus", async () => {
    const { bus, kernel, states } = await openBus();
    kernel.say({ id: ERROR_CLASS.busOff, err: true, data: Buffer.alloc(8) });
    expect(bus.state).toBe("busOff");
    expect(states[0]).toContain("restart-ms 100");
    expect(bus.write([torque])).toBe(false);
    kernel.say({ id: ERROR_CLASS.restarted, err: true, data: Buffer.alloc(8) });
    expect(bus.state).toBe("up");
    kernel.say({ id: ERROR_CLASS.busOff, err: true, data: Buffer.alloc(8) });
    kernel.say({ id: 0x080, data: Buffer.alloc(8) });
    expect(bus.state).toBe("up");
    kernel.say({ id: 4, err: true, data: Buffer.alloc(8) });
    expect(bus.statistics()).toMatchObject({ errors: 4, busOffs: 2, framesDropped: 1 });
  });

  it("an interface that goes down is lost, and used again once it is up", async () => {
    const { bus, clock, kernel, states } = await openBus();
    kernel.takeDown();
    expect(bus.state).toBe("lost");
    await clock.advance(1000);
    kernel.remove("can0");
    await clock.advance(3000);
    expect(states).toEqual([
      "lost: can0 is down or gone",
      "lost: no CAN bus at can0: the interface is down",
      "lost: no CAN bus at can0: there is no such interface; CAN interfaces found: none",
    ]);
    kernel.put("can0", 280, 0x40041);
    await clock.advance(SEEK_MS_MAX);
    expect(bus.state).toBe("up");
    expect(bus.write([torque])).toBe(true);
    expect(bus.statistics().reconnects).toBe(1);
  });

  it("a kernel that takes nothing for a second is as good as lost", async () => {
    const { bus, clock, kernel, states } = await openBus();
    kernel.room = 0;
    for (let ms = 0; ms <= STUCK_MS; ms += 10) {
      bus.write([torque]);
      await clock.advance(10);
    }
    expect(states).toEqual([`lost: the kernel takes nothing for ${STUCK_MS} ms`]);
    expect(kernel.stopped).toBe(1);
  });

  it("closing ends everything, the search too", async () => {
    const { bus, clock, kernel } = await openBus();
    kernel.takeDown();
    await bus.close();
    kernel.put("can0", 280, 0x40041);
    await clock.advance(3000);
    expect(kernel.channels).toBe(1);
    expect(bus.state).toBe("lost");
    const other = await openBus();
    await other.bus.close();
    await other.bus.close();
    expect(other.kernel.stopped).toBe(1);
    expect(other.bus.write([torque])).toBe(false);
  });
});

describe("no bus to be had", () => {
  it("a kernel without CAN", async () => {
    const kernel = new FakeKernel();
    kernel.remove("can0");
    rmSync(kernel.canFolder, { recursive: true });
    const error = await failure(kernel);
    expect(error.happened).toContain("this kernel has no CAN");
    expect(error.remedy).toContain("slcan");
  });

  it("an interface that is absent, of another kind or down", async () => {
    const kernel = new FakeKernel();
    expect((await failure(kernel, "can1")).happened).toContain("CAN interfaces found: can0");
    expect(await failure(kernel, "eth0")).toMatchObject({ code: "CONFIG_INVALID" });
    kernel.put("can0", 280, 0x40040);
    const error = await failure(kernel);
    expect(error.happened).toContain("is down");
    expect(error.remedy).toContain("ip link set can0 up");
  });
});
