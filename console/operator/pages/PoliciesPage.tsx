/** Policies. */
export function PoliciesPage() {
  return <div class="page" />;
}
