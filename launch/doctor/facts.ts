/** What the doctor looks at, as plain data: gathered in gather.ts, judged in checks.ts. `undefined` means not readable. */
import type { ThreadClass } from "../realtime.js";

export interface PortQuestion {
  /** What listens there, in the words of the cell file. */
  readonly name: string;
  readonly port: number;
}

/** How a program answered: its output when it ended with 0, else why it did not. */
export interface Answer {
  readonly ok: boolean;
  readonly text: string;
}

export interface SharedMemoryFacts {
  readonly freeBytes: number;
  /** Fast DDS segments whose owner is gone. */
  readonly leftoverCount: number;
  readonly leftoverBytes: number;
}

export interface ClockFacts {
  /** Wall clock's advance less the monotonic clock's, over a fifth of a second. */
  readonly stepMs: number | undefined;
  readonly year: number;
  /** The time service's own word, "yes" or "no". */
  readonly ntpSynchronized: string | undefined;
}

export interface SwapFacts {
  readonly totalBytes: number;
  readonly usedBytes: number;
}

/** A servo process that runs on this computer, whatever its cell. */
export interface ServoProcessFacts {
  readonly processId: number;
  /** First its main thread, which is the loop's. */
  readonly threads: readonly ThreadClass[];
  readonly swapBytes: number;
}

export interface ConsoleFacts {
  readonly pagesBuilt: boolean;
  /** Of the certificate that is kept; undefined when there is none, or it cannot be read. */
  readonly certificateDaysLeft: number | undefined;
}

/** The CAN bus of one hand, as far as it can be known without opening it. */
export interface HandFacts {
  readonly robot: string;
  /** Path of the serial adapter, or name of the network interface. */
  readonly address: string;
  /** Why it cannot be used as it is, with its remedy; absent when nothing is against it. */
  readonly trouble?: { readonly happened: string; readonly remedy: string };
  /** The lab makes it at the start, so that it need not be there now. */
  readonly isSimulated: boolean;
}

export interface MachineFacts {
  readonly nodeVersion: string;
  readonly python: Answer;
  readonly compiler: Answer;
  /** Steps of the set-up without a stamp. */
  readonly unpreparedSteps: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Folders of AMENT_PREFIX_PATH that exist. */
  readonly rosPrefixes: readonly string[];
  readonly addon: Answer;
  readonly ownProfileFile: string;
  readonly profileExists: boolean;
  /** Domain that the cell file names, if any: it takes precedence over the environment. */
  readonly cellDomainId: number | undefined;
  readonly receiveBufferMaxBytes: number | undefined;
  readonly sendBufferMaxBytes: number | undefined;
  readonly sharedMemory: SharedMemoryFacts | undefined;
  readonly fifo: Answer;
  readonly cpuCount: number;
  readonly cpuGovernor: string | undefined;
  /** Over the last minute. */
  readonly loadAverage: number;
  readonly swap: SwapFacts | undefined;
  readonly servoProcesses: readonly ServoProcessFacts[];
  readonly diskFreeBytes: number;
  readonly clock: ClockFacts;
  /** Of a cell with a gateway; undefined without one. */
  readonly console: ConsoleFacts | undefined;
  readonly hands: readonly HandFacts[];
  readonly guardianBuilt: boolean;
  readonly ports: readonly PortQuestion[];
  readonly portsInUse: readonly PortQuestion[];
  /** Lock folders of set-up whose holder is gone. */
  readonly staleLocks: readonly string[];
}
