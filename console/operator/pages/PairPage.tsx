/** What a browser sees that is not paired: the code that the robot's computer shows. */
import { useState } from "preact/hooks";
import type { Refusal } from "../../../core/gateway/server.js";
import { browserPairing } from "../../link/browserPairing.js";
import { type Pairing, pairWithCode } from "../../link/pairing.js";

interface PairPageProps {
  readonly refusal: Refusal | undefined;
  readonly onPaired: (pairing: Extract<Pairing, { kind: "paired" }>) => void;
}

export function PairPage({ refusal: first, onPaired }: PairPageProps) {
  const [refusal, setRefusal] = useState(first);
  const [code, setCode] = useState("");
  const [isAsking, setAsking] = useState(false);
  const pair = async () => {
    setAsking(true);
    const pairing = await pairWithCode(code, browserPairing());
    setAsking(false);
    if (pairing.kind === "paired") onPaired(pairing);
    else if (pairing.kind === "refused") setRefusal(pairing.refusal);
  };
  return (
    <main class="page" style={{ maxWidth: "460px", margin: "8vh auto" }}>
      <form
        class="card"
        onSubmit={(event) => {
          event.preventDefault();
          void pair();
        }}
      >
        <h1>Pair this browser</h1>
        <p class="quiet">
          On the robot's computer run <code>./cerebellum pair</code>, then open the address that it prints, or
          type its code here.
        </p>
        {refusal !== undefined && (
          <p class="why" role="alert">
            {refusal.happened}. <span class="quiet">{refusal.remedy}.</span>
          </p>
        )}
        <label class="field">
          Code
          <input
            class="mono"
            autocomplete="off"
            autocapitalize="characters"
            spellcheck={false}
            value={code}
            onInput={(event) => setCode(event.currentTarget.value)}
          />
        </label>
        <button type="submit" class="button primary wide" disabled={isAsking || code.trim().length < 4}>
          Pair
        </button>
      </form>
    </main>
  );
}
