/**
 * SLCAN: CAN frames and an adapter's commands as lines of text, both sides of the line, without any I/O.
 *
 * A line ends with CR, or with BEL where an adapter refuses. `tIIILDD..` is a data frame with an 11-bit identifier,
 * `TIIIIIIIILDD..` one with 29 bits, `r` and `R` are remote frames, which name a length and carry nothing. Sources:
 * LAWICEL's manual of the CANUSB (commands, acknowledgements, time stamps), Linux' slcan driver (`e` and `s` lines, CR and
 * BEL alike end a line), the firmware of CANable adapters (never acknowledges).
 */
import type { CanFrame } from "./frame.js";
import { frameFault } from "./frameFault.js";

const CR = 0x0d;
const LF = 0x0a;
const BEL = 0x07;

/** The longest line that is a frame: 29-bit identifier, 8 bytes, 4 digits of time. A longer one is none. */
export const SLCAN_LINE_BYTES_MAX = 30;
/** The most bytes that `writeSlcan` writes: such a line and its CR. */
export const SLCAN_FRAME_BYTES_MAX = SLCAN_LINE_BYTES_MAX + 1;

/**
 * Bit rates [bit/s] by the digit of the command `S`. `S7` is left out: 800 000 to LAWICEL and Linux, 750 000 to CANable
 * and python-can.
 */
export const SLCAN_BITRATES: ReadonlyMap<number, number> = new Map([
  [0, 10_000],
  [1, 20_000],
  [2, 50_000],
  [3, 100_000],
  [4, 125_000],
  [5, 250_000],
  [6, 500_000],
  [8, 1_000_000],
]);

/** Error state of the adapter's controller, as Linux' driver reads it in lines like `sb256256`. */
export type SlcanBusState = "active" | "warning" | "passive" | "off";

const STATE_LETTERS: readonly (readonly [letter: string, state: SlcanBusState])[] = [
  ["a", "active"],
  ["w", "warning"],
  ["p", "passive"],
  ["b", "off"],
];
/** Letters of an `e` line: no acknowledgement, bit 0 and 1, checksum, form, overruns on receiving and sending, stuffing. */
const ERROR_LETTERS = "abBcfoOs";

const HEX = new Int8Array(256).fill(-1);
for (let value = 0; value < 16; value++) {
  const digit = value.toString(16);
  HEX[digit.charCodeAt(0)] = value;
  HEX[digit.toUpperCase().charCodeAt(0)] = value;
}
const UPPER = Uint8Array.from("0123456789ABCDEF", (digit) => digit.charCodeAt(0));

/** What an adapter says. The frame is one object, filled anew for each call. */
export interface SlcanListener {
  onFrame(frame: CanFrame): void;
  /** BEL: a command was refused. Which one is not said. */
  onRefused(): void;
  /** Errors on the bus, one letter each (`ERROR_LETTERS`). */
  onErrors(letters: string): void;
  /** Counters as the controller has them, 0 to 256. */
  onBusState(state: SlcanBusState, receiveErrors: number, sendErrors: number): void;
}

/** Reads what an adapter sends, in pieces as they come. Never throws by itself; keeps at most one line. */
export class SlcanReader {
  frames = 0;
  /** Lines that say "done": an empty one, `z` and `Z`. Whoever waits for them waits for ever with some adapters. */
  acknowledgements = 0;
  readonly #listener: SlcanListener;
  readonly #frame = new FrameText();
  readonly #lines = new Lines((line, length, isRefusal) => this.#read(line, length, isRefusal));
  #unreadBytes = 0;

  constructor(listener: SlcanListener) {
    this.#listener = listener;
  }

  /** Bytes of lines that were none of an adapter's. */
  get bytesDiscarded(): number {
    return this.#unreadBytes + this.#lines.bytesDiscarded;
  }

  /** Bytes of a line that has not ended, at most `SLCAN_LINE_BYTES_MAX`. */
  get bytesHeld(): number {
    return this.#lines.bytesHeld;
  }

  push(bytes: Uint8Array): void {
    this.#lines.push(bytes);
  }

  /** Forgets the line that has begun: what follows comes from another connection. */
  clear(): void {
    this.#lines.clear();
  }

  #read(line: Uint8Array, length: number, isRefusal: boolean): void {
    if (length === 0) {
      if (isRefusal) this.#listener.onRefused();
      else this.acknowledgements++;
      return;
    }
    if (this.#frame.read(line, length)) {
      this.frames++;
      this.#listener.onFrame(this.#frame);
      return;
    }
    // Everything else is rare: as text it is easier to read.
    const text = String.fromCharCode(...line.subarray(0, length));
    if (text === "z" || text === "Z") this.acknowledgements++;
    else if (!this.#readErrors(text) && !this.#readState(text) && !ANSWER.test(text))
      this.#unreadBytes += length + 1;
  }

