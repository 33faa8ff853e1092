/** Drive. */
export function DrivePage() {
  return <div class="page" />;
}
