# Runs one of the steps in steps/ by name: `sh launch/setup/step.sh NAME`. prepare.sh starts each step through this file, in a
# process group of its own; by hand it shows what a step does without a log file in between.
set -eu
CEREBELLUM_ROOT=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P)
. "$CEREBELLUM_ROOT/launch/setup/common.sh"
. "$CEREBELLUM_ROOT/launch/setup/tools.sh"
. "$CEREBELLUM_ROOT/launch/setup/environment.sh"
. "$CEREBELLUM_ROOT/launch/setup/keys.sh"
. "$CEREBELLUM_ROOT/launch/setup/steps/python.sh"
. "$CEREBELLUM_ROOT/launch/setup/steps/stage.sh"
. "$CEREBELLUM_ROOT/launch/setup/steps/$1.sh"

cd "$CEREBELLUM_ROOT"

# Everything that is made aside and moved into place later lies here; the name must have no space, because neither
# make files nor ROS's CMake files bear one.
CEREBELLUM_STAGE=$(mktemp -d "${TMPDIR:-/tmp}/cerebellum-prepare.XXXXXX")
case "$CEREBELLUM_STAGE" in
  *[[:space:]]*)
    rmdir "$CEREBELLUM_STAGE"
    CEREBELLUM_STAGE=$(mktemp -d /tmp/cerebellum-prepare.XXXXXX)
    ;;
esac
trap 'rm -rf "$CEREBELLUM_STAGE"' EXIT
trap 'exit 143' TERM INT HUP

"step_$1"
