/** Numbers and times as people read them. Everything unknown is an en dash, so that no figure looks measured. */

export const UNKNOWN = "–";

export function fixed(value: number | null | undefined, digits: number): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return UNKNOWN;
  const text = value.toFixed(digits);
  return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "−");
}

export const milliseconds = (value: number | null | undefined): string =>
  value === null || value === undefined || !Number.isFinite(value)
    ? UNKNOWN
    : `${fixed(value, value < 10 ? 1 : 0)} ms`;

export const DEG_PER_RAD = 180 / Math.PI;
export const degrees = (valueRad: number | null | undefined, digits = 1): string =>
  fixed(valueRad === null || valueRad === undefined ? undefined : valueRad * DEG_PER_RAD, digits);

/** Minutes and seconds, "3:07"; hours only where there are any. */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return UNKNOWN;
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number) => String(value).padStart(2, "0");
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return UNKNOWN;
  if (value < 1e6) return `${fixed(value / 1e3, 0)} kB`;
  return value < 1e9 ? `${fixed(value / 1e6, 1)} MB` : `${fixed(value / 1e9, value < 1e11 ? 1 : 0)} GB`;
}

const clockTime = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const dateTime = new Intl.DateTimeFormat(undefined, {
  month: "short",
  day: "2-digit",
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
});
export const timeOfDay = (epochMs: number | null): string =>
  epochMs === null ? UNKNOWN : clockTime.format(epochMs);
export const dayAndTime = (epochMs: number | null): string =>
  epochMs === null ? UNKNOWN : dateTime.format(epochMs);

/** Servo states in words that need no manual. */
const ARM_STATES: Readonly<Record<string, string>> = {
  disconnected: "not connected",
  connected: "motors off",
  holding: "holds still",
  following: "moves",
  stopping: "braking",
  stopped: "stopped",
  faulted: "fault",
  teaching: "gives way",
  unknown: "says nothing",
};
export const armWord = (state: string): string => ARM_STATES[state] ?? state;