  #readErrors(text: string): boolean {
    const letters = text.slice(2);
    if (text[0] !== "e" || letters === "" || text[1] !== String(letters.length)) return false;
    if (![...letters].every((letter) => ERROR_LETTERS.includes(letter))) return false;
    this.#listener.onErrors(letters);
    return true;
  }

  #readState(text: string): boolean {
    const parts = /^s([awpb])(\d{3})(\d{3})$/.exec(text);
    const state = STATE_LETTERS.find(([letter]) => letter === parts?.[1])?.[1];
    if (parts === null || state === undefined) return false;
    this.#listener.onBusState(state, Number(parts[2]), Number(parts[3]));
    return true;
  }
}

/** Answers to questions of others: version, serial number, status flags. */
const ANSWER = /^(V[0-9A-F]{4}|N[0-9A-Z]{4}|F[0-9A-F]{2})$/;

/** What a computer asks of an adapter. */
export type SlcanCommand =
  | { readonly kind: "frame"; readonly frame: CanFrame }
  /** `undefined`: no rate that is known (`S7`, `S9`). */
  | { readonly kind: "bitrate"; readonly bitPerS: number | undefined }
  | { readonly kind: "open" | "listen" | "close" | "version" | "serialNumber" | "flags" }
  | { readonly kind: "timestamps"; readonly on: boolean }
  /** A bare CR: clears what an adapter may have half read. */
  | { readonly kind: "empty" }
  | { readonly kind: "unknown"; readonly text: string };

const PLAIN_COMMANDS: Readonly<Record<string, SlcanCommand>> = {
  O: { kind: "open" },
  L: { kind: "listen" },
  C: { kind: "close" },
  V: { kind: "version" },
  N: { kind: "serialNumber" },
  F: { kind: "flags" },
  Z0: { kind: "timestamps", on: false },
  Z1: { kind: "timestamps", on: true },
};

/** The adapter's side: reads what a computer sends. The frame of a command is one object, filled anew each time. */
export class SlcanCommandReader {
  readonly #frame = new FrameText();
  readonly #lines: Lines;

  constructor(onCommand: (command: SlcanCommand) => void) {
    const frameCommand: SlcanCommand = { kind: "frame", frame: this.#frame };
    this.#lines = new Lines((line, length) => {
      if (length === 0) onCommand({ kind: "empty" });
      else if (this.#frame.read(line, length)) onCommand(frameCommand);
      else onCommand(commandOf(String.fromCharCode(...line.subarray(0, length))));
    });
  }

  get bytesDiscarded(): number {
    return this.#lines.bytesDiscarded;
  }

  push(bytes: Uint8Array): void {
    this.#lines.push(bytes);
  }
}

function commandOf(text: string): SlcanCommand {
  if (Object.hasOwn(PLAIN_COMMANDS, text)) return PLAIN_COMMANDS[text]!;
  if (/^S\d$/.test(text)) return { kind: "bitrate", bitPerS: SLCAN_BITRATES.get(Number(text[1])) };
  return { kind: "unknown", text };
}

/**
 * Writes one frame as a line with upper-case digits.
 * @param out has `SLCAN_FRAME_BYTES_MAX` bytes from `offset` on
 * @param stampMs milliseconds of the minute, 0 to 59 999, where an adapter stamps what it received
 * @returns where the next line begins; `offset` itself for a frame that no bus could carry
 */
export function writeSlcan(frame: CanFrame, out: Uint8Array, offset: number, stampMs?: number): number {
  if (frameFault(frame) !== undefined) return offset;
  const letter = frame.isRemote ? "r" : "t";
  let at = offset;
  out[at++] = (frame.isExtended ? letter.toUpperCase() : letter).charCodeAt(0);
  at = writeHex(frame.id, frame.isExtended ? 8 : 3, out, at);
  at = writeHex(frame.length, 1, out, at);
  if (!frame.isRemote) for (const byte of frame.data) at = writeHex(byte, 2, out, at);
  if (stampMs !== undefined) at = writeHex(stampMs, 4, out, at);
  out[at++] = CR;
  return at;
}

/** One frame as text with its CR; empty for a frame that no bus could carry. */
export function slcanText(frame: CanFrame, stampMs?: number): string {
  const bytes = new Uint8Array(SLCAN_FRAME_BYTES_MAX);
  return String.fromCharCode(...bytes.subarray(0, writeSlcan(frame, bytes, 0, stampMs)));
}

