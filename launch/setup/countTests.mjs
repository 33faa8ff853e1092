/**
 * Sums what the test stages left in a folder and prints `N passed, N failed` as its last line; exit code 1 if any failed.
 *   node countTests.mjs FOLDER STAGE...   the stages that had to run
 * Before that it names the tests that failed: the stages' own output is long, and what keeps a log may keep its end only.
 * A stage that ended with an error though no test of it failed (it broke off, or was never reached) counts as one failure.
 */
import { existsSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

const [folder, ...stages] = process.argv.slice(2);

const read = (name) =>
  existsSync(join(folder, name)) ? readFileSync(join(folder, name), "utf8") : undefined;

/** @returns {{ passed: number, failed: number }} of vitest's JSON or pytest's JUnit XML, zeros where neither exists */
function countsOf(stage) {
  const json = read(`${stage}.json`);
  if (json !== undefined) {
    const { numPassedTests, numFailedTests } = JSON.parse(json);
    return { passed: numPassedTests, failed: numFailedTests };
  }
  const suite = /<testsuite [^>]*>/.exec(read(`${stage}.xml`) ?? "")?.[0];
  if (suite === undefined) return { passed: 0, failed: 0 };
  const attribute = (name) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(suite)?.[1] ?? 0);
  const failed = attribute("failures") + attribute("errors");
  return { passed: attribute("tests") - failed - attribute("skipped"), failed };
}

const MESSAGE_CHARS_MAX = 300;
const shortened = (text) => text.replaceAll("\u001b", "").replace(/\s+/g, " ").slice(0, MESSAGE_CHARS_MAX);

/** @returns {string[]} one line for each failed test: where it is, what it is called, what it said */
function failuresOf(stage) {
  const json = read(`${stage}.json`);
  if (json !== undefined)
    return JSON.parse(json).testResults.flatMap(({ name, message, status, assertionResults }) => {
      const failed = assertionResults.filter((test) => test.status === "failed");
      const file = relative(process.cwd(), name);
      if (failed.length === 0) return status === "failed" ? [`${file}: ${shortened(message)}`] : [];
      return failed.map((test) => `${file}: ${test.fullName}: ${shortened(test.failureMessages.join(" "))}`);
    });
  const cases = (read(`${stage}.xml`) ?? "").matchAll(
    /<testcase classname="([^"]*)" name="([^"]*)"[^>]*><(?:failure|error) message="([^"]*)"/g,
  );
  return [...cases].map(([, group, name, message]) => `${group}::${name}: ${shortened(message)}`);
}

const total = { passed: 0, failed: 0 };
for (const stage of stages) {
  const { passed, failed } = countsOf(stage);
  const ended = read(`${stage}.code`)?.trim();
  const broken = ended !== "0" && failed === 0 ? 1 : 0;
  total.passed += passed;
  total.failed += failed + broken;
  console.log(
    `${stage}: ${passed} passed, ${failed} failed${broken ? `; the stage itself ${ended === undefined ? "did not run" : `ended with code ${ended}`}` : ""}`,
  );
  for (const line of failuresOf(stage)) console.log(`  failed: ${line}`);
}
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 ? 0 : 1;
