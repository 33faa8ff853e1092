/** Finds the files of a bag: a rosbag2 folder with or without its metadata.yaml, or a single file of either storage. */
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, extname, isAbsolute, join, normalize, resolve } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { CerebellumError, errorText } from "../../core/errors.js";
import { type BagMessage, type BagReading, bagInvalid } from "./bag.js";
import { McapBag } from "./mcapBag.js";
import { SqliteBag } from "./sqliteBag.js";
import { zstdDecompressor } from "./zstd.js";

const METADATA_FILE = "metadata.yaml";
const METADATA_VERSION_MAX = 9;
/** A file that was compressed whole is unpacked in memory; larger ones are for the zstd program. */
const UNPACKED_BYTES_MAX = 1024 ** 3;
const MESSAGE_BYTES_MAX = 256 * 1024 ** 2;
const STORAGES = {
  ".mcap": { storage: "mcap", open: (file: string): BagReading => new McapBag(file) },
  ".db3": { storage: "sqlite3", open: (file: string): BagReading => new SqliteBag(file) },
} as const;
type Ending = keyof typeof STORAGES;

/** Of metadata.yaml what the import needs; older versions lack the later fields. */
const Metadata = z.object({
  rosbag2_bagfile_information: z.object({
    version: z.int(),
    storage_identifier: z.string(),
    relative_file_paths: z.array(z.string()),
    compression_format: z.string().nullish(),
    compression_mode: z.string().nullish(),
    message_count: z.int().optional(),
    topics_with_message_count: z
      .array(z.object({ topic_metadata: z.object({ name: z.string() }), message_count: z.int() }))
      .optional(),
    ros_distro: z.string().nullish(),
  }),
});

export interface BagFile {
  readonly path: string;
  /** Starts one way through it; may be called again. */
  read(): BagReading;
}

export interface Bag {
  /** As named by the user, absolute. */
  readonly path: string;
  readonly storage: "mcap" | "sqlite3";
  readonly files: readonly BagFile[];
  readonly rosDistro: string;
  /** Of metadata.yaml: messages by topic; undefined when it was not there. */
  readonly declaredCounts: ReadonlyMap<string, number> | undefined;
  readonly damage: readonly string[];
  readonly remarks: readonly string[];
  /** Removes what had to be unpacked. */
  close(): Promise<void>;
}

/**
 * @param path a bag's folder, or one .mcap or .db3 file
 * @throws CerebellumError FILE_UNREADABLE, BAG_INVALID
 */
export async function openBag(path: string): Promise<Bag> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new CerebellumError(
      "FILE_UNREADABLE",
      `${path} cannot be opened: ${errorText(cause)}`,
      "Name a rosbag2 folder, a .mcap or a .db3 file",
      cause,
    );
  });
  if (!found.isDirectory()) return filesBag(resolve(path), [resolve(path)], []);
  if (existsSync(join(path, METADATA_FILE))) return folderBag(resolve(path));
  const names = (await readdir(path)).filter((name) => endingOf(name) !== undefined);
  if (names.length === 0)
    throw bagInvalid(
      `${path} has neither ${METADATA_FILE} nor a .mcap or .db3 file`,
      "Name a rosbag2 folder, a .mcap or a .db3 file",
    );
  // Recorders number the parts of a bag without leading zeros.
  names.sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  return filesBag(
    resolve(path),
    names.map((name) => join(resolve(path), name)),
    [`${basename(path)} has no ${METADATA_FILE}: its files were read in the order of their names`],
  );
}

async function folderBag(path: string): Promise<Bag> {
  const information = await readMetadata(join(path, METADATA_FILE));
  const { version, compression_format, compression_mode } = information;
  if (version > METADATA_VERSION_MAX)
    throw bagInvalid(
      `${path} is a rosbag2 bag of version ${version}; this program reads 1 to ${METADATA_VERSION_MAX}`,
      "Convert it with `ros2 bag convert`, or name its .mcap or .db3 file itself",
    );
  const mode = (compression_mode ?? "").toLowerCase();
  if (mode !== "" && mode !== "none" && (compression_format ?? "") !== "zstd")
    throw bagInvalid(
      `${path} is compressed by "${compression_format}"; this program reads zstd`,
      "Convert it with `ros2 bag convert`",
    );
  const damage: string[] = [];
  const files: string[] = [];
  for (const name of information.relative_file_paths) {
    const file = join(path, insideBag(name, path));
    if (existsSync(file)) files.push(file);
    else damage.push(`${basename(file)} is named in ${METADATA_FILE} and missing`);
  }
  if (files.length === 0)
    throw bagInvalid(
      `${path} has none of the files that its ${METADATA_FILE} names: ${information.relative_file_paths.join(", ") || "none are named"}`,
      "Copy the whole bag",
    );
  const bag = await filesBag(path, files, [], mode === "message");
  return {
    ...bag,
    damage,
    rosDistro: information.ros_distro ?? "",
    declaredCounts:
      information.topics_with_message_count && countByTopic(information.topics_with_message_count),
  };
}

