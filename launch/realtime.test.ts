import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { parseThread, pinThisThread, threadsOf } from "./realtime.js";

const stat = (name: string, priority: number, policy: number) =>
  `77 (${name}) S 1 ${Array.from({ length: 34 }, (_, i) => i).join(" ")} 0 ${priority} ${policy} 0 0 0`;

describe("threads", () => {
  it("reads class, priority and CPUs, whatever the thread is called", () => {
    const status = "Name:\tnode\nCpus_allowed:\t3\nCpus_allowed_list:\t0-1\n";
    expect(parseThread(77, stat("a) R (b", 80, 1), status)).toEqual({
      threadId: 77,
      name: "a) R (b",
      policy: "SCHED_FIFO",
      priority: 80,
      cpus: "0-1",
    });
    expect(parseThread(77, stat("node", 0, 0), "")).toMatchObject({ policy: "SCHED_OTHER", cpus: "?" });
  });

  it("lists its own, the main thread first", () => {
    const threads = threadsOf("self");
    expect(threads[0]).toMatchObject({ threadId: process.pid });
    expect(threads.length).toBeGreaterThan(1);
    for (const { policy, cpus } of threads) {
      expect(policy).toMatch(/^SCHED_/);
      expect(cpus).toMatch(/^[\d,-]+$/);
    }
    expect(threadsOf(2 ** 30)).toEqual([]);
  });
});

describe("pinThisThread", () => {
  it("refuses a CPU that is not there by the field's name, and says which there are", () => {
    expect(() => pinThisThread([1023], "servo.cpus")).toThrow(/servo\.cpus is \[1023\].*it has 0 to \d+/s);
  });

  it("pins the calling thread alone", () => {
    // In a process of its own, because later threads of a test runner would inherit it.
    const module = JSON.stringify(new URL("../dist/launch/realtime.js", import.meta.url).href);
    const script = `import { pinThisThread, threadsOf } from ${module};
      pinThisThread([0], "servo.cpus");
      console.log(JSON.stringify(threadsOf("self").map(({ cpus }) => cpus)));`;
    const output = execFileSync(process.execPath, ["--input-type=module", "-e", script], {
      encoding: "utf8",
    });
    const [loop, ...others] = JSON.parse(output) as string[];
    expect(loop).toBe("0");
    if (others.some((cpus) => cpus !== "0")) expect(others).not.toContain("0");
  });
});
