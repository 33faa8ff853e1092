/** An explanation in words. Short lines, what matters first. */
import type { Explanation, Incident, IncidentKind } from "./explanation.js";

const LABEL_WIDTH = 12;
const LINE_WIDTH = 100;
const TIME_WIDTH = 11;

const HEADLINES: Record<IncidentKind, (robot: string) => string> = {
  stop: (robot) => `${robot} was stopped`,
  fault: (robot) => `${robot} was stopped by a fault of its device`,
  linkLoss: (robot) => `${robot} lost the connection to its device`,
  leaseEnd: (robot) => `${robot} lost its commander and holds`,
  hold: (robot) => `${robot} holds`,
  death: (robot) => `The servo process of ${robot} ended without a word`,
};

/** @param timeZone for tests; the reader's own otherwise */
export function explanationText(explanation: Explanation, timeZone?: string): string {
  const { incidents } = explanation;
  const parts =
    incidents.length === 0
      ? [nothing(explanation)]
      : incidents.map((one) => incidentText(one, explanation, timeZone));
  return [...parts, footer(explanation)].filter((part) => part !== "").join("\n\n");
}

function nothing({ robot, record }: Explanation): string {
  if (record.sessionCount === 0)
    return (
      `There is no black box of ${robot} in ${record.folder}.\n` +
      "It is written as soon as the cell runs, and lost when this computer starts anew.\n" +
      "Where another user runs the cell, ask as that user."
    );
  return `Nothing has stopped ${robot} in the ${duration(record.reachesBackS ?? 0)} that the black box reaches back.`;
}

function incidentText(incident: Incident, explanation: Explanation, timeZone: string | undefined): string {
  const { kind, atEpochMs, agoS } = incident;
  const when = localTime(atEpochMs, timeZone);
  const lines = [`${HEADLINES[kind](explanation.robot)}, ${duration(agoS)} ago (${when}).`, ""];
  lines.push(...section("Why", whyLines(incident)));
  lines.push(...section("What to do", todoLines(incident, explanation)));
  lines.push(...section("Commanded", commandLines(incident)));
  lines.push(...section("Limits", limiterLines(incident)));
  lines.push(...section("Device", deviceLines(incident)));
  lines.push(...section("How fast", timingLines(incident)));
  lines.push(...section("Stood at", poseLines(incident)));
  lines.push(...section("Events", chainLines(incident)));
  return lines.join("\n");
}

function whyLines({ cause, happened, fault, trigger, repeatedCount, stateBefore }: Incident): string[] {
  const lines = [sentence(cause)];
  if (fault !== null) lines.push(`${fault.code}, the device's code ${fault.deviceCode}.`);
  else if (trigger !== null) lines.push(`${sentence(`It said: ${happened}`)} [${trigger}]`);
  if (repeatedCount > 0)
    lines.push(`The same came ${repeatedCount} more ${repeatedCount === 1 ? "time" : "times"}.`);
  if (stateBefore !== null) lines.push(`Before, the servo was ${stateBefore}.`);
  return lines;
}

function todoLines(incident: Incident, { now }: Explanation): string[] {
  if (incident.goneOnAfterMs !== null) {
    const after = duration(incident.goneOnAfterMs / 1000);
    return [
      `Nothing: it went on ${after} later.`,
      ...incident.remedies.map((remedy) => `If it returns: ${remedy}.`),
    ];
  }
  const lines = incident.remedies.map((remedy) => `${remedy}.`);
  if (incident.kind !== "death" && now.process === "died")
    lines.unshift("The servo process is gone by now: start the cell again first.");
  if (incident.kind !== "death" && now.process === "ended")
    lines.unshift("The servo process has ended in order since: start the cell again first.");
  return lines;
}

function commandLines({ command }: Incident): string[] {
  if (command === null) return ["Nobody commanded at that moment."];
  const age = command.ageMs === null ? "" : `, given ${ms(command.ageMs)} before`;
  const input = command.inputAgeMs === null ? "" : `, made from inputs up to ${ms(command.inputAgeMs)} old`;
  return [
    `Command ${command.seq} of ${command.commander}${age}${input}. Joints in degrees, base to tool:`,
    row("target", command.targetRad),
    row("sent", command.sentRad),
    row("measured", command.measuredRad),
  ];
}

function limiterLines({ limiter }: Incident): string[] {
  const { tickCount, changedTickCount, ticksByReason, missedTickCount } = limiter;
  if (tickCount === 0) return ["No ticks of the second before are left."];
  const missed = missedTickCount === 0 ? "" : ` ${missedTickCount} missed besides.`;
  if (changedTickCount === 0)
    return [`In the second before, no limit was met in any of ${tickCount} ticks.${missed}`];
  const reasons = Object.entries(ticksByReason)
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => `${words(name)} ${count}`);
  return [
    `In the second before, limits changed ${changedTickCount} of ${tickCount} ticks: ${reasons.join(", ")}.${missed}`,
  ];
}

function deviceLines({ device }: Incident): string[] {
  if (device === null) return ["No ticks from before are left."];
  const error = device.errorCode === 0 ? "No error" : `Error ${device.errorCode}`;
  const age =
    device.stateAgeMs === null
      ? "it had not reported yet"
      : `its newest state was ${ms(device.stateAgeMs)} old`;
  return [`${error}; ${age}.`];
}

