/**
 * The guardian of one Allegro Hand. A second process, because the hand has no watchdog: when the process that drives it
 * dies in any way, this one sends LIMP (zero torque, servo off, streams off) and ends. It knows of the other's end by
 * the end of its standard input, which the kernel closes whatever killed it.
 *
 * Standard input: one JSON line (`GuardianConfig`), then words, one a line:
 *   `hold`    open the adapter and keep it open; answered by one JSON line
 *   `beat`    the hand is powered and its driver works; silence after that means LIMP as well. Answered now and then,
 *             so that the driver knows of a guardian that hangs
 *   `rest`    the hand is limp; silence means nothing
 *   `letGo`   the adapter was unplugged: close it, or it could not come back under its name
 *   `orderly` all is in order: end without a word on the wire
 * Signals that end a group of processes do not end this one: it must outlive the other, and ends with it. An adapter
 * that cannot be reached while the hand may be powered is waited for.
 */
import { sleepMs } from "../../core/clock.js";
import { errorText } from "../../core/errors.js";
import { GuardianConfig } from "../allegro/guardianConfig.js";
import { type LimpWriter, limpWriter } from "../allegro/limpWriter.js";
import { createLog } from "../log.js";
import { makeThisThreadFifo } from "../realtime.js";
import { systemClock } from "../systemClock.js";

/** LIMP twice: an adapter with a small buffer may have dropped of the first what came on top of torque frames. */
const AGAIN_MS = 20;
const TIMES = 2;
/** Somebody who has knocked an adapter out plugs it in again within this time. */
const WAIT_MS_MAX = 60_000;
const WAIT_STEP_MS = 100;
const LOOKS_PER_SILENCE = 4;
const ALIVE_MS = 100;
const LINE_BYTES_MAX = 64 * 1024;

const log = createLog("info", 2);
let config: GuardianConfig | undefined;
let limp: LimpWriter | undefined;
let isEnding = false;
let beatMs = Number.NaN;
let aliveMs = Number.NaN;
/** The hand has been powered, and neither its driver nor this process has made it limp since. */
let owesLimp = false;
/** How LIMP has left, and why it did not, of the last try. */
let way = "";
let failure = "";

for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => {});
process.on("uncaughtException", (thrown) => void end(`a defect of the guardian: ${errorText(thrown)}`));

let rest = "";
process.stdin.on("data", (chunk: Buffer) => {
  const lines = (rest + chunk.toString()).split("\n");
  rest = lines.pop()!.slice(0, LINE_BYTES_MAX);
  for (const line of lines) obey(line);
});
process.stdin.on("error", () => void end("the pipe to the servo process broke"));
process.stdin.on("end", () => void end("the servo process is gone"));

function obey(line: string): void {
  if (config === undefined) {
    start(line);
    return;
  }
  switch (line) {
    case "hold":
      void hold();
      return;
    case "beat":
      beatMs = systemClock.nowMs();
      owesLimp = true;
      tellAlive(beatMs);
      return;
    case "rest":
      beatMs = Number.NaN;
      owesLimp = false;
      return;
    case "letGo":
      limp?.letGo();
      return;
    case "orderly":
      process.exit(0);
      return;
    default:
      log.warn({ event: "guardian.word" }, `unknown word ${line.slice(0, 40)}`);
  }
}

function start(line: string): void {
  try {
    config = GuardianConfig.parse(JSON.parse(line));
  } catch (thrown) {
    answer({ error: errorText(thrown) });
    process.exit(1);
  }
  limp = limpWriter(config.can, systemClock);
  makeThisThreadFifo(config.realtimePriority);
  void watchBeats(config.silenceMsMax);
}

async function hold(): Promise<void> {
  try {
    await limp?.hold();
    answer({ holds: limp?.name });
  } catch (thrown) {
    answer({ error: errorText(thrown) });
  }
}

/** Not-a-number, while nothing is to be heard, is never too old. */
async function watchBeats(silenceMsMax: number): Promise<void> {
  while (!isEnding) {
    await sleepMs(systemClock, silenceMsMax / LOOKS_PER_SILENCE);
    // Whoever was held up itself reads the beats that wait in the pipe before it calls another one dead.
    await nextTurn();
    const silentMs = systemClock.nowMs() - beatMs;
    if (isEnding || !(silentMs > silenceMsMax)) continue;
    const why = `the servo process has given no sign of life for ${Math.round(silentMs)} ms`;
    // What did not leave is tried again at the next look.
    if (!send(why)) continue;
    beatMs = Number.NaN;
    tell(why);
  }
}

async function end(why: string): Promise<void> {
  if (isEnding) return;
  isEnding = true;
  const isPowered = owesLimp;
  const startMs = systemClock.nowMs();
  let sent = 0;
  while (sent < TIMES) {
    if (send(why)) sent++;
    else if (sent > 0 || !isPowered || systemClock.nowMs() - startMs > WAIT_MS_MAX) break;
    await sleepMs(systemClock, failure === "" ? AGAIN_MS : WAIT_STEP_MS);
  }
  // Only now: a log that nobody reads must not keep back the second one.
  if (sent > 0) tell(why);
  process.exit(0);
}

/** One try. Each reason why it fails is told once. @returns whether LIMP has left */
function send(why: string): boolean {
  try {
    way = limp?.send() ?? "nothing was to be sent: no adapter was named yet";
    failure = "";
    owesLimp = false;
    return true;
  } catch (thrown) {
    const found = errorText(thrown);
    if (found !== failure)
      log.error(
        { event: "guardian.failed", robot: config?.robot },
        `${why}, but LIMP did not leave: ${found}`,
      );
    failure = found;
    return false;
  }
}

function tell(why: string): void {
  const did = `zero torque, servo off, streams off, ${way}`;
  log.warn({ event: "guardian.limp", robot: config?.robot }, `${why}: ${did}`);
}

function tellAlive(nowMs: number): void {
  if (isEnding || nowMs - aliveMs < ALIVE_MS) return;
  aliveMs = nowMs;
  answer({ alive: true });
}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

function answer(message: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
