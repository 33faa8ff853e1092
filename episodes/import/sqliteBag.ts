/**
 * Reads a rosbag2 sqlite3 file. The library makes a folder beside a database that it opens, as a lock; another recorder's
 * folder is not ours to write into, so the file is opened through a link in a temporary folder. Where the recorder has
 * left a journal that must be played back first, a copy of both is read.
 */
import { constants, existsSync, rmSync, statSync } from "node:fs";
import { copyFile, mkdtemp, open, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import sqlite from "node-sqlite3-wasm";
import { z } from "zod";
import { errorText } from "../../core/errors.js";
import { type BagMessage, type BagReading, type BagTopic, bagInvalid } from "./bag.js";

const SCHEMA_VERSION_MAX = 4;
const SQLITE_MAGIC = "SQLite format 3\0";
/** In the file's header: 2 when its changes go through a write-ahead log. */
const WRITE_VERSION_OFFSET = 18;
const JOURNALS = ["-wal", "-journal"];

const Integer = z.union([z.number(), z.bigint()]).transform(BigInt);
const TopicRow = z.object({
  id: Integer,
  name: z.string(),
  type: z.string(),
  serialization_format: z.string(),
  offered_qos_profiles: z.string().nullish(),
});
const DefinitionRow = z.object({
  topic_type: z.string(),
  encoding: z.string(),
  encoded_message_definition: z.string(),
});

export class SqliteBag implements BagReading {
  readonly topics: BagTopic[] = [];
  readonly damage: string[] = [];
  readonly remarks: string[] = [];
  readonly lost = new Map<string, number>();
  readonly metadata = new Map<string, Map<string, string>>();
  recorder = "";

  constructor(private readonly file: string) {}

  /** @throws CerebellumError BAG_INVALID when it is no such database, or of a newer form */
  async *messages(): AsyncGenerator<BagMessage, void, void> {
    const folder = await mkdtemp(join(tmpdir(), "cerebellum-import-"));
    let database: sqlite.Database | undefined;
    try {
      database = await this.#open(folder);
      const topics = this.#readTopics(database);
      yield* this.#readMessages(database, topics);
    } finally {
      database?.close();
      rmSync(folder, { recursive: true, force: true });
    }
  }

  async #open(folder: string): Promise<sqlite.Database> {
    const handle = await open(this.file, "r");
    const head = Buffer.alloc(100);
    try {
      await handle.read(head, 0, head.length, 0);
    } finally {
      await handle.close();
    }
    if (head.toString("latin1", 0, SQLITE_MAGIC.length) !== SQLITE_MAGIC)
      throw bagInvalid(
        `${this.file} ${statSync(this.file).size === 0 ? "is empty" : "is no SQLite database"}`,
        "Name a rosbag2 folder, a .mcap or a .db3 file",
      );
    const link = join(folder, "bag.db3");
    const journals = JOURNALS.filter((end) => hasBytes(`${this.file}${end}`));
    if (journals.length === 0 && head[WRITE_VERSION_OFFSET] !== 2) {
      await symlink(resolve(this.file), link);
      return new sqlite.Database(link, { readOnly: true });
    }
    await copyFile(this.file, link, constants.COPYFILE_FICLONE);
    for (const end of journals) await copyFile(`${this.file}${end}`, `${link}${end}`);
    if (journals.length > 0)
      this.remarks.push(
        `${basename(this.file)} was not closed by its recorder: its journal was played back on a copy`,
      );
    const database = new sqlite.Database(link);
    // Without shared memory, a write-ahead log can only be read by its only user.
    database.exec("PRAGMA locking_mode = EXCLUSIVE");
    return database;
  }

  #readTopics(database: sqlite.Database): Map<bigint, BagTopic> {
    try {
      const tables = new Set(
        database.all("SELECT name FROM sqlite_master WHERE type = 'table'").map(({ name }) => name),
      );
      if (!tables.has("topics") || !tables.has("messages"))
        throw bagInvalid(
          `${this.file} is a database without the tables "topics" and "messages"`,
          "Name a bag that rosbag2 has written",
        );
      if (tables.has("schema")) {
        const row = database.get("SELECT * FROM schema");
        const version = Number(row?.schema_version ?? 0);
        this.recorder = typeof row?.ros_distro === "string" ? row.ros_distro : "";
        if (version > SCHEMA_VERSION_MAX)
          throw bagInvalid(
            `${this.file} has schema version ${version}; this program reads 1 to ${SCHEMA_VERSION_MAX}`,
            "Convert it with `ros2 bag convert` to mcap storage",
          );
      }
      const definitions = new Map(
        tables.has("message_definitions")
          ? database
              .all("SELECT topic_type, encoding, encoded_message_definition FROM message_definitions")
              .map((row) => DefinitionRow.parse(row))
              .filter((row) => row.encoded_message_definition !== "")
              .map((row) => [
                row.topic_type,
                { encoding: row.encoding, text: row.encoded_message_definition },
              ])
          : [],
      );
      return new Map(
        database.all("SELECT * FROM topics ORDER BY id").map((raw) => {
          const row = TopicRow.parse(raw);
          const topic: BagTopic = {
            topic: row.name,
            type: row.type,
            serialization: row.serialization_format,
            definition: definitions.get(row.type),
            qosProfiles: row.offered_qos_profiles ?? "",
          };
          this.topics.push(topic);
          return [row.id, topic];
        }),
      );
    } catch (thrown) {
      if (!(thrown instanceof sqlite.SQLite3Error) && !(thrown instanceof z.ZodError)) throw thrown;
      throw bagInvalid(
        `${this.file} cannot be read: ${errorText(thrown)}`,
        "Repair it with `sqlite3 FILE .recover`, or name another bag",
        thrown,
      );
    }
  }

  *#readMessages(
    database: sqlite.Database,
    topics: ReadonlyMap<bigint, BagTopic>,
  ): Generator<BagMessage, void, void> {
    const name = basename(this.file);
    let [count, strays] = [0, 0];
    let statement: sqlite.Statement | undefined;
    try {
      // In the order of arrival: the order of time would need an index, or all of it in memory.
      statement = database.prepare("SELECT topic_id, timestamp, data FROM messages ORDER BY id");
      for (const row of statement.iterate() as Iterable<Record<string, unknown>>) {
        const topic = topics.get(BigInt(row.topic_id as number | bigint));
        const { timestamp, data } = row;
        if (
          topic === undefined ||
          !(data instanceof Uint8Array) ||
          (typeof timestamp !== "bigint" && typeof timestamp !== "number")
        ) {
          strays++;
          continue;
        }
        count++;
        yield { topic, logNs: BigInt(timestamp), publishNs: 0n, data };
      }
    } catch (thrown) {
      if (!(thrown instanceof sqlite.SQLite3Error)) throw thrown;
      this.damage.push(
        `${name} is damaged (${errorText(thrown, 200)}): nothing after message ${count} can be read`,
      );
    } finally {
      finalize(statement);
    }
    if (strays > 0) this.damage.push(`${name} has ${strays} messages of no known topic, or without data`);
  }
}

/** Reports the failure of the newest step a second time. */
function finalize(statement: sqlite.Statement | undefined): void {
  try {
    statement?.finalize();
  } catch {
    // It is known, and the statement is gone.
  }
}

const hasBytes = (file: string): boolean => existsSync(file) && statSync(file).size > 0;
