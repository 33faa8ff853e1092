# Runs tests in the environment that a running cell has: `sh launch/setup/test.sh [STAGE [ARGUMENTS]]`.
# Stages: all (default: lint, unit, system), lint, unit, system, faults, trainer. A failed stage does not keep the next from
# running; the exit code says whether all passed. Results for machines go to .cerebellum/test.
set -eu
CEREBELLUM_ROOT=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P)
cd "$CEREBELLUM_ROOT"
results="$CEREBELLUM_ROOT/.cerebellum/test"
mkdir -p "$results"
stage=${1:-all}
if [ $# -gt 0 ]; then shift; fi
failed=''

# run_stage NAME COMMAND...: notes the exit code beside the results, for countTests.mjs.
run_stage() {
  stage_name=$1
  shift
  stage_code=0
  "$@" || stage_code=$?
  printf '%s\n' "$stage_code" >"$results/$stage_name.code"
  if [ "$stage_code" -ne 0 ]; then failed="$failed $stage_name"; fi
}

lint() {
  node node_modules/@biomejs/biome/bin/biome check . && node node_modules/typescript/bin/tsc --noEmit -p tsconfig.json &&
    node node_modules/typescript/bin/tsc --noEmit -p console/tsconfig.json
}

vitest_project() {
  project=$1
  shift
  rm -f "$results/$project.json"
  # Some unit tests need a process to themselves; some system tests need no quiet.
  case "$project" in
    unit) set -- --project alone "$@" ;;
    system) set -- --project simulated "$@" ;;
  esac
  node node_modules/vitest/vitest.mjs run --project "$project" \
    --reporter=default --reporter=json --outputFile.json="$results/$project.json" "$@"
}

trainer_lint() {
  .trainer/venv/bin/python -m ruff check trainer bridges &&
    .trainer/venv/bin/python -m ruff format --check trainer bridges &&
    (cd trainer && ../.trainer/venv/bin/python -m mypy)
}

trainer_tests() {
  rm -f "$results/trainer.xml"
  # A process for each core, up to four, and no more threads than that: small networks gain nothing by several.
  (cd trainer && OMP_NUM_THREADS=1 ../.trainer/venv/bin/python -m pytest --numprocesses auto --maxprocesses 4 \
    --dist loadfile --junitxml="$results/trainer.xml" "$@")
}

if [ "$stage" = trainer ]; then
  sh "$CEREBELLUM_ROOT/launch/setup/prepare.sh" trainer
  # What is exported is tried in the daemon's own loader; a machine for training alone has none.
  sh "$CEREBELLUM_ROOT/launch/setup/prepare.sh" run || echo "test.sh: no daemon can be built here: exports are not tried in it" >&2
  run_stage trainerLint trainer_lint
  run_stage trainer trainer_tests "$@"
else
  sh "$CEREBELLUM_ROOT/launch/setup/prepare.sh" tests
  . "$CEREBELLUM_ROOT/launch/setup/environment.sh"
  case "$stage" in
    all)
      run_stage lint lint
      run_stage unit vitest_project unit
      run_stage system vitest_project system
      ;;
    lint) run_stage lint lint ;;
    unit | system | faults) run_stage "$stage" vitest_project "$stage" "$@" ;;
    *)
      echo "test.sh: '$stage' is no stage; use all, lint, unit, system, faults or trainer" >&2
      exit 2
      ;;
  esac
fi

if [ -n "$failed" ]; then
  echo "Failed:$failed" >&2
  exit 1
fi
