/** Calibration. */
export function CalibrationPage() {
  return <div class="page" />;
}