function timingLines({ timing, kind }: Incident): string[] {
  const { firstTickMs, restMs, restIsMeasured } = timing;
  if (kind === "death") return [];
  if (firstTickMs === null) return ["No tick after it is left."];
  const holds = kind === "hold" || kind === "leaseEnd" ? "hold" : "stop";
  const rest =
    restMs === null
      ? "When it came to rest is not on record"
      : restIsMeasured
        ? `The measured arm was at rest after ${ms(restMs)}`
        : `The setpoint was at rest after ${ms(restMs)}`;
  return [`First tick of the ${holds} after ${ms(firstTickMs)}. ${rest}.`];
}

function poseLines({ pose }: Incident): string[] {
  if (pose === null) return [];
  const lines = [row("degrees", pose.positionRad)];
  if (pose.gripperOpeningM !== null)
    lines.push(`Gripper open by ${(1000 * pose.gripperOpeningM).toFixed(0)} mm.`);
  return lines;
}

function chainLines({ chain, chainLeftOutCount }: Incident): string[] {
  if (chain.length === 0) return ["None within ten seconds."];
  const lines = chain.flatMap(({ sinceTriggerMs, kind, text }) =>
    wrap(`${kind}: ${text}`, LINE_WIDTH - LABEL_WIDTH - TIME_WIDTH).map(
      (part, index) => ` ${(index === 0 ? signedSeconds(sinceTriggerMs) : "").padEnd(TIME_WIDTH)}${part}`,
    ),
  );
  if (chainLeftOutCount > 0) lines.push(`(${chainLeftOutCount} lesser ones within ten seconds are left out)`);
  return lines;
}

const PROCESS_WORDS: Record<Explanation["now"]["process"], (now: Explanation["now"]) => string> = {
  running: ({ state }) => `Now: ${state ?? "starting"}.`,
  silent: ({ processId, lastWrittenAgoS }) =>
    `Now: the servo process ${processId} is there but has written nothing for ${duration(lastWrittenAgoS ?? 0)}: it hangs.`,
  ended: ({ lastWrittenAgoS }) =>
    `Now: the servo process is not running; it ended in order ${duration(lastWrittenAgoS ?? 0)} ago.`,
  died: ({ state, lastWrittenAgoS }) =>
    `Now: the servo process is not running; it ended without a word ${duration(lastWrittenAgoS ?? 0)} ago, while ${state ?? "starting"}.`,
  none: () => "",
};

function footer({ now, since, passedHolds, record }: Explanation): string {
  const lines = since.map(
    ({ happened, agoS }) => `While it was stopped, ${duration(agoS)} ago: ${sentence(happened)}`,
  );
  lines.push(PROCESS_WORDS[now.process](now));
  if (passedHolds.count > 0) {
    const names = Object.entries(passedHolds.byTrigger).map(([name, count]) => `${name} ${count}`);
    lines.push(`Besides, it held and went on by itself: ${names.join(", ")}.`);
  }
  if (record.lostRows > 0) lines.push(`The black box lost ${record.lostRows} ticks.`);
  if (record.damagedChunks > 0)
    lines.push(
      `${record.damagedChunks} damaged ${record.damagedChunks === 1 ? "part" : "parts"} of it were passed over.`,
    );
  for (const { name, reason } of record.filesSkipped) lines.push(`Left out: ${name} ${reason}.`);
  return lines.filter((line) => line !== "").join("\n");
}

// Words and numbers

/** The label once, then lines broken at spaces and set under each other. */
function section(label: string, lines: readonly string[]): string[] {
  const broken = lines.flatMap((line) => (line.startsWith(" ") ? [line.slice(1)] : wrap(line)));
  return broken.map((line, index) => `${(index === 0 ? label : "").padEnd(LABEL_WIDTH)}${line}`);
}

function wrap(line: string, width = LINE_WIDTH - LABEL_WIDTH): string[] {
  const lines: string[] = [];
  // A command to type stays on one line.
  let rest = line.replace(/`[^`]*`/g, (code) => code.replaceAll(" ", "\u00a0"));
  while (rest.length > width) {
    const space = rest.lastIndexOf(" ", width);
    const cut = space > 0 ? space : width;
    lines.push(rest.slice(0, cut));
    rest = rest.slice(cut).trimStart();
  }
  return [...lines, rest].map((one) => one.replaceAll("\u00a0", " "));
}

const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);
const words = (name: string): string => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
const ms = (value: number): string => (value < 10 ? `${value.toFixed(1)} ms` : `${value.toFixed(0)} ms`);
const degrees = (valuesRad: readonly (number | null)[]): string =>
  valuesRad.map((rad) => (rad === null ? "-" : ((180 * rad) / Math.PI).toFixed(1)).padStart(8)).join("");
/** The leading space keeps the table from being wrapped. */
const row = (name: string, valuesRad: readonly (number | null)[]): string =>
  ` ${name.padEnd(9)}${degrees(valuesRad)}`;

const signedSeconds = (valueMs: number): string =>
  `${valueMs < 0 ? "-" : "+"}${(Math.abs(valueMs) / 1000).toFixed(3)} s`.padStart(9);

function duration(seconds: number): string {
  if (seconds < 0.1) return `${Math.max(0, 1000 * seconds).toFixed(0)} ms`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.floor(minutes / (24 * 60))} days`;
}

const localTime = (epochMs: number, timeZone: string | undefined): string =>
  new Intl.DateTimeFormat("en-GB", {
    dateStyle: "medium",
    timeStyle: "medium",
    ...(timeZone === undefined ? {} : { timeZone }),
  }).format(epochMs);
