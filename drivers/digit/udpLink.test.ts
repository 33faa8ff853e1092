/** The link over real sockets in simulated time, against a robot's side that answers late, damaged, or from elsewhere. */
import { createSocket, type Socket } from "node:dgram";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sleepMs } from "../../core/clock.js";
import { SimClock } from "../../core/simClock.js";
import { systemClock } from "../../launch/systemClock.js";
import { createCommand, DigitObservation, StreamReader } from "./protocol/index.js";
import { countedObservation, ObservationSource, SOME_LIMITS } from "./testing.js";
import { DigitUdpLink } from "./udpLink.js";

const never = new AbortController().signal;

let clock: SimClock;
let link: DigitUdpLink;
/** The robot's ears, and the socket by which it speaks. */
let ears: Socket;
let mouth: Socket;
let heard: Buffer[];
let observationPort: number;
let states: string[];
const sockets: Socket[] = [];

async function socket(port = 0): Promise<Socket> {
  const made = createSocket("udp4");
  await new Promise<void>((done) => made.bind(port, "127.0.0.1", done));
  sockets.push(made);
  return made;
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const taken = await socket();
  const { port } = taken.address();
  await new Promise<void>((done) => taken.close(() => done()));
  sockets.splice(sockets.indexOf(taken), 1);
  return port;
}

/** Waits, in real time, until it holds. */
async function until(holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 500 && !holds(); turn++) await sleepMs(systemClock, 2);
  expect(holds()).toBe(true);
}

/** Sends messages of the robot and waits until each has been read. */
async function say(datagrams: readonly Uint8Array[], from = mouth): Promise<void> {
  for (const datagram of datagrams) from.send(datagram, observationPort, "127.0.0.1");
  const before = received;
  await until(() => received >= before + datagrams.length);
}
let received = 0;

beforeEach(async () => {
  clock = new SimClock();
  ears = await socket();
  mouth = await socket();
  heard = [];
  states = [];
  received = 0;
  ears.on("message", (datagram) => heard.push(datagram));
  observationPort = await freePort();
  link = new DigitUdpLink({
    clock,
    host: "localhost",
    commandPort: ears.address().port,
    observationPort,
  });
  link.onState((state, reason) => states.push(`${state}: ${reason}`));
  await link.open(never);
});

afterEach(async () => {
  await link.close();
  for (const each of sockets.splice(0)) each.close();
});

describe("commands", () => {
  it("go out with their description, which a robot understands, and then a part of it each 100 ms", async () => {
    const command = createCommand();
    for (let ms = 0; ms < 450; ms += 10) {
      expect(link.send(command)).toBe(true);
      await clock.advance(10);
    }
    await until(() => heard.length === 45 + 4 + 4);
    expect(link.counters.sent).toBe(45);
    const letters = (datagram: Buffer) => datagram.toString("latin1", 4, 8);
    expect(heard.slice(0, 5).map(letters)).toEqual(["STRT", "ENUM", "DESC", "DEND", "UDAT"]);
    expect(
      heard
        .slice(5)
        .map(letters)
        .filter((each) => each !== "UDAT"),
    ).toEqual(["STRT", "ENUM", "DESC", "DEND"]);
    let messages = 0;
    const robot = new StreamReader({
      onDescription: () => undefined,
      onMessage: () => messages++,
      onLost: (reason) => expect(reason).toBe(""),
    });
    for (const datagram of heard) robot.push(datagram, "127.0.0.1", 1, 0);
    expect(messages).toBe(45);
  });

  it("are not sent before the link is open, nor after its end", async () => {
    await link.close();
    expect(link.send(createCommand())).toBe(false);
  });
});

