/**
 * Log output: readable on a terminal, one JSON object a line otherwise, and beside it a file for whoever asks for one.
 * Each record has a stable `event`. Output that cannot be written is lost, never a failure of the program.
 */
import { type DestinationStream, type Level, type Logger, pino } from "pino";
import pretty from "pino-pretty";
import type { LogFile } from "./logFile.js";

export function createLog(level: string, destination: 1 | 2 = 1, file?: LogFile): Logger {
  const output = pino.destination({ dest: destination, sync: true });
  // A full disk behind a redirected output, a terminal that has gone: an error event that nobody hears ends Node.
  output.on("error", () => {});
  const isTerminal = (destination === 1 ? process.stdout : process.stderr).isTTY;
  const stream = isTerminal ? readable(output) : output;
  if (file === undefined) return pino({ level }, stream);
  const streams = [stream, file].map((one) => ({ level: level as Level, stream: one }));
  return pino({ level }, pino.multistream(streams));
}

const readable = (destination: DestinationStream) =>
  pretty({
    destination,
    sync: true,
    ignore: "pid,hostname,event",
    translateTime: "SYS:HH:MM:ss.l",
    messageFormat: (record, messageKey) => `${record.event ?? ""} ${record[messageKey] ?? ""}`.trim(),
  });
