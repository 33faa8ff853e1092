/** Events. */
export function EventsPage() {
  return <div class="page" />;
}
