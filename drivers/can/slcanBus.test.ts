/** The bus on a simulated clock and a simulated line; the real port is met in slcanBus.system.test.ts. */
import { describe, expect, it } from "vitest";
import { CerebellumError } from "../../core/errors.js";
import { SimClock } from "../../core/simClock.js";
import type { CanBus } from "./bus.js";
import type { CanFrame } from "./frame.js";
import type { SerialLineListener } from "./serialLine.js";
import { slcanStateText, slcanText } from "./slcan.js";
import {
  LINE_BACKLOG_MS_MAX,
  openSlcanBus,
  PIECE_FRAMES_MAX,
  RESTART_MS_MAX,
  RESTART_MS_MIN,
  SEEK_MS_MAX,
  SEEK_MS_MIN,
  STUCK_MS,
} from "./slcanBus.js";

const OPENING = "\r\rC\rS8\rO\r";
const torque = (id: number): CanFrame => ({
  id,
  isExtended: false,
  isRemote: false,
  length: 8,
  data: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
});
const TORQUES = [0x180, 0x184, 0x188, 0x18c].map(torque);
const TORQUE_TEXT = TORQUES.map((frame) => slcanText(frame)).join("");

/** A port that takes as many bytes as the test allows, and an adapter that can be pulled out. */
class FakeLine {
  text = "";
  /** Bytes that it still takes. */
  room = Number.POSITIVE_INFINITY;
  isPlugged = true;
  /** It goes with the first byte that is written, as one that has just been pulled out again. */
  diesAtOnce = false;
  opened = 0;
  closed = 0;
  /** Text that came and was not read yet. */
  unread = "";
  listener: SerialLineListener | undefined;

  readonly open = async (path: string, _baudRate: number, listener: SerialLineListener) => {
    this.opened++;
    if (!this.isPlugged) throw new CerebellumError("DEVICE_UNREACHABLE", `there is no ${path}`, "Plug it in");
    this.listener = listener;
    return {
      write: (bytes: Uint8Array, length: number) => {
        if (this.diesAtOnce) listener.onLost("the adapter is gone (EIO)");
        if (!this.isPlugged || this.diesAtOnce) return -1;
        const taken = Math.min(length, this.room);
        this.room -= taken;
        this.text += Buffer.from(bytes.subarray(0, taken)).toString("latin1");
        return taken;
      },
      readNow: () => {
        this.say(this.unread);
        this.unread = "";
      },
      close: async () => {
        this.closed++;
      },
    };
  };

  say(text: string): void {
    this.listener?.onBytes(Uint8Array.from(Buffer.from(text, "latin1")));
  }

  unplug(): void {
    this.isPlugged = false;
    this.listener?.onLost("the adapter is gone (EIO)");
  }
}

async function openBus(baudRate = 1_000_000) {
  const clock = new SimClock();
  const line = new FakeLine();
  const states: string[] = [];
  const frames: number[] = [];
  /** How many frames had come at each pause, and when. */
  const pauses: [frames: number, readMs: number][] = [];
  const open = openSlcanBus({
    path: "/dev/ttyACM0",
    baudRate,
    bitrate: 1_000_000,
    clock,
    openLine: line.open,
  });
  const listener = {
    onFrame: (frame: CanFrame) => void frames.push(frame.id),
    onPause: (readMs: number) => void pauses.push([frames.length, readMs]),
    onState: (state: string, why: string) => void states.push(why === "" ? state : `${state}: ${why}`),
  };
  const bus = await open(listener, new AbortController().signal);
  return { bus, clock, line, states, frames, pauses };
}

async function closed(bus: CanBus, clock: SimClock): Promise<void> {
  const closing = bus.close();
  await clock.advance(200);
  await closing;
}

