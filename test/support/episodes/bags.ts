/** Bags of other recorders for tests: whole ones by Python's rosbags, and MCAP files of chosen records. */
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { McapWriter } from "@mcap/core";
import { CdrWriter, writeString } from "../../../core/rosWire.js";

export interface BagSpec {
  readonly name: string;
  readonly storage: "mcap" | "sqlite3";
  readonly compression?: "none" | "file" | "message" | "storage" | "lz4";
  readonly version?: 8 | 9;
  readonly messages: number;
}

/** As in writeBags.py. */
export const BAG = {
  receivedNs: 1_700_000_000_000_000_000n,
  periodNs: 10_000_000n,
  delayNs: 3_000_000n,
  joints: ["shoulder", "elbow", "wrist"],
  widthPx: 32,
  heightPx: 24,
  focalPx: 40,
};

export async function writeBags(folder: string, specs: readonly BagSpec[]): Promise<void> {
  const spec = join(folder, "spec.json");
  await writeFile(spec, JSON.stringify(specs));
  await promisify(execFile)("python3", [
    fileURLToPath(new URL("writeBags.py", import.meta.url)),
    folder,
    spec,
  ]);
}

export interface TestChannel {
  readonly topic: string;
  readonly type?: string;
  readonly encoding?: string;
  readonly schemaEncoding?: string;
  readonly definition?: string;
  readonly messages?: readonly { readonly logNs: bigint; readonly data: Uint8Array }[];
}

export const STRING = "std_msgs/msg/String";
export const stamped = (stampNs: bigint, text: string): Uint8Array =>
  new CdrWriter()
    .stamp(stampNs as never)
    .text("")
    .text(text)
    .finish();
export const STAMPED_DEFINITION = [
  "std_msgs/Header header",
  "string data",
  "=".repeat(80),
  "MSG: std_msgs/Header",
  "builtin_interfaces/Time stamp",
  "string frame_id",
].join("\n");

/** `count` strings, 10 ms apart; message i says "number i". */
export const strings = (count: number, fromNs = BAG.receivedNs) =>
  Array.from({ length: count }, (_, index) => ({
    logNs: fromNs + BigInt(index) * BAG.periodNs,
    data: writeString(`number ${index}`),
  }));

/** An MCAP file in small chunks, messages of all channels in the order given. */
export async function writeMcap(
  file: string,
  channels: readonly TestChannel[],
  options: { metadata?: string; attachment?: string } = {},
): Promise<void> {
  const parts: Uint8Array[] = [];
  let length = 0;
  const writer = new McapWriter({
    chunkSize: 2048,
    writable: {
      position: () => BigInt(length),
      write: async (bytes) => {
        parts.push(bytes.slice());
        length += bytes.length;
      },
    },
  });
  await writer.start({ profile: "ros2", library: "test recorder 1" });
  if (options.metadata) await writer.addMetadata({ name: options.metadata, metadata: new Map([["a", "b"]]) });
  for (const channel of channels) {
    const {
      topic,
      type = STRING,
      encoding = "cdr",
      schemaEncoding = "ros2msg",
      definition = "string data",
    } = channel;
    const schemaId =
      type === ""
        ? 0
        : await writer.registerSchema({
            name: type,
            encoding: schemaEncoding,
            data: Buffer.from(definition),
          });
    const channelId = await writer.registerChannel({
      schemaId,
      topic,
      messageEncoding: encoding,
      metadata: new Map(),
    });
    for (const [sequence, { logNs, data }] of (channel.messages ?? []).entries())
      await writer.addMessage({ channelId, sequence, logTime: logNs, publishTime: logNs - 1_000_000n, data });
  }
  if (options.attachment)
    await writer.addAttachment({
      name: options.attachment,
      logTime: 1n,
      createTime: 1n,
      mediaType: "text/plain",
      data: Buffer.from("hello"),
    });
  await writer.end();
  await writeFile(file, Buffer.concat(parts));
}
