/** Log output: readable on a terminal, one JSON object a line otherwise. Each record has a stable `event`. */
import { type Logger, pino } from "pino";
import pretty from "pino-pretty";

export function createLog(level: string, destination: 1 | 2 = 1): Logger {
  const stream = destination === 1 ? process.stdout : process.stderr;
  if (!stream.isTTY) return pino({ level }, pino.destination({ dest: destination, sync: true }));
  return pino(
    { level },
    pretty({
      destination,
      sync: true,
      ignore: "pid,hostname,event",
      translateTime: "SYS:HH:MM:ss.l",
      messageFormat: (record, messageKey) => `${record.event ?? ""} ${record[messageKey] ?? ""}`.trim(),
    }),
  );
}