describe("opening", () => {
  it("closes the channel, sets the rate, opens it, and awaits no answer", async () => {
    const { bus, line, states } = await openBus();
    expect(line.text).toBe(OPENING);
    expect(bus.state).toBe("up");
    expect(bus.name).toBe("/dev/ttyACM0 (SLCAN)");
    expect(states).toEqual([]);
  });

  it("an adapter that takes no commands is no bus, and its port is given back", async () => {
    const line = new FakeLine();
    line.room = 0;
    const open = openSlcanBus({
      path: "/dev/ttyACM0",
      baudRate: 1e6,
      bitrate: 1e6,
      clock: new SimClock(),
      openLine: line.open,
    });
    const opening = open({ onFrame: () => {}, onState: () => {} }, new AbortController().signal);
    await expect(opening).rejects.toMatchObject({ code: "DEVICE_UNREACHABLE" });
    expect(line.closed).toBe(1);
  });

  it("a cancelled opening leaves nothing open", async () => {
    const clock = new SimClock();
    const line = new FakeLine();
    const end = new AbortController();
    const open = openSlcanBus({
      path: "/dev/ttyACM0",
      baudRate: 1e6,
      bitrate: 1e6,
      clock,
      openLine: line.open,
    });
    const opening = open({ onFrame: () => {}, onState: () => {} }, end.signal);
    opening.catch(() => {});
    end.abort();
    for (let ms = 0; ms < 200; ms++) await clock.advance(1);
    await expect(opening).rejects.toMatchObject({ code: "DEVICE_UNREACHABLE" });
    expect(line.closed).toBe(1);
  });

  it("the refusal of closing a closed channel is no error, any later one is", async () => {
    const { bus, line } = await openBus();
    line.say("\r\x07\r\r");
    expect(bus.statistics().errors).toBe(0);
    line.say("\x07");
    expect(bus.statistics().errors).toBe(1);
  });

  it("once frames come, the channel is open, and no refusal is usual any more", async () => {
    const { bus, line } = await openBus();
    line.say(`${slcanText(torque(0x080))}\x07`);
    expect(bus.statistics().errors).toBe(1);
  });
});

describe("reading", () => {
  it("tells of a pause after all that was read together, with the time of reading", async () => {
    const { line, clock, frames, pauses } = await openBus();
    const startMs = clock.nowMs();
    await clock.advance(3);
    line.say(TORQUE_TEXT + TORQUE_TEXT.slice(0, 30));
    await clock.advance(3);
    line.say(TORQUE_TEXT.slice(30));
    expect(frames).toHaveLength(8);
    expect(pauses).toEqual([
      [5, startMs + 3],
      [8, startMs + 6],
    ]);
  });

  it("takes what has come when it is asked, ahead of the event", async () => {
    const { bus, line, frames } = await openBus();
    line.unread = TORQUE_TEXT;
    bus.readNow();
    expect(frames).toEqual([0x180, 0x184, 0x188, 0x18c]);
    bus.readNow();
    expect(frames).toHaveLength(4);
  });
});

