/**
 * Reads an MCAP file from front to back, whether or not it was closed, and as far as it goes: a damaged chunk is passed
 * over and its messages are counted as lost by the indexes that follow it; a cut file ends where it was cut.
 */
import { open } from "node:fs/promises";
import { basename } from "node:path";
import { McapRecordBuilder, McapStreamReader, type McapTypes } from "@mcap/core";
import { loadDecompressHandlers } from "@mcap/support";
import { errorText } from "../../core/errors.js";
import { type BagMessage, type BagReading, type BagTopic, bagInvalid } from "./bag.js";

const MAGIC = Buffer.from("\x89MCAP0\r\n", "latin1");
/** Of a record: opcode and length. */
const HEAD_BYTES = 9;
const WINDOW_BYTES = 1024 * 1024;
/** No recorder makes larger records; a length beyond this comes from damage. */
const RECORD_BYTES_MAX = 1024 ** 3;
const OPCODE = { footer: 0x02, schema: 0x03, channel: 0x04, chunk: 0x06, messageIndex: 0x07, dataEnd: 0x0f };
/** Header, schema, channel, message, chunk, message index, attachment, metadata. */
const WANTED = new Set([0x01, 0x03, 0x04, 0x05, 0x06, 0x07, 0x09, 0x0c]);
/** Footer record and magic, at the end of a closed file. */
const FOOTER_BYTES = HEAD_BYTES + 20 + MAGIC.length;
/** In a chunk: start, end and uncompressed size come first. */
const CHUNK_SIZE_OFFSET = HEAD_BYTES + 16;

type Handlers = Awaited<ReturnType<typeof loadDecompressHandlers>>;

/** A chunk that could not be read, until its indexes have said what was in it. */
interface Damage {
  readonly at: number;
  readonly why: string;
  /** Messages by channel that came out of it before. */
  readonly delivered: ReadonlyMap<number, number>;
  lost: number;
  isCounted: boolean;
}

export class McapBag implements BagReading {
  readonly topics: BagTopic[] = [];
  readonly damage: string[] = [];
  readonly remarks: string[] = [];
  readonly lost = new Map<string, number>();
  readonly metadata = new Map<string, Map<string, string>>();
  recorder = "";
  readonly #name: string;
  readonly #schemas = new Map<number, McapTypes.Schema>();
  readonly #channels = new Map<number, { record: McapTypes.Channel; topic: BagTopic }>();
  #handlers: Handlers = {};
  #reader = new McapStreamReader();
  #chunk: Damage | undefined;

  constructor(private readonly file: string) {
    this.#name = basename(file);
  }

  /** @throws CerebellumError BAG_INVALID when it is no MCAP file, or of a newer version */
  async *messages(): AsyncGenerator<BagMessage, void, void> {
    this.#handlers = await loadDecompressHandlers();
    const window = new FileWindow(await open(this.file, "r"));
    try {
      const { size } = await window.handle.stat();
      this.#checkMagic(await window.read(0, Math.min(size, MAGIC.length)));
      await this.#readSummary(window, size);
      this.#restart();
      for (let at = MAGIC.length; ; ) {
        const left = size - at;
        const head = left < HEAD_BYTES ? undefined : await window.read(at, HEAD_BYTES);
        const length = head === undefined ? 0 : Number(head.readBigUInt64LE(1));
        if (head === undefined || length > Math.min(left - HEAD_BYTES, RECORD_BYTES_MAX)) {
          this.damage.push(`${this.#name} is cut short: nothing after byte ${at} can be read`);
          break;
        }
        const opcode = head[0]!;
        if (opcode === OPCODE.dataEnd || opcode === OPCODE.footer) break;
        if (WANTED.has(opcode)) {
          if (opcode !== OPCODE.messageIndex) this.#settleDamage();
          yield* this.#records(opcode, at, await window.read(at, HEAD_BYTES + length));
        }
        at += HEAD_BYTES + length;
      }
      this.#settleDamage();
    } finally {
      await window.handle.close();
    }
  }

