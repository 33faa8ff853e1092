/** The few pieces of ASN.1's distinguished encoding (X.690) that a certificate is made of. */

const TAGS = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  utcTime: 0x17,
  generalizedTime: 0x18,
} as const;

export function tagged(tag: number, content: Uint8Array): Buffer {
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content]);
  const hex = length.toString(16);
  const lengthBytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
  return Buffer.concat([Buffer.from([tag, 0x80 | lengthBytes.length]), lengthBytes, content]);
}

export const sequence = (...parts: readonly Uint8Array[]): Buffer =>
  tagged(TAGS.sequence, Buffer.concat(parts));
export const set = (...parts: readonly Uint8Array[]): Buffer => tagged(TAGS.set, Buffer.concat(parts));
export const octetString = (content: Uint8Array): Buffer => tagged(TAGS.octetString, content);
export const utf8String = (text: string): Buffer => tagged(TAGS.utf8String, Buffer.from(text, "utf8"));
export const isTrue = (): Buffer => tagged(TAGS.boolean, Buffer.from([0xff]));

/** @param unusedBits of the last byte */
export const bitString = (content: Uint8Array, unusedBits = 0): Buffer =>
  tagged(TAGS.bitString, Buffer.concat([Buffer.from([unusedBits]), content]));

/** A whole number that is not negative. @param bytes big-endian */
export function integer(bytes: Uint8Array): Buffer {
  let from = 0;
  while (from < bytes.length - 1 && bytes[from] === 0) from++;
  const significant = bytes.subarray(from);
  return tagged(
    TAGS.integer,
    significant[0]! >= 0x80 ? Buffer.concat([Buffer.from([0]), significant]) : significant,
  );
}

/** @param dotted e.g. "1.2.840.10045.4.3.2" */
export function objectIdentifier(dotted: string): Buffer {
  const [first, second, ...rest] = dotted.split(".").map(Number) as [number, number, ...number[]];
  const bytes = [40 * first + second];
  for (const arc of rest) {
    const septets = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) septets.unshift((left & 0x7f) | 0x80);
    bytes.push(...septets);
  }
  return tagged(TAGS.objectIdentifier, Buffer.from(bytes));
}

const MS_PER_DAY = 86_400_000;

/** RFC 5280 4.1.2.5: to the second; two digits of the year until 2049. */
export function time(epochMs: number): Buffer {
  const seconds = Math.floor((epochMs % MS_PER_DAY) / 1000);
  const [year, month, day] = calendarDay(Math.floor(epochMs / MS_PER_DAY));
  const two = (value: number) => String(value).padStart(2, "0");
  const clock = `${two(Math.floor(seconds / 3600))}${two(Math.floor(seconds / 60) % 60)}${two(seconds % 60)}Z`;
  const date = `${two(month)}${two(day)}`;
  return year < 2050
    ? tagged(TAGS.utcTime, Buffer.from(`${two(year % 100)}${date}${clock}`))
    : tagged(TAGS.generalizedTime, Buffer.from(`${year}${date}${clock}`));
}

/**
 * Year, month (1-12), day (1-31) of the Gregorian calendar: years begin in March, so that the day of a leap year comes
 * last (Hinnant, "chrono-compatible low-level date algorithms").
 * @param days since 1970-01-01, not negative
 */
function calendarDay(days: number): [year: number, month: number, day: number] {
  const sinceMarch0 = days + 719_468;
  const era = Math.floor(sinceMarch0 / 146_097);
  const dayOfEra = sinceMarch0 - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  return [yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day];
}