describe("observations", () => {
  const source = new ObservationSource();

  beforeEach(() => {
    link.onObservation(() => received++);
  });

  it("are read once the description is whole, stamped on receipt", async () => {
    const seen: [number, number][] = [];
    link.onObservation((observation, receivedMs) => seen.push([observation.timeS, receivedMs]));
    await clock.advance(7);
    for (const chunk of source.stream.chunks) mouth.send(chunk, observationPort, "127.0.0.1");
    await until(() => link.state === "live");
    expect(states).toEqual(["live: the robot's description is complete"]);
    expect(link.missing).toEqual([]);
    expect(link.limits?.torqueNm).toEqual(SOME_LIMITS.torqueNm);
    expect(link.observation.timeS).toBeNaN();
    expect(link.receivedMs).toBe(Number.NEGATIVE_INFINITY);
    await say([source.message()]);
    expect([...link.observation.values]).toEqual([...countedObservation().values]);
    expect(seen).toEqual([[countedObservation().timeS, clock.nowMs()]]);
    expect(link.describeState()).toBe(`live, from 127.0.0.1:${mouth.address().port}`);
  });

  it("that were overtaken are thrown away, that come twice are counted, and a clock that begins anew counts", async () => {
    for (const chunk of source.stream.chunks) mouth.send(chunk, observationPort, "127.0.0.1");
    const times: number[] = [];
    link.onObservation(({ timeS }) => times.push(timeS));
    for (const timeS of [5, 5.002, 5.001, 5.002, 5.003, 0.001])
      mouth.send(source.message(at(timeS)), observationPort, "127.0.0.1");
    await until(() => times.length === 5);
    expect(times).toEqual([5, 5.002, 5.002, 5.003, 0.001]);
    expect(link.counters).toMatchObject({ observations: 5, reordered: 1, repeated: 1 });
  });

  it("end with 100 ms of silence, and come again from a robot that was started anew", async () => {
    for (const chunk of source.stream.chunks) mouth.send(chunk, observationPort, "127.0.0.1");
    await say([source.message()]);
    await clock.advance(99);
    expect(link.state).toBe("live");
    await clock.advance(30);
    expect(link.state).toBe("silent");
    expect(link.limits).toBeUndefined();
    expect(states.at(-1)).toMatch(/^silent: no valid datagram for 1\d\d ms$/);
    const again = await socket();
    const other = new ObservationSource({ float: "f32" });
    for (const chunk of other.stream.chunks) again.send(chunk, observationPort, "127.0.0.1");
    await say([other.message()], again);
    expect(link.counters).toMatchObject({ lost: 1, observations: 2 });
  });

  it("of a robot that lacks fields say which, and have no number there", async () => {
    const poor = new ObservationSource(
      { arrange: (fields) => fields.filter(({ name }) => name !== "left_knee.velocity") },
      { ...SOME_LIMITS, errorShutdownDelayS: undefined },
    );
    for (const chunk of poor.stream.chunks) mouth.send(chunk, observationPort, "127.0.0.1");
    await say([poor.message()]);
    expect(link.missing).toEqual(["left_knee.velocity"]);
    expect(link.observation.motorVelocityRadPerS[3]).toBeNaN();
    expect(link.limits?.errorShutdownDelayS).toBeUndefined();
  });

  it("do not count from another address than the robot's", async () => {
    const stranger = createSocket("udp4");
    sockets.push(stranger);
    await new Promise<void>((done) => stranger.bind(0, "127.0.0.2", done));
    for (const chunk of source.stream.chunks) stranger.send(chunk, observationPort, "127.0.0.1");
    await until(() => link.counters.foreign === source.stream.chunks.length);
    expect(link.state).toBe("silent");
    expect(link.describeState()).toMatch(
      /datagrams of 127\.0\.0\.2:\d+ do not count, because localhost is 127\.0\.0\.1/,
    );
  });

  it("without the large datagrams say that fragments are lost", async () => {
    const [strt, , , dend] = source.stream.chunks as [Buffer, Buffer, Buffer, Buffer];
    for (const datagram of [strt, source.message(), strt, source.message()])
      mouth.send(datagram, observationPort, "127.0.0.1");
    await until(() => link.state === "describing");
    expect(link.describeState()).toContain("fragments");
    mouth.send(dend, observationPort, "127.0.0.1");
    await until(() => states.length === 1);
    expect(states[0]).toMatch(/^describing: description checksum/);
  });
});

it("a port that another program has is refused with its number", async () => {
  const second = new DigitUdpLink({ clock, host: "127.0.0.1", commandPort: 1, observationPort });
  await expect(second.open(never)).rejects.toMatchObject({
    code: "PORT_IN_USE",
    happened: expect.stringContaining(String(observationPort)),
  });
  expect(second.send(createCommand())).toBe(false);
});

it("a host without an address is refused with its name", async () => {
  const lost = new DigitUdpLink({ clock, host: "no such host", commandPort: 1, observationPort });
  await expect(lost.open(never)).rejects.toMatchObject({
    code: "DEVICE_UNREACHABLE",
    happened: expect.stringContaining("no such host"),
  });
});

function at(timeS: number): DigitObservation {
  const observation = new DigitObservation();
  observation.values[0] = timeS;
  return observation;
}
