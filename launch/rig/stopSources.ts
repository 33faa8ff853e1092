/**
 * Stops that come from outside of the servo link: the command line as users run it, and the e-stop worker with a button
 * on a FIFO and a message of a broker. Measured from the press to the wire; nothing is promised here but the servo's
 * part, because a process must be started or a network be crossed first.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, writeFileSync, writeSync } from "node:fs";
import { Agent, request } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { entryUrl, repositoryRootUrl } from "../../core/entry.js";
import { EstopConfig } from "../estop/config.js";
import { FromEstopWorker } from "../estop/messages.js";
import { systemClock } from "../systemClock.js";
import type { ArmRig } from "./armRig.js";

const TOPIC = "cerebellum/stop";

/** `./cerebellum stop` in a shell of its own. */
export async function stopByCommand(rig: ArmRig): Promise<{ fromNs: ReturnType<typeof systemClock.nowNs> }> {
  const cellFile = join(rig.folder, "cell.yaml");
  writeFileSync(cellFile, `name: ${rig.name}\n`);
  const fromNs = systemClock.nowNs();
  const command = spawn("./cerebellum", ["stop", "--cell", cellFile], {
    cwd: fileURLToPath(repositoryRootUrl()),
    env: { ...process.env, XDG_RUNTIME_DIR: rig.folder },
    stdio: "ignore",
  });
  await once(command, "exit");
  return { fromNs };
}

/** The daemon's e-stop worker with a button and, where the development packages are there, a broker. */
export class StopSources {
  readonly #worker: Worker;
  readonly #button: number;
  readonly #live = new Set<string>();
  readonly #pagePort: number;
  /** A browser keeps its connection, too. */
  readonly #browser = new Agent({ keepAlive: true });
  #broker: { publish(): void; close(): void } | undefined;

  private constructor(rig: ArmRig, fifo: string, port: number | undefined, pagePort: number) {
    this.#pagePort = pagePort;
    this.#button = openSync(fifo, "r+");
    const estop = EstopConfig.parse({
      line: { path: fifo },
      page: { port: pagePort },
      ...(port === undefined ? {} : { mqtt: { url: `mqtt://127.0.0.1:${port}`, topic: TOPIC } }),
    });
    this.#worker = new Worker(entryUrl("../processes/estopWorker.js", import.meta.url), {
      workerData: { estop, sockets: { arm: rig.socketPath } },
    });
    this.#worker.on("message", (raw: unknown) => {
      const message = FromEstopWorker.parse(raw);
      if (message.kind !== "status") return;
      for (const { name, state } of message.sources)
        if (state === "live") this.#live.add(name);
        else this.#live.delete(name);
    });
  }

  static async start(rig: ArmRig): Promise<StopSources> {
    const fifo = join(rig.folder, "button");
    execFileSync("mkfifo", [fifo]);
    const broker = await startBroker();
    const sources = new StopSources(rig, fifo, broker?.port, await freePort());
    sources.#broker = broker;
    await rig.until("the stop sources", () => sources.#live.size === (broker === undefined ? 2 : 3));
    return sources;
  }

  get hasBroker(): boolean {
    return this.#broker !== undefined;
  }

  press(): ReturnType<typeof systemClock.nowNs> {
    const atNs = systemClock.nowNs();
    writeSync(this.#button, "stop\n");
    return atNs;
  }

  click(): ReturnType<typeof systemClock.nowNs> {
    const atNs = systemClock.nowNs();
    const at = {
      host: "127.0.0.1",
      port: this.#pagePort,
      path: "/stop",
      method: "POST",
      agent: this.#browser,
    };
    // Whether it stops is judged on the wire.
    request(at, (answer) => answer.resume())
      .on("error", () => {})
      .end();
    return atNs;
  }

  publish(): ReturnType<typeof systemClock.nowNs> {
    const atNs = systemClock.nowNs();
    this.#broker!.publish();
    return atNs;
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
    this.#broker?.close();
    this.#browser.destroy();
    closeSync(this.#button);
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

/** A broker in this process, as on the site's server; undefined without the package, which only development needs. */
async function startBroker(): Promise<{ port: number; publish(): void; close(): void } | undefined> {
  const aedes = await import("aedes").catch(() => undefined);
  if (aedes === undefined) return undefined;
  const broker = await aedes.Aedes.createBroker();
  const server: Server = createServer(broker.handle);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  return {
    port,
    publish: () =>
      broker.publish(
        { cmd: "publish", topic: TOPIC, payload: "bench", qos: 1, retain: false, dup: false },
        () => {},
      ),
    close: () => {
      broker.close();
      server.close();
    },
  };
}
