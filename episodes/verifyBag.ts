/** Whether `metadata.yaml` says of an episode what its file says. */
import { basename, join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { errorText } from "../core/errors.js";
import { bagInformation, METADATA_FILE, QOS_KEY } from "./metadataYaml.js";
import { bagContents } from "./write/finish.js";
import { codeOf, type EpisodeIo } from "./write/io.js";
import type { FileContents } from "./write/records.js";

const Ns = z.union([z.number(), z.bigint()]).transform(BigInt);
const Range = {
  starting_time: z.object({ nanoseconds_since_epoch: Ns }),
  duration: z.object({ nanoseconds: Ns }),
  message_count: z.union([z.number(), z.bigint()]).transform(Number),
};
/** What readers of a bag go by; anything else in the file is theirs. */
const Bag = z.object({
  rosbag2_bagfile_information: z.object({
    version: z.union([z.number(), z.bigint()]).transform(Number),
    storage_identifier: z.string(),
    ...Range,
    topics_with_message_count: z.array(
      z.object({
        topic_metadata: z.object({
          name: z.string(),
          type: z.string(),
          serialization_format: z.string(),
          offered_qos_profiles: z.unknown(),
        }),
        message_count: Range.message_count,
      }),
    ),
    compression_mode: z.string(),
    relative_file_paths: z.array(z.string()),
    files: z.array(z.object({ path: z.string(), ...Range })),
  }),
});

const BYTES_MAX = 4 * 1024 * 1024;

/** @returns what is wrong, at most a few texts */
export async function bagTroubles(io: EpisodeIo, folder: string, contents: FileContents): Promise<string[]> {
  const file = join(folder, METADATA_FILE);
  let found: unknown;
  try {
    found = read(parseYaml(await readText(io, file)));
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return [`There is no ${METADATA_FILE}, so \`ros2 bag\` cannot open it`];
    return [`${METADATA_FILE} cannot be read: ${errorText(cause)}`];
  }
  const expected = read(bagInformation(bagContents(basename(folder), contents)));
  // The profile is what the channel says it is, whatever this version would write today.
  const parsed = new Map<string, unknown>();
  for (const { topic_metadata } of expected.topics_with_message_count) {
    const channel = contents.channels.find(({ topic }) => topic === topic_metadata.name);
    const profile = channel?.metadata.get(QOS_KEY) ?? "";
    if (!parsed.has(profile)) parsed.set(profile, profileOf(profile));
    topic_metadata.offered_qos_profiles = parsed.get(profile);
  }
  return differences("", found, expected);
}

/** A damaged one is compared as the text that it is. */
function profileOf(text: string): unknown {
  try {
    return parseYaml(text);
  } catch {
    return text;
  }
}

/** Without aliases a short text cannot become a huge value; integers beyond 2^53 stay exact. */
const parseYaml = (text: string): unknown =>
  parse(text, { maxAliasCount: 0, intAsBigInt: true, logLevel: "silent" });

const read = (value: unknown) => {
  const result = Bag.safeParse(value);
  if (result.success) return result.data.rosbag2_bagfile_information;
  throw new Error(z.prettifyError(result.error));
};

async function readText(io: EpisodeIo, file: string): Promise<string> {
  const handle = await io.open(file, "read");
  try {
    const bytes = await handle.sizeBytes();
    if (bytes > BYTES_MAX) throw new Error(`it has ${bytes} bytes, at most ${BYTES_MAX} are read`);
    const text = Buffer.alloc(bytes);
    for (let done = 0; done < bytes; ) {
      const got = await handle.read(text.subarray(done), done);
      if (got === 0) break;
      done += got;
    }
    return text.toString("utf8");
  } finally {
    await handle.close();
  }
}

const DIFFERENCES_MAX = 5;

function differences(path: string, found: unknown, expected: unknown): string[] {
  if (typeof expected === "object" && expected !== null && typeof found === "object" && found !== null) {
    const [left, right] = [found as Record<string, unknown>, expected as Record<string, unknown>];
    return [...new Set([...Object.keys(left), ...Object.keys(right)])]
      .flatMap((key) => differences(path === "" ? key : `${path}.${key}`, left[key], right[key]))
      .slice(0, DIFFERENCES_MAX);
  }
  if (found === expected) return [];
  return [`${METADATA_FILE}: ${path} is ${String(found)}, the file says ${String(expected)}`];
}
