/** Episodes. */
export function EpisodesPage() {
  return <div class="page" />;
}