describe("writing", () => {
  it("a piece is one write, and nothing is awaited between pieces", async () => {
    const { bus, clock, line } = await openBus();
    await clock.advance(3);
    line.text = "";
    expect(bus.write(TORQUES)).toBe(true);
    expect(line.text).toBe(TORQUE_TEXT);
    await clock.advance(3);
    expect(bus.write(TORQUES)).toBe(true);
    expect(bus.statistics()).toMatchObject({ framesSent: 8, framesDropped: 0 });
  });

  it("an adapter that takes nothing costs the piece, which is counted and never follows", async () => {
    const { bus, clock, line } = await openBus();
    await clock.advance(3);
    line.room = 0;
    line.text = "";
    expect(bus.write(TORQUES)).toBe(false);
    line.room = Number.POSITIVE_INFINITY;
    await clock.advance(100);
    expect(line.text).toBe("");
    expect(bus.statistics()).toMatchObject({ framesSent: 0, framesDropped: 4 });
  });

  it("of a piece that was begun the rest follows before anything else, so that no frame is cut", async () => {
    const { bus, clock, line } = await openBus();
    await clock.advance(3);
    line.text = "";
    line.room = 30;
    expect(bus.write(TORQUES)).toBe(true);
    expect(line.text).toBe(TORQUE_TEXT.slice(0, 30));
    line.room = 30;
    expect(bus.write(TORQUES)).toBe(false);
    expect(line.text).toBe(TORQUE_TEXT.slice(0, 30));
    await clock.advance(2);
    expect(line.text).toBe(TORQUE_TEXT.slice(0, 60));
    line.room = Number.POSITIVE_INFINITY;
    await clock.advance(2);
    expect(line.text).toBe(TORQUE_TEXT);
    expect(bus.write(TORQUES)).toBe(true);
    expect(bus.statistics()).toMatchObject({ framesSent: 8, framesDropped: 4 });
  });

  it("on a line too slow for the hand pieces are dropped before they are old", async () => {
    const { bus, clock } = await openBus(115_200);
    await clock.advance(50);
    let sent = 0;
    for (let step = 0; step < 1000; step++) {
      if (bus.write(TORQUES)) sent++;
      await clock.advance(3);
    }
    // 88 bytes take 7.6 ms: no more than the line carries, and about two thirds of that at least.
    const carried = (3000 + LINE_BACKLOG_MS_MAX) / ((88 * 10) / 115.2) + 1;
    expect(sent).toBeLessThanOrEqual(carried);
    expect(sent).toBeGreaterThan(0.65 * carried);
    expect(bus.statistics().framesDropped).toBe(4 * (1000 - sent));
  });

  it("a whole stop fits behind a step's torques", async () => {
    const { bus, clock } = await openBus();
    await clock.advance(3);
    expect(bus.write(TORQUES)).toBe(true);
    expect(
      bus.write([...TORQUES, { ...torque(0x104), length: 0, data: new Uint8Array() }, torque(0x204)]),
    ).toBe(true);
  });

  it("a frame that no bus could carry, no frame and too many frames are refused", async () => {
    const { bus, clock, line } = await openBus();
    await clock.advance(3);
    line.text = "";
    expect(bus.write([torque(0x180), torque(0x800)])).toBe(false);
    expect(bus.write([])).toBe(false);
    expect(bus.write(Array.from({ length: PIECE_FRAMES_MAX + 1 }, () => torque(0x180)))).toBe(false);
    expect(line.text).toBe("");
    expect(bus.statistics().framesDropped).toBe(2 + PIECE_FRAMES_MAX + 1);
  });
});

