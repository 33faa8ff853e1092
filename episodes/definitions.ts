/** Message definitions as MCAP's `ros2msg` encoding wants them: the type's own text, then each type it needs. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { CerebellumError } from "../core/errors.js";

const SEPARATOR = "=".repeat(80);

/**
 * @param type e.g. "sensor_msgs/msg/JointState"
 * @param prefixes ament prefixes, nearest overlay first
 * @throws CerebellumError ROS_UNAVAILABLE when no prefix has the definition
 */
export function rosDefinition(type: string, prefixes: readonly string[]): string {
  const parts: string[] = [];
  const seen = new Set<string>([type]);
  const queue = [type];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const text = readDefinition(next, prefixes);
    parts.push(parts.length === 0 ? text : `${SEPARATOR}\nMSG: ${next.replace("/msg/", "/")}\n${text}`);
    for (const needed of dependencies(text, next.split("/")[0]!)) {
      if (!seen.has(needed)) {
        seen.add(needed);
        queue.push(needed);
      }
    }
  }
  return parts.join("\n");
}

function readDefinition(type: string, prefixes: readonly string[]): string {
  const [pack, , name] = type.split("/");
  const file = prefixes.map((prefix) => join(prefix, "share", pack!, "msg", `${name}.msg`)).find(existsSync);
  if (file === undefined) {
    throw new CerebellumError(
      "ROS_UNAVAILABLE",
      `The definition of ${type} is in none of: ${prefixes.join(", ") || "(AMENT_PREFIX_PATH is empty)"}`,
      "Run ./cerebellum prepare, then start through ./cerebellum",
    );
  }
  return readFileSync(file, "utf8");
}

const PRIMITIVES = /^(bool|byte|char|float32|float64|u?int(8|16|32|64)|w?string)$/;

function dependencies(text: string, ownPackage: string): string[] {
  return text.split("\n").flatMap((line) => {
    const word = /^\s*([A-Za-z][\w/]*)(<=\d+)?(\[[^\]]*\])?\s+[A-Za-z_]\w*/.exec(
      line.replace(/#.*$/, ""),
    )?.[1];
    if (word === undefined || PRIMITIVES.test(word)) return [];
    const parts = word.split("/");
    return [parts.length === 1 ? `${ownPackage}/msg/${word}` : `${parts[0]}/msg/${parts.at(-1)}`];
  });
}
