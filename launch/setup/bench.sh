# Measures the figures of the README: `sh launch/setup/bench.sh [PART...]`; test/bench/run.ts names the parts.
set -eu
CEREBELLUM_ROOT=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P)
cd "$CEREBELLUM_ROOT"
sh "$CEREBELLUM_ROOT/launch/setup/prepare.sh" run
. "$CEREBELLUM_ROOT/launch/setup/environment.sh"
exec node dist/test/bench/run.js "$@"