/** Names in metadata.yaml are relative to the bag; old versions put the bag's own name before them. */
function insideBag(name: string, bag: string): string {
  const clean = normalize(name);
  if (isAbsolute(clean) || clean.startsWith("..") || name.includes("\0"))
    throw bagInvalid(
      `${bag} names a file outside of its folder: "${name}"`,
      `Correct relative_file_paths in its ${METADATA_FILE}`,
    );
  return basename(clean);
}

async function readMetadata(file: string) {
  let document: unknown;
  try {
    document = parse(await readFile(file, "utf8"));
  } catch (cause) {
    throw bagInvalid(
      `${file} is no YAML: ${errorText(cause)}`,
      "Name the bag's .mcap or .db3 file itself",
      cause,
    );
  }
  const result = Metadata.safeParse(document);
  if (result.success) return result.data.rosbag2_bagfile_information;
  throw bagInvalid(
    `${file} is not as rosbag2 writes it: ${z.prettifyError(result.error)}`,
    "Name the bag's .mcap or .db3 file itself",
  );
}

function countByTopic(
  topics: readonly { topic_metadata: { name: string }; message_count: number }[],
): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { topic_metadata, message_count } of topics)
    counts.set(topic_metadata.name, (counts.get(topic_metadata.name) ?? 0) + message_count);
  return counts;
}

async function filesBag(
  path: string,
  files: readonly string[],
  remarks: readonly string[],
  isPackedByMessage = false,
): Promise<Bag> {
  const unpack = await zstdDecompressor();
  const unpacked: string[] = [];
  const close = async () => {
    for (const folder of unpacked) await rm(folder, { recursive: true, force: true });
  };
  try {
    const endings = new Set(files.map((file) => endingOf(file)));
    const [ending] = endings;
    if (ending === undefined || endings.size > 1)
      throw bagInvalid(
        `${path} has files of the kinds ${[...new Set(files.map((file) => extname(file) || "(none)"))].join(", ")}`,
        "Name a rosbag2 folder, a .mcap or a .db3 file",
      );
    const { storage, open } = STORAGES[ending];
    const readable: BagFile[] = [];
    for (const file of files) {
      const source = file.endsWith(".zstd") ? await unpackFile(file, unpack, unpacked) : file;
      readable.push({
        path: file,
        read: () => (isPackedByMessage ? new UnpackedMessages(open(source), unpack) : open(source)),
      });
    }
    return {
      path,
      storage,
      files: readable,
      rosDistro: "",
      declaredCounts: undefined,
      damage: [],
      remarks,
      close,
    };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

function endingOf(file: string): Ending | undefined {
  const ending = extname(file.endsWith(".zstd") ? file.slice(0, -".zstd".length) : file);
  return ending in STORAGES ? (ending as Ending) : undefined;
}

type Unpack = Awaited<ReturnType<typeof zstdDecompressor>>;

async function unpackFile(file: string, unpack: Unpack, unpacked: string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "cerebellum-import-"));
  unpacked.push(folder);
  const target = join(folder, basename(file, ".zstd"));
  try {
    await writeFile(target, unpack(await readFile(file), UNPACKED_BYTES_MAX));
  } catch (cause) {
    throw bagInvalid(
      `${file} cannot be unpacked: ${errorText(cause)}`,
      "Unpack it with `zstd -d`, then name the file that comes out",
      cause,
    );
  }
  return target;
}

/** A bag whose messages were compressed one by one. */
class UnpackedMessages implements BagReading {
  readonly damage: string[] = [];
  readonly lost = new Map<string, number>();
  constructor(
    private readonly inner: BagReading,
    private readonly unpack: Unpack,
  ) {}
  get topics() {
    return this.inner.topics;
  }
  get recorder() {
    return this.inner.recorder;
  }
  get remarks() {
    return this.inner.remarks;
  }
  get metadata() {
    return this.inner.metadata;
  }

  async *messages(): AsyncGenerator<BagMessage, void, void> {
    for await (const message of this.inner.messages()) {
      const data = this.#unpack(message);
      if (data !== undefined) yield { ...message, data };
    }
    this.damage.push(...this.inner.damage);
    for (const [topic, count] of this.lost)
      this.damage.push(`${count} messages of ${topic} cannot be unpacked`);
    for (const [topic, count] of this.inner.lost) this.lost.set(topic, (this.lost.get(topic) ?? 0) + count);
  }

  #unpack({ topic, data }: BagMessage): Uint8Array | undefined {
    try {
      return this.unpack(data, MESSAGE_BYTES_MAX);
    } catch {
      this.lost.set(topic.topic, (this.lost.get(topic.topic) ?? 0) + 1);
      return undefined;
    }
  }
}
