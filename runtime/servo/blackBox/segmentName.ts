/** Names of segment files. They sort by session, then by number, so that no file must be opened to put them in order. */

const PATTERN = /^(\d{15}-\d+)\.(\d{8})\.blackbox$/;

/** One process's life: when it began and its process id. */
export const sessionStem = (startEpochMs: number, processId: number): string =>
  `${String(Math.round(startEpochMs)).padStart(15, "0")}-${processId}`;

export const segmentName = (stem: string, number: number): string =>
  `${stem}.${String(number).padStart(8, "0")}.blackbox`;

export function parseSegmentName(name: string): { stem: string; number: number } | undefined {
  const match = PATTERN.exec(name);
  return match === null ? undefined : { stem: match[1]!, number: Number(match[2]) };
}
