/** Key presses out of the bytes of a Linux input device: `struct input_event` of 64-bit systems, 24 bytes each. */

/** linux/input-event-codes.h: what buttons and pedals that pass for keyboards or joysticks send. */
export const KEY_CODES: Readonly<Record<string, number>> = {
  KEY_ESC: 1,
  KEY_BACKSPACE: 14,
  KEY_TAB: 15,
  KEY_ENTER: 28,
  KEY_SPACE: 57,
  KEY_F1: 59,
  KEY_F2: 60,
  KEY_F3: 61,
  KEY_F4: 62,
  KEY_F5: 63,
  KEY_F6: 64,
  KEY_F7: 65,
  KEY_F8: 66,
  KEY_F9: 67,
  KEY_F10: 68,
  KEY_F11: 87,
  KEY_F12: 88,
  KEY_POWER: 116,
  KEY_PAUSE: 119,
  KEY_STOP: 128,
  BTN_0: 0x100,
  BTN_1: 0x101,
  BTN_TRIGGER: 0x120,
  BTN_SOUTH: 0x130,
  BTN_EAST: 0x131,
};

/** Two 64-bit words of time, type u16, code u16, value s32. */
export const EVENT_BYTES = 24;
const TYPE_AT = 16;
const CODE_AT = 18;
const VALUE_AT = 20;
const EV_KEY = 1;

export interface KeyEvent {
  readonly code: number;
  readonly change: "pressed" | "released";
}

/** Cuts a byte stream into events; keeps at most one unfinished one. Repeats and everything but keys are passed over. */
export class KeyEventReader {
  #pending: Buffer = Buffer.alloc(0);

  push(chunk: Buffer, onKey: (event: KeyEvent) => void): void {
    const bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    let at = 0;
    for (; at + EVENT_BYTES <= bytes.length; at += EVENT_BYTES) {
      if (bytes.readUInt16LE(at + TYPE_AT) !== EV_KEY) continue;
      const code = bytes.readUInt16LE(at + CODE_AT);
      const value = bytes.readInt32LE(at + VALUE_AT);
      if (value === 1) onKey({ code, change: "pressed" });
      else if (value === 0) onKey({ code, change: "released" });
    }
    this.#pending = Buffer.from(bytes.subarray(at));
  }
}
