/** The cell as in force, how this gateway is reached, and who may. */

import { useState } from "preact/hooks";
import { CellPage as CellData, DeviceList } from "../../../core/gateway/library.js";
import type { Role } from "../../../core/gateway/requests.js";
import { dayAndTime, UNKNOWN } from "../../shared/format.js";
import { Choices } from "../parts/Choices.js";
import { PairHeadset } from "../parts/PairHeadset.js";
import { useAsked } from "../state/asked.js";
import { askFirst } from "../state/confirm.js";
import { useApp } from "../state/context.js";
import { useValue } from "../state/value.js";

const KINDS = [
  ["headset", "Headset"],
  ["screen", "Screen"],
  ["observer", "Screen that only looks"],
] as const;
type Kind = (typeof KINDS)[number][0];

export function CellPage() {
  const app = useApp();
  const welcome = useValue(app.welcome);
  const { data } = useAsked({ do: "cell" }, CellData);
  const [kind, setKind] = useState<Kind>("headset");
  const role: Role = kind === "observer" ? "observer" : "operator";
  return (
    <div class="page">
      <h1>
        Cell {welcome?.cell} <span class="quiet">· {welcome?.software}</span>
      </h1>
      <div class="beside">
        <div class="card">
          <div class="spread">
            <h2>Configuration in force</h2>
            <code class="quiet">{data?.file}</code>
          </div>
          <pre class="yaml">{data?.yaml}</pre>
        </div>
        <div class="stack">
          <div class="card">
            <h2>Addresses</h2>
            <ul>
              {data?.addresses.map((address) => (
                <li key={address}>
                  <a href={address}>{address}</a>
                </li>
              ))}
            </ul>
            {data?.certificateSha256 != null && (
              <>
                <h2>Fingerprint of its certificate</h2>
                <code class="fingerprint">{data.certificateSha256}</code>
              </>
            )}
          </div>
          {app.isOperator && <Devices />}
          {app.isOperator && (
            <div class="card">
              <h2>Pair a device</h2>
              <Choices label="What to pair" isTight options={KINDS} chosen={kind} onChoose={setKind} />
              <PairHeadset key={kind} role={role} page={kind === "headset" ? "/xr/" : "/"} />
            </div>
          )}
          <div class="card">
            <h2>Robots</h2>
            {welcome?.robots.map(({ robot, device, rateHz, jointNames, mount }) => (
              <p key={robot}>
                <strong>{robot}</strong> <span class="quiet">{device}</span> · {rateHz} Hz ·{" "}
                {jointNames.length} joints{mount?.robot != null && ` · on the flange of ${mount.robot}`}
              </p>
            ))}
          </div>
        </div>
      </div>
    </div>
  );
}

function Devices() {
  const app = useApp();
  const { data, again } = useAsked({ do: "listDevices" }, DeviceList);
  const revoke = (device: string) =>
    askFirst({
      text: `Revoke ${device}?`,
      detail: "It is disconnected now and must be paired again.",
      yes: "Revoke",
      onYes: () => void app.do({ do: "revokeDevice", device }).then(again),
    });
  return (
    <div class="card">
      <h2>Paired devices</h2>
      <table>
        <tbody>
          {data?.devices.map(({ device, role, lastSeenEpochMs, connected }) => (
            <tr key={device} data-device={device}>
              <td>
                <strong>{device}</strong>
                <br />
                <span class="quiet">
                  {role} ·{" "}
                  {connected
                    ? "connected"
                    : `seen ${lastSeenEpochMs === null ? UNKNOWN : dayAndTime(lastSeenEpochMs)}`}
                </span>
              </td>
              <td class="number">
                <button
                  type="button"
                  class="button danger"
                  aria-label={`Revoke ${device}`}
                  onClick={() => revoke(device)}
                >
                  Revoke
                </button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
