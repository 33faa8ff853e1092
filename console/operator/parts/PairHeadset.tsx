/** A QR code that a headset or tablet opens, good once and for five minutes. */
import { useEffect, useState } from "preact/hooks";
import { encode } from "uqr";
import { Pairing } from "../../../core/gateway/library.js";
import type { Role } from "../../../core/gateway/requests.js";
import { duration } from "../../shared/format.js";
import { useApp } from "../state/context.js";
import { Choices } from "./Choices.js";

interface PairHeadsetProps {
  readonly role?: Role;
  /** Page that the paired device opens. */
  readonly page?: "/xr/" | "/";
}

const LOCAL = new Set(["localhost", "127.0.0.1", "[::1]"]);

export function PairHeadset({ role = "operator", page = "/xr/" }: PairHeadsetProps) {
  const app = useApp();
  const [pairing, setPairing] = useState<Pairing>();
  const [url, setUrl] = useState("");
  const [leftS, setLeftS] = useState(0);
  const create = async () => {
    const answer = await app.ask({ do: "createPairing", role });
    const parsed = Pairing.safeParse(answer?.data);
    if (!parsed.success) return;
    const urls = parsed.data.urls.map((one) => `${new URL(one).origin}${page}#pair=${parsed.data.code}`);
    const [first] = urls;
    if (first === undefined) return;
    setPairing({ ...parsed.data, urls });
    setUrl(first);
  };
  useEffect(() => {
    if (pairing === undefined) return;
    const check = () => {
      const left = (pairing.expiresEpochMs - (app.epochMs ?? pairing.expiresEpochMs)) / 1000;
      setLeftS(left);
      if (left < 0) setPairing(undefined);
    };
    check();
    return app.clock.every(1000, check);
  }, [app, pairing]);
  if (pairing === undefined)
    return (
      <button
        type="button"
        class="button primary wide"
        disabled={!app.isOperator}
        onClick={() => void create()}
      >
        Show the code for a {page === "/xr/" ? "headset" : "screen"}
      </button>
    );
  const { hostname, port, protocol } = new URL(url);
  return (
    <div class="pairing">
      {pairing.urls.length > 1 && (
        <Choices
          label="Address"
          options={pairing.urls.map((one) => [one, new URL(one).hostname] as const)}
          chosen={url}
          onChoose={setUrl}
        />
      )}
      <QrCode text={url} />
      <p>
        Scan it, or open <code>{url.split("#")[0]}</code> and type{" "}
        <strong class="mono">{pairing.code}</strong>.
      </p>
      <p class="quiet">Good once, for {duration(leftS)} more.</p>
      {LOCAL.has(hostname) && (
        <p class="why care">
          This address works on this computer only, or in a headset on its cable after{" "}
          <code>
            adb reverse tcp:{port} tcp:{port}
          </code>
          . To be reached over the network the cell file needs <code>gateway.host: 0.0.0.0</code>.
        </p>
      )}
      {pairing.fingerprint !== null && protocol === "https:" && (
        <>
          <p class="quiet">The browser warns of the certificate: its fingerprint must be</p>
          <code class="fingerprint">{pairing.fingerprint}</code>
        </>
      )}
    </div>
  );
}

/** Always dark on white, with a quiet zone: scanners want that. */
export function QrCode({ text }: { text: string }) {
  const { data, size } = encode(text, { ecc: "M", border: 2 });
  const path = data
    .flatMap((row, y) => row.flatMap((isDark, x) => (isDark ? [`M${x} ${y}h1v1h-1z`] : [])))
    .join("");
  return (
    <svg
      class="qr"
      viewBox={`0 0 ${size} ${size}`}
      role="img"
      aria-label={`QR code of ${text}`}
      data-qr={text}
    >
      <rect width={size} height={size} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  );
}
