/** The safety manual names every trigger with the response that the servo has. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { repositoryRootUrl } from "../core/entry.js";
import { SERVO_STATES } from "../runtime/servo/api.js";
import { TRIGGERS } from "../runtime/servo/triggers.js";

const page = readFileSync(new URL("docs/safety.md", repositoryRootUrl()), "utf8");
const rows = [...page.matchAll(/^\| `(\w+)` \| (\w+) \|/gm)].map(([, name, response]) => [name, response]);

describe("docs/safety.md", () => {
  it("lists all triggers, each with its response, and no other", () => {
    const expected = Object.entries(TRIGGERS).map(([name, { response }]) => [name, response]);
    expect(rows.sort()).toEqual(expected.sort());
  });

  it("names every state", () => {
    for (const state of SERVO_STATES) expect(page).toContain(`\`${state}\``);
  });
});
