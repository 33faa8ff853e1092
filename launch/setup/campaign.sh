# Runs a campaign of test/campaigns in the environment that a running cell has: `sh launch/setup/campaign.sh NAME [ARGUMENTS]`.
set -eu
CEREBELLUM_ROOT=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P)
cd "$CEREBELLUM_ROOT"
sh "$CEREBELLUM_ROOT/launch/setup/prepare.sh" run
. "$CEREBELLUM_ROOT/launch/setup/environment.sh"
name=$1
shift
exec node "dist/test/campaigns/$name.js" "$@"
