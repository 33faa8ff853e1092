/** Pairing codes and paired devices, for an operator's page and for `./cerebellum pair`. */
import type { DeviceList, Pairing } from "../../core/gateway/library.js";
import type { Role } from "../../core/gateway/requests.js";
import { done, type GatewayPart, type PartServices, type RequestOf, refuse } from "./part.js";

export function pairingPart(services: PartServices): GatewayPart {
  const { devices, reachedAt, onMain, post, disconnectDevice, isConnected } = services;
  const create = (role: Role): Pairing => {
    const { code, expiresEpochMs } = devices.createCode(role);
    const { origins, fingerprint } = reachedAt();
    return {
      code,
      role,
      expiresEpochMs,
      urls: origins.map((origin) => `${origin}/#pair=${code}`),
      fingerprint,
    };
  };
  onMain((message) => {
    if (message.kind === "pair")
      post({ kind: "paired", requestId: message.requestId, pairing: create(message.role) });
  });
  return {
    requests: {
      createPairing: async ({ role }: RequestOf<"createPairing">) =>
        done(`good once, for 5 minutes, as ${role}`, create(role)),
      listDevices: async () => {
        const list: DeviceList = {
          devices: devices.list().map((entry) => ({ ...entry, connected: isConnected(entry.device) })),
        };
        return done(`${list.devices.length} devices are paired`, list);
      },
      revokeDevice: async ({ device }: RequestOf<"revokeDevice">) => {
        if (!devices.revoke(device))
          return refuse("NOT_RUNNING", `No device ${device} is paired`, "`listDevices` names those that are");
        disconnectDevice(device, "It was revoked");
        return done(`${device} is not paired any more`);
      },
    },
  };
}
