/** The stop sources by their name in the cell file. To add one: its section in `config.ts`, its line in this table. */
import { readFileSync } from "node:fs";
import { connectAsync } from "mqtt";
import { errorText } from "../../core/errors.js";
import { readBytes } from "./bytes.js";
import type { EstopConfig, InputStop, LineStop, MqttStop } from "./config.js";
import { KEY_CODES, KeyEventReader } from "./keyEvents.js";
import { listenPage } from "./page.js";
import type { StopSource } from "./source.js";

const TEXT_CHARS_MAX = 60;
const CONNECT_MS_MAX = 3000;

export type SourceName = Exclude<keyof EstopConfig, "category">;

const OPENERS: { readonly [N in SourceName]: (config: NonNullable<EstopConfig[N]>) => StopSource } = {
  mqtt: (config) => ({ listen: (on, signal) => listenMqtt(config, on, signal) }),
  input: (config) => ({ listen: (on, signal) => listenInput(config, on, signal) }),
  line: (config) => ({ endIsStop: true, listen: (on, signal) => listenLine(config, on, signal) }),
  page: (config) => ({ listen: (on, signal) => listenPage(config, on, signal) }),
};

export interface NamedSource {
  readonly name: SourceName;
  readonly required: boolean;
  readonly source: StopSource;
}

export function sourcesOf(config: EstopConfig): NamedSource[] {
  const open = <N extends SourceName>(name: N): NamedSource[] => {
    const section = config[name];
    return section === undefined
      ? []
      : [{ name, required: section.required, source: OPENERS[name](section) }];
  };
  return (Object.keys(OPENERS) as SourceName[]).flatMap((name) => open(name));
}

const listenInput = async (config: InputStop, ...[on, signal]: Parameters<StopSource["listen"]>) => {
  const wanted = typeof config.key === "number" ? config.key : KEY_CODES[config.key];
  const held = new Set<number>();
  const reader = new KeyEventReader();
  const data = (chunk: Buffer) =>
    reader.push(chunk, ({ code, change }) => {
      if (wanted !== undefined && code !== wanted) return;
      if (change === "pressed") held.add(code);
      else held.delete(code);
      if (change === "pressed") void on.stop(`key ${code} of ${config.device} was pressed`);
      on.held(held.size > 0);
    });
  return readBytes({ path: config.device }, { open: on.live, data }, signal);
};

const listenLine = async (config: LineStop, ...[on, signal]: Parameters<StopSource["listen"]>) => {
  const what = config.path === undefined ? { command: config.command! } : { path: config.path };
  const name = config.path ?? config.command![0]!;
  let unfinished = "";
  const data = (chunk: Buffer) => {
    const lines = (unfinished + chunk.toString("utf8")).split("\n");
    unfinished = lines.pop()!.slice(-TEXT_CHARS_MAX);
    for (const line of lines) void on.stop(`${name} said "${plain(line)}"`);
  };
  const why = await readBytes(what, { open: on.live, data }, signal);
  return `${name}: ${why}`;
};

async function listenMqtt(
  config: MqttStop,
  ...[on, signal]: Parameters<StopSource["listen"]>
): Promise<string> {
  try {
    const { username, passwordFile } = config;
    const client = await connectAsync(config.url, {
      clean: true,
      keepalive: config.keepaliveS,
      connectTimeout: CONNECT_MS_MAX,
      // The desk repeats the whole attempt, so that what is lost is seen to be lost.
      reconnectPeriod: 0,
      ...(username !== undefined && { username }),
      ...(passwordFile !== undefined && {
        password: readFileSync(passwordFile, "utf8").split("\n")[0]!.trim(),
      }),
    });
    let why = "the connection to the broker ended";
    const closed = new Promise<void>((resolve) => client.once("close", resolve));
    client.on("error", (error) => {
      why = errorText(error);
    });
    client.on(
      "message",
      (_topic, payload) => void on.stop(`message on ${config.topic}: "${plain(payload.toString("utf8"))}"`),
    );
    const end = () => client.end(true);
    signal.addEventListener("abort", end, { once: true });
    try {
      await Promise.race([client.subscribeAsync(config.topic, { qos: 1 }), closed]);
      if (client.connected) on.live();
      await closed;
    } finally {
      signal.removeEventListener("abort", end);
      client.end(true);
    }
    return why;
  } catch (thrown) {
    return `${config.url}: ${errorText(thrown)}`;
  }
}

/** For a log line: short, and without what a terminal would act on. */
const plain = (text: string): string => text.replace(/[^\x20-\x7e]/g, "?").slice(0, TEXT_CHARS_MAX);
