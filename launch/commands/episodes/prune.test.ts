import { PassThrough } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { Person } from "./prune.js";

describe("a person who prunes", () => {
  const start = () => {
    const input = new PassThrough();
    const said: string[] = [];
    return {
      input,
      said,
      person: new Person(input, (line) => said.push(line)),
      ended: new AbortController(),
    };
  };
  const types = async (input: PassThrough, text: string) => {
    input.write(text);
    for (let i = 0; i < 5; i++) await turn();
  };

  it("is asked until the answer is one", async () => {
    const { input, said, person, ended } = start();
    const verdict = person.judges("reach/episode-000001", ended.signal);
    await types(input, "\n");
    await types(input, "perhaps\n");
    await types(input, " Drop it\n");
    expect(await verdict).toBe("drop");
    expect(said).toEqual(Array(3).fill("reach/episode-000001: [k]eep, [d]rop, [a]gain or [q]uit?"));
    person.close();
  });

  it("has not answered by what was typed before the question", async () => {
    const { input, person, ended } = start();
    await types(input, "d\n");
    const verdict = person.judges("x", ended.signal);
    await types(input, "k\n");
    expect(await verdict).toBe("keep");
    const next = person.judges("x", ended.signal);
    await types(input, "a\n");
    expect(await next).toBe("again");
    person.close();
  });

  it("quits by leaving, and when the cell ends", async () => {
    const left = start();
    const verdict = left.person.judges("x", left.ended.signal);
    left.input.end();
    expect(await verdict).toBe("quit");
    expect(await left.person.judges("x", left.ended.signal)).toBe("quit");
    const { person, ended } = start();
    const other = person.judges("x", ended.signal);
    ended.abort();
    expect(await other).toBe("quit");
    person.close();
  });
});
