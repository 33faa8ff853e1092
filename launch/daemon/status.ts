/** What a running daemon is doing, as data and as text. */
import type { GatewayStatus } from "../../runtime/gateway/host.js";
import type { PolicyStatus } from "../../runtime/policy/host.js";
import type { RecorderStatus } from "../../runtime/recorder/host.js";
import type { ServoStatistics } from "../../runtime/servo/api.js";
import type { DiagnosticItem } from "../../runtime/supervisor.js";
import type { LogFile } from "../logFile.js";
import type { Daemon } from "./daemon.js";

export interface DaemonStatus {
  readonly cell: string;
  readonly upS: number;
  readonly processId: number;
  readonly items: readonly DiagnosticItem[];
  /** Of the servo processes that answer. */
  readonly servos: Readonly<Record<string, ServoStatistics>>;
  readonly policy: PolicyStatus | undefined;
  /** Undefined in a cell that never records. */
  readonly recorder: RecorderStatus | undefined;
  /** Undefined in a cell without one. */
  readonly gateway: GatewayStatus | undefined;
  readonly labPorts: Readonly<Record<string, number>> | undefined;
}

export async function readStatus(daemon: Daemon): Promise<DaemonStatus> {
  const robots = Object.keys(daemon.cell.robots);
  const statistics = await Promise.all(
    robots.map(async (robot) => {
      const one = await daemon
        .servo(robot)
        .statistics()
        .catch(() => undefined);
      return one === undefined ? [] : [[robot, one] as const];
    }),
  );
  const cameras = Object.keys(daemon.cell.cameras).flatMap(
    (name) => daemon.camera(name)?.stream.diagnostic() ?? [],
  );
  return {
    cell: daemon.cell.name,
    upS: Number(daemon.clock.nowNs() - daemon.mapping.monotonicNs) / 1e9,
    processId: process.pid,
    items: [...(await daemon.supervisor.diagnostics()), ...cameras],
    servos: Object.fromEntries(statistics.flat()),
    policy: daemon.policy?.status(),
    recorder: daemon.recorder?.status(),
    gateway: daemon.gateway?.status(),
    labPorts: daemon.lab && { ...daemon.lab.ports, ...daemon.lab.digitPorts },
  };
}

export function describeStatus(status: DaemonStatus): string {
  const lines = [`cell ${status.cell}, up for ${status.upS.toFixed(0)} s, process ${status.processId}`];
  for (const item of status.items) {
    lines.push(`  ${item.level.padEnd(5)} ${item.name}: ${item.message}`);
    const values = Object.entries(item.values).map(([name, value]) => `${name} ${value}`);
    if (values.length > 0) lines.push(`        ${values.join(", ")}`);
  }
  if (status.labPorts !== undefined) {
    const ports = Object.entries(status.labPorts).map(([name, port]) => `${name} ${port}`);
    lines.push(`  lab ports: ${ports.join(", ")}`);
  }
  return lines.join("\n");
}

/** Only when there is something to say: lines were lost. */
export function logFileItem(file: LogFile | undefined): DiagnosticItem[] {
  if (file === undefined || file.droppedCount === 0) return [];
  const message = file.failure ?? "written again; make sure that the disk does not fill up once more";
  return [
    {
      name: "log: file",
      hardwareId: "",
      level: file.failure === undefined ? "warn" : "error",
      message: `lines are lost: ${message}`,
      values: { droppedLines: file.droppedCount },
    },
  ];
}
