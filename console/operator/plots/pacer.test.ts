import { describe, expect, it } from "vitest";
import { fakeTelemetry } from "../../../test/support/console/fakeCell.js";
import { PageSimClock } from "../../../test/support/console/pageSimClock.js";
import { History, jointKey } from "../state/history.js";
import { PlotPacer } from "./pacer.js";

const KEY = jointKey("arm", "sentRad", 0);

describe("drawing of plots", () => {
  function rig() {
    const clock = new PageSimClock();
    const history = new History();
    const page = { isVisible: true };
    const pacer = new PlotPacer(clock, history, () => page.isVisible);
    const drawn: number[][] = [];
    clock.every(1000 / 30, () => history.add(clock.nowMs() / 1000, fakeTelemetry(clock.nowMs() / 1000, 0)));
    const end = pacer.add((nowS, shown) => void drawn.push([...shown.read([KEY], nowS, [])[1]!]));
    return { clock, page, pacer, drawn, end };
  }

  it("paused shows the same half minute for as long as somebody looks, then what is new", () => {
    const { clock, pacer, drawn } = rig();
    clock.advance(40_000);
    pacer.isPaused = true;
    clock.advance(100);
    const before = drawn.at(-1)!;
    expect(before.length).toBeGreaterThan(800);
    clock.advance(120_000);
    expect(drawn.at(-1)).toEqual(before);
    pacer.isPaused = false;
    clock.advance(100);
    expect(drawn.at(-1)).not.toEqual(before);
    expect(drawn.at(-1)!.length).toBeGreaterThan(800);
  });

  it("rests while the page is hidden, and ends with its last plot", () => {
    const { clock, page, drawn, end } = rig();
    clock.advance(1000);
    page.isVisible = false;
    const count = drawn.length;
    clock.advance(1000);
    expect(drawn.length).toBe(count);
    page.isVisible = true;
    clock.advance(1000);
    expect(drawn.length).toBeGreaterThan(count);
    end();
    const last = drawn.length;
    clock.advance(1000);
    expect(drawn.length).toBe(last);
  });
});
