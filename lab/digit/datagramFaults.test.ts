import { beforeEach, describe, expect, it } from "vitest";
import { FaultyPath } from "./datagramFaults.js";
import { DigitFaults } from "./digitFaults.js";

let faults: DigitFaults;
let arrived: { atMs: number; number: number; bytes: number[] }[];
let path: FaultyPath<undefined>;
let nowMs: number;

beforeEach(() => {
  nowMs = 0;
  faults = new DigitFaults();
  arrived = [];
  path = new FaultyPath("observations", faults, 1, (datagram) =>
    arrived.push({ atMs: nowMs, number: datagram[0]!, bytes: [...datagram] }),
  );
});

const hold = (name: string, condition: object) =>
  faults.begin(name as never, condition as never, Number.POSITIVE_INFINITY);

/** One datagram a millisecond, its number and nineteen sevens. */
function send(count: number): void {
  const datagram = Buffer.alloc(20, 7);
  for (let number = 0; number < count; number++) {
    nowMs++;
    path.release(nowMs);
    datagram[0] = number;
    path.carry(datagram, undefined, nowMs);
  }
  nowMs += 100;
  path.release(nowMs);
}
const numbers = () => arrived.map(({ number }) => number);

describe("a faulty network", () => {
  it("carries everything in order while nothing is wrong", () => {
    send(50);
    expect(numbers()).toEqual(Array.from({ length: 50 }, (_, number) => number));
  });

  it("loses its share, the same ones each time", () => {
    hold("loses", { side: "both", share: 0.3 });
    send(200);
    expect(path.lost).toBeGreaterThan(40);
    expect(path.lost).toBeLessThan(80);
    expect(arrived.length + path.lost).toBe(200);
  });

  it("leaves the other direction alone", () => {
    hold("loses", { side: "commands", share: 1 });
    send(10);
    expect(arrived.length).toBe(10);
  });

  it("delays by as much as it is told, although the sender reuses its bytes", () => {
    hold("delays", { side: "observations", ms: 5 });
    send(10);
    expect(numbers()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(arrived[0]!.atMs).toBe(6);
  });

  it("lets one overtake another, and repeats", () => {
    hold("reorders", { side: "both", share: 1 });
    send(4);
    expect(numbers()).toEqual([1, 0, 3, 2]);
    faults.end("reorders");
    arrived.length = 0;
    hold("repeats", { side: "both", times: 2 });
    send(2);
    expect(numbers()).toEqual([0, 0, 0, 1, 1, 1]);
  });

  it("changes one bit behind the length, or cuts", () => {
    hold("garbles", { side: "both", share: 1 });
    send(1);
    const wrong = arrived[0]!.bytes.flatMap((byte, index) => (byte === (index === 0 ? 0 : 7) ? [] : [index]));
    expect(wrong.length).toBe(1);
    expect(wrong[0]).toBeGreaterThanOrEqual(4);
    faults.end("garbles");
    hold("cuts", { side: "both", bytes: 3, share: 1 });
    send(1);
    expect(arrived[1]!.bytes.length).toBe(3);
    expect(path.damaged).toBe(2);
  });

  it("blocks what one packet cannot hold", () => {
    hold("blocksFragments", {});
    path.carry(new Uint8Array(1473), undefined, 0);
    path.carry(new Uint8Array(1472), undefined, 0);
    expect([arrived.length, path.lost]).toEqual([1, 1]);
  });
});