describe("an adapter that goes and comes", () => {
  it("is told as lost once, looked for with growing pauses, and set up again when it is back", async () => {
    const { bus, clock, line, states } = await openBus();
    line.unplug();
    expect(bus.state).toBe("lost");
    expect(bus.write(TORQUES)).toBe(false);
    await clock.advance(10_000);
    expect(states).toEqual(["lost: the adapter is gone (EIO)", "lost: there is no /dev/ttyACM0"]);
    // 100, 200, 400, 800, 1600 and then every 2000 ms.
    const growing = [1, 2, 4, 8, 16].map((factor) => factor * SEEK_MS_MIN);
    const tries = growing.length + Math.floor((10_000 - growing.reduce((a, b) => a + b)) / SEEK_MS_MAX);
    expect(line.opened - 1).toBe(tries);
    line.isPlugged = true;
    line.text = "";
    await clock.advance(SEEK_MS_MAX);
    expect(bus.state).toBe("up");
    expect(states.at(-1)).toBe("up");
    expect(line.text).toBe(OPENING);
    expect(bus.statistics()).toMatchObject({ reconnects: 1, framesDropped: 4 });
    await clock.advance(3);
    expect(bus.write(TORQUES)).toBe(true);
  });

  it("one that has spoken since is looked for as soon as the first time", async () => {
    const { bus, clock, line } = await openBus();
    for (let round = 0; round < 5; round++) {
      line.unplug();
      await clock.advance(3 * SEEK_MS_MIN);
      line.isPlugged = true;
      await clock.advance(4 * SEEK_MS_MIN);
      expect(bus.state).toBe("up");
      line.say("\r");
    }
  });

  it("half a line from before does not spoil the first frame after", async () => {
    const { clock, line, frames } = await openBus();
    line.say("t0808AA");
    line.unplug();
    line.isPlugged = true;
    await clock.advance(SEEK_MS_MIN);
    line.say(slcanText(torque(0x084)));
    expect(frames).toEqual([0x084]);
  });

  it("one that takes nothing for a second is given up, and what it had not taken never comes out", async () => {
    const { bus, clock, line, states } = await openBus();
    await clock.advance(3);
    line.room = 10;
    expect(bus.write(TORQUES)).toBe(true);
    await clock.advance(STUCK_MS + 10);
    expect(states).toEqual([`lost: the adapter takes nothing for ${STUCK_MS} ms`]);
    expect(line.closed).toBe(1);
    line.text = "";
    line.room = Number.POSITIVE_INFINITY;
    await clock.advance(SEEK_MS_MIN);
    expect(bus.state).toBe("up");
    expect(line.text).toBe(OPENING);
  });

  it("one that dies at the first byte is sought by one search, and is opened by nobody who was refused it", async () => {
    const { bus, clock, line, states } = await openBus();
    line.diesAtOnce = true;
    line.unplug();
    line.isPlugged = true;
    await clock.advance(10_000);
    expect(line.opened - 1).toBeLessThanOrEqual(5 + 10_000 / SEEK_MS_MAX);
    expect(states.length).toBeLessThan(4);
    line.diesAtOnce = false;
    await clock.advance(SEEK_MS_MAX);
    expect(states.at(-1)).toBe("up");
    expect(bus.statistics().reconnects).toBe(1);
    expect(line.opened - line.closed, "lines open").toBe(1);

    const refused = new FakeLine();
    refused.diesAtOnce = true;
    const open = openSlcanBus({ path: "/dev/x", baudRate: 1e6, bitrate: 1e6, clock, openLine: refused.open });
    const told: string[] = [];
    const listener = { onFrame: () => {}, onState: (state: string) => void told.push(state) };
    await expect(open(listener, new AbortController().signal)).rejects.toThrow(/does not take/);
    refused.diesAtOnce = false;
    await clock.advance(10_000);
    expect([refused.opened, told]).toEqual([1, []]);
  });

  it("what was begun or behind on the old one is no burden on the new one, and its bytes are not read", async () => {
    const { bus, clock, line, frames } = await openBus(115_200);
    await clock.advance(30);
    line.room = 10;
    expect(bus.write(TORQUES)).toBe(true);
    const old = line.listener;
    line.unplug();
    line.isPlugged = true;
    line.room = Number.POSITIVE_INFINITY;
    line.text = "";
    await clock.advance(SEEK_MS_MIN);
    await clock.advance(3);
    expect(bus.write(TORQUES.slice(0, 1))).toBe(true);
    expect(line.text).toBe(OPENING + slcanText(TORQUES[0]!));
    old!.onBytes(Uint8Array.from(Buffer.from(slcanText(torque(0x084)), "latin1")));
    expect(frames).toEqual([]);
    old!.onLost("long ago");
    expect(bus.state).toBe("up");
  });

  it("one that comes back and hangs again is not tried ever faster", async () => {
    const { bus, clock, line } = await openBus();
    await clock.advance(3);
    line.room = 0;
    for (let ms = 0; ms < 60_000; ms += 3) {
      bus.write(TORQUES);
      if (bus.state === "lost") line.room = OPENING.length;
      await clock.advance(3);
    }
    expect(line.opened).toBeLessThan(60_000 / (STUCK_MS + SEEK_MS_MAX) + 6);
  });
});

