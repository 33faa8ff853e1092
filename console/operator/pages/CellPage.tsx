/** Cell. */
export function CellPage() {
  return <div class="page" />;
}
