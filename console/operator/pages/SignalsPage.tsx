/** Signals. */
export function SignalsPage() {
  return <div class="page" />;
}