/** A state line of an adapter that reports its controller's state; counters 0 to 256. */
export function slcanStateText(state: SlcanBusState, receiveErrors: number, sendErrors: number): string {
  const letter = STATE_LETTERS.find(([, known]) => known === state)?.[0] ?? "a";
  const digits = (count: number) => String(count).padStart(3, "0");
  return `s${letter}${digits(receiveErrors)}${digits(sendErrors)}\r`;
}

/**
 * Opens the adapter's channel at that rate, whatever it was doing: two bare CR end a half command, `C` because a rate is
 * taken only while the channel is closed.
 * @param bitPerS one of `SLCAN_BITRATES`
 */
export function slcanOpening(bitPerS: number): string {
  const digit = [...SLCAN_BITRATES].find(([, rate]) => rate === bitPerS)?.[0];
  return `\r\rC\rS${digit}\rO\r`;
}

export const SLCAN_CLOSING = "C\r";

function writeHex(value: number, digits: number, out: Uint8Array, offset: number): number {
  for (let digit = 0; digit < digits; digit++)
    out[offset + digit] = UPPER[(value >>> (4 * (digits - 1 - digit))) & 15]!;
  return offset + digits;
}

/** Cuts bytes into lines. An overlong line is discarded to its end. */
class Lines {
  bytesDiscarded = 0;
  readonly #line = new Uint8Array(SLCAN_LINE_BYTES_MAX);
  readonly #onLine: (line: Uint8Array, length: number, isRefusal: boolean) => void;
  #length = 0;
  #isOverlong = false;

  constructor(onLine: (line: Uint8Array, length: number, isRefusal: boolean) => void) {
    this.#onLine = onLine;
  }

  get bytesHeld(): number {
    return this.#length;
  }

  push(bytes: Uint8Array): void {
    for (let index = 0; index < bytes.length; index++) {
      const byte = bytes[index]!;
      if (byte === CR || byte === BEL) {
        const length = this.#length;
        const isWhole = !this.#isOverlong;
        this.#length = 0;
        this.#isOverlong = false;
        if (isWhole) this.#onLine(this.#line, length, byte === BEL);
        else this.bytesDiscarded++;
      } else if (this.#isOverlong || (byte === LF && this.#length === 0)) {
        // Some firmware ends its lines with CR and LF.
        this.bytesDiscarded++;
      } else if (this.#length < SLCAN_LINE_BYTES_MAX) {
        this.#line[this.#length++] = byte;
      } else {
        this.bytesDiscarded += this.#length + 1;
        this.#length = 0;
        this.#isOverlong = true;
      }
    }
  }

  clear(): void {
    this.bytesDiscarded += this.#length;
    this.#length = 0;
    this.#isOverlong = false;
  }
}

/** The frame that was read last. */
class FrameText implements CanFrame {
  id = 0;
  isExtended = false;
  isRemote = false;
  length = 0;
  data: Uint8Array;
  readonly #bytes = new Uint8Array(8);
  readonly #views: readonly Uint8Array[];

  constructor() {
    this.#views = Array.from({ length: 9 }, (_, length) => this.#bytes.subarray(0, length));
    this.data = this.#views[0]!;
  }

  /** @returns whether the line is a frame; if not, this object is as it was */
  read(line: Uint8Array, length: number): boolean {
    const letter = line[0]! | 0x20;
    if (letter !== 0x74 && letter !== 0x72) return false;
    const isRemote = letter === 0x72;
    const isExtended = line[0] !== letter;
    const idDigits = isExtended ? 8 : 3;
    const dataAt = 2 + idDigits;
    if (length < dataAt) return false;
    const dataBytes = HEX[line[dataAt - 1]!]!;
    if (dataBytes < 0 || dataBytes > 8) return false;
    // Cut by the length that the frame names; beyond it only a time stamp is allowed.
    const endAt = dataAt + (isRemote ? 0 : 2 * dataBytes);
    if (length !== endAt && length !== endAt + 4) return false;
    for (let at = 1; at < length; at++) if (HEX[line[at]!]! < 0) return false;
    let id = 0;
    for (let at = 1; at <= idDigits; at++) id = id * 16 + HEX[line[at]!]!;
    if (id > (isExtended ? 0x1fff_ffff : 0x7ff)) return false;
    for (let at = dataAt, index = 0; at < endAt; at += 2, index++)
      this.#bytes[index] = HEX[line[at]!]! * 16 + HEX[line[at + 1]!]!;
    this.id = id;
    this.isExtended = isExtended;
    this.isRemote = isRemote;
    this.length = dataBytes;
    this.data = this.#views[isRemote ? 0 : dataBytes]!;
    return true;
  }
}