  /**
   * A closed file repeats its channels at its end: those without messages are only there, and where the chunk that
   * introduces one is damaged, the others of that channel can still be read.
   */
  async #readSummary(window: FileWindow, size: number): Promise<void> {
    if (size < MAGIC.length + FOOTER_BYTES) return;
    const footer = Buffer.from(await window.read(size - FOOTER_BYTES, FOOTER_BYTES));
    const start = Number(footer.readBigUInt64LE(HEAD_BYTES));
    if (footer[0] !== OPCODE.footer || !footer.subarray(-MAGIC.length).equals(MAGIC)) return;
    if (start < MAGIC.length || start > size - FOOTER_BYTES) return;
    const reader = new McapStreamReader({ noMagicPrefix: true });
    try {
      for (let at = start; at <= size - FOOTER_BYTES - HEAD_BYTES; ) {
        const head = await window.read(at, HEAD_BYTES);
        const [opcode, length] = [head[0]!, Number(head.readBigUInt64LE(1))];
        if (length > size - FOOTER_BYTES - HEAD_BYTES - at) return;
        if (opcode === OPCODE.schema || opcode === OPCODE.channel) {
          reader.append(await window.read(at, HEAD_BYTES + length));
          for (let record = reader.nextRecord(); record; record = reader.nextRecord()) this.#take(record);
        }
        at += HEAD_BYTES + length;
      }
    } catch {
      // What the summary does not tell, the file's chunks do.
    }
  }

  /** The messages of one record of the file. */
  *#records(opcode: number, at: number, bytes: Buffer): Generator<BagMessage, void, void> {
    // Indexes are only asked what a damaged chunk has held.
    if (opcode === OPCODE.messageIndex && this.#chunk === undefined) return;
    const delivered = new Map<number, number>();
    try {
      if (
        opcode === OPCODE.chunk &&
        bytes.length >= CHUNK_SIZE_OFFSET + 8 &&
        bytes.readBigUInt64LE(CHUNK_SIZE_OFFSET) > BigInt(RECORD_BYTES_MAX)
      )
        throw new RangeError(`it claims to have ${bytes.readBigUInt64LE(CHUNK_SIZE_OFFSET)} bytes`);
      this.#reader.append(bytes);
      for (let record = this.#reader.nextRecord(); record; record = this.#reader.nextRecord()) {
        const message = this.#take(record);
        if (message === undefined) continue;
        const { channelId } = record as McapTypes.Message;
        delivered.set(channelId, (delivered.get(channelId) ?? 0) + 1);
        yield message;
      }
    } catch (thrown) {
      this.#settleDamage();
      this.#chunk = { at, why: errorText(thrown, 200), delivered, lost: 0, isCounted: false };
      this.#restart();
    }
  }

  #take(record: McapTypes.TypedMcapRecord): BagMessage | undefined {
    switch (record.type) {
      case "Header":
        this.recorder = record.library;
        return undefined;
      case "Schema":
        this.#schemas.set(record.id, { ...record, data: record.data.slice() });
        return undefined;
      case "Channel":
        this.#meetChannel(record);
        return undefined;
      case "Metadata":
        this.metadata.set(record.name, record.metadata);
        return undefined;
      case "Attachment":
        this.remarks.push(
          `${this.#name} has an attachment "${record.name}" of ${record.data.length} bytes, which stays behind`,
        );
        return undefined;
      case "MessageIndex":
        this.#countDamage(record);
        return undefined;
      case "Message": {
        const { topic } = this.#channels.get(record.channelId)!;
        return { topic, logNs: record.logTime, publishNs: record.publishTime, data: record.data };
      }
      default:
        return undefined;
    }
  }

  #meetChannel(record: McapTypes.Channel): void {
    if (this.#channels.has(record.id)) return;
    const schema = this.#schemas.get(record.schemaId);
    const topic: BagTopic = {
      topic: record.topic,
      type: schema?.name ?? "",
      serialization: record.messageEncoding,
      definition:
        schema === undefined
          ? undefined
          : { encoding: schema.encoding, text: Buffer.from(schema.data).toString("utf8") },
      qosProfiles: record.metadata.get("offered_qos_profiles") ?? "",
    };
    this.topics.push(topic);
    this.#channels.set(record.id, { record, topic });
  }

  #countDamage({ channelId, records }: McapTypes.MessageIndex): void {
    const damage = this.#chunk;
    if (damage === undefined) return;
    damage.isCounted = true;
    const topic = this.#channels.get(channelId)?.topic.topic;
    const lost = Math.max(0, records.length - (damage.delivered.get(channelId) ?? 0));
    damage.lost += lost;
    if (topic !== undefined) this.lost.set(topic, (this.lost.get(topic) ?? 0) + lost);
  }

  #settleDamage(): void {
    if (this.#chunk === undefined) return;
    const { at, why, lost, isCounted } = this.#chunk;
    const count = isCounted ? `${lost} messages in it are lost` : "how many messages it had is not known";
    this.damage.push(`${this.#name} is damaged at byte ${at} (${why}): ${count}`);
    this.#chunk = undefined;
  }

  /** A reader that has thrown is of no use any more; a new one must know the channels. */
  #restart(): void {
    this.#reader = new McapStreamReader({ noMagicPrefix: true, decompressHandlers: this.#handlers });
    for (const { record } of this.#channels.values()) {
      const builder = new McapRecordBuilder();
      builder.writeChannel(record);
      this.#reader.append(builder.buffer.slice());
      this.#reader.nextRecord();
    }
  }

  #checkMagic(found: Buffer): void {
    if (found.equals(MAGIC)) return;
    if (found.length === 0) throw bagInvalid(`${this.file} is empty`, "Record again, or name another bag");
    const isOtherVersion = found.length === MAGIC.length && found.subarray(0, 5).equals(MAGIC.subarray(0, 5));
    throw isOtherVersion
      ? bagInvalid(
          `${this.file} is MCAP of version "${found.subarray(5, 6).toString("latin1")}"; this program reads version "0"`,
          "Convert it with the tool that wrote it",
        )
      : bagInvalid(
          `${this.file} does not begin like an MCAP file`,
          "Name a rosbag2 folder, a .mcap or a .db3 file",
        );
  }
}

/** Reads exact ranges of a file, mostly forward, few of them from disk. */
class FileWindow {
  #start = 0;
  #bytes = Buffer.alloc(0);
  constructor(readonly handle: Awaited<ReturnType<typeof open>>) {}

  /** The range must lie inside the file; the bytes are valid until the next call. */
  async read(at: number, length: number): Promise<Buffer> {
    const from = at - this.#start;
    if (from >= 0 && from + length <= this.#bytes.length) return this.#bytes.subarray(from, from + length);
    const bytes = Buffer.allocUnsafe(Math.max(length, WINDOW_BYTES));
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await this.handle.read(bytes, filled, bytes.length - filled, at + filled);
      if (bytesRead === 0) throw new RangeError(`the file ends at byte ${at + filled}`);
      filled += bytesRead;
    }
    [this.#start, this.#bytes] = [at, bytes.subarray(0, filled)];
    return bytes.subarray(0, length);
  }
}
