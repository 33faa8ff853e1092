/** Vectors of Digit: datagrams of both streams, messages of its JSON interface, and the vendor's command struct. */
import { checkJsonMessages, checkStruct } from "../../drivers/digit/protocol/otherVectors.js";
import { checkPackets } from "../../drivers/digit/protocol/packetVectors.js";
import { JsonFile, PacketFile, StructFile } from "../../drivers/digit/protocol/vectorFile.js";
import { zstdDecompressor } from "../../episodes/import/zstd.js";
import type { DeviceVectors } from "./conformanceDevices.js";

const has = (content: unknown, key: string): boolean =>
  typeof content === "object" && content !== null && Object.hasOwn(content, key);

export const digitVectors: DeviceVectors = {
  needs:
    "It needs a list `packets`, each with stream, name, hex and decoded; or a list `messages`; or `sizeof` and `offsets`",
  partly: "only the shape was checked, because nothing here reads what is in it",
  async replay(content) {
    if (has(content, "messages")) return checkJsonMessages(JsonFile.parse(content));
    if (has(content, "offsets")) return checkStruct(StructFile.parse(content));
    const file = PacketFile.parse(content);
    return { checks: checkPackets(file, await zstdDecompressor()), partlyChecked: [] };
  },
};