describe("the state of the bus", () => {
  it("bus-off is told; frames are dropped until the channel has been opened anew", async () => {
    const { bus, clock, line, states } = await openBus();
    await clock.advance(3);
    line.text = "";
    line.say(slcanStateText("off", 256, 256));
    expect(bus.state).toBe("busOff");
    expect(bus.write(TORQUES)).toBe(false);
    expect(line.text).toBe("");
    await clock.advance(RESTART_MS_MIN);
    expect(line.text).toBe(OPENING);
    expect(states).toEqual(["busOff: error counters 256 receiving, 256 sending", "up"]);
    expect(bus.statistics()).toMatchObject({ busOffs: 1, framesDropped: 4 });
  });

  it("a controller that comes back by itself is up with its first frame or better state", async () => {
    for (const proof of [slcanText(torque(0x080)), slcanStateText("active", 0, 0)]) {
      const { bus, line } = await openBus();
      line.say(slcanStateText("off", 256, 256));
      line.say(proof);
      expect(bus.state).toBe("up");
    }
  });

  it("a bus that stays off is tried with growing pauses, one at a time", async () => {
    const { bus, clock, line } = await openBus();
    await clock.advance(3);
    line.text = "";
    for (let ms = 0; ms < 20_000; ms += 10) {
      if (bus.state === "up") line.say(slcanStateText("off", 256, 256));
      await clock.advance(10);
    }
    const tries = line.text.split(OPENING).length - 1;
    expect(tries).toBeGreaterThan(20_000 / RESTART_MS_MAX - 1);
    expect(tries).toBeLessThan(20_000 / RESTART_MS_MAX + 6);
    expect(bus.statistics().busOffs).toBeLessThanOrEqual(tries + 1);
  });

  it("each time that it goes off has its own pause, a short one if frames have come since", async () => {
    const { bus, clock, line } = await openBus();
    line.text = "";
    for (let round = 0; round < 5; round++) {
      line.say(slcanStateText("off", 256, 256));
      await clock.advance(0.5 * RESTART_MS_MIN);
      line.say(slcanText(torque(0x080)));
      line.say(slcanStateText("off", 256, 256));
      await clock.advance(0.9 * RESTART_MS_MIN);
      expect(line.text).toBe("");
      await clock.advance(0.2 * RESTART_MS_MIN);
      expect(line.text).toBe(OPENING);
      expect(bus.state).toBe("up");
      line.say(slcanText(torque(0x080)));
      line.text = "";
    }
  });

  it("error lines are counted, warnings of the controller are not", async () => {
    const { bus, line, states } = await openBus();
    line.say(`e1a\re3bcO\r${slcanStateText("warning", 96, 0)}${slcanStateText("passive", 128, 0)}`);
    expect(bus.statistics()).toMatchObject({ errors: 2, bytesDiscarded: 0 });
    expect(states).toEqual([]);
  });
});

describe("closing", () => {
  it("lets the last frames reach the bus before the channel is closed", async () => {
    const { bus, clock, line } = await openBus();
    await clock.advance(3);
    bus.write(TORQUES);
    line.text = "";
    const closing = bus.close();
    expect(bus.write(TORQUES)).toBe(false);
    for (let ms = 1; ms <= 5; ms++) {
      await clock.advance(1);
      expect(line.text).toBe("");
    }
    await clock.advance(100);
    await closing;
    expect(line.text).toBe("C\r");
    expect(line.closed).toBe(1);
  });

  it("ends in bounded time when the adapter hangs, and once", async () => {
    const { bus, clock, line } = await openBus();
    await clock.advance(3);
    line.room = 10;
    bus.write(TORQUES);
    await closed(bus, clock);
    await bus.close();
    expect(line.closed).toBe(1);
  });

  it("ends the search for a lost adapter, and no state is told any more", async () => {
    const { bus, clock, line, states } = await openBus();
    line.unplug();
    await closed(bus, clock);
    line.isPlugged = true;
    await clock.advance(5000);
    expect(line.opened).toBe(1);
    expect(states).toHaveLength(1);
  });
});
