# Exports what every process that loads ROS needs. Sourced, never run:
#   CEREBELLUM_ROOT=/path/to/cerebellum . launch/setup/environment.sh
# (bash finds the root by itself). What the user has set already is kept. Sourcing it twice changes nothing.

if [ -z "${CEREBELLUM_ROOT:-}" ] && [ -n "${BASH_SOURCE:-}" ]; then
  CEREBELLUM_ROOT=$(CDPATH='' cd -- "$(dirname -- "$BASH_SOURCE")/../.." && pwd)
fi
: "${CEREBELLUM_ROOT:?set CEREBELLUM_ROOT to the root of the repository before sourcing environment.sh}"
export CEREBELLUM_ROOT

# "system": a ROS 2 of this machine that the user has sourced; "wheels": the one that set-up makes in .ros2/venv.
cerebellum_ros_kind() {
  case ":${AMENT_PREFIX_PATH:-}:" in
    "::" | *":$CEREBELLUM_ROOT/.ros2/venv:"*) echo wheels ;;
    *) if [ -n "${ROS_DISTRO:-}" ]; then echo system; else echo wheels; fi ;;
  esac
}

# Puts $2 in front of the colon-separated list $1, once.
cerebellum_prepend() {
  eval "cerebellum_list=\${$1:-}"
  case ":$cerebellum_list:" in
    *":$2:"*) ;;
    *) eval "export $1=\"\$2\${cerebellum_list:+:}\$cerebellum_list\"" ;;
  esac
}

# An environment inherited from another checkout is not a ROS of this machine.
case "${CEREBELLUM_ROS_KIND:-}:${AMENT_PREFIX_PATH:-}:" in
  wheels:*":$CEREBELLUM_ROOT/.ros2/venv:"*) ;;
  wheels:*) AMENT_PREFIX_PATH='' PYTHONPATH='' ;;
esac
CEREBELLUM_ROS_KIND=$(cerebellum_ros_kind)
export CEREBELLUM_ROS_KIND
if [ "$CEREBELLUM_ROS_KIND" = wheels ]; then
  cerebellum_venv="$CEREBELLUM_ROOT/.ros2/venv"
else
  cerebellum_venv="$CEREBELLUM_ROOT/.ros2/system-venv"
fi

if [ "$CEREBELLUM_ROS_KIND" = wheels ]; then
  export ROS_DISTRO=kilted
  # The wheels' start-up hook would otherwise re-execute Python once to set LD_LIBRARY_PATH.
  export _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
  for cerebellum_folder in "$cerebellum_venv"/lib/python3.*/site-packages/ros_*.libs; do
    if [ -d "$cerebellum_folder" ]; then cerebellum_prepend LD_LIBRARY_PATH "$cerebellum_folder"; fi
  done
  cerebellum_prepend LD_LIBRARY_PATH "$cerebellum_venv/lib"
  cerebellum_prepend AMENT_PREFIX_PATH "$cerebellum_venv"
fi
cerebellum_prepend PATH "$cerebellum_venv/bin"
export RMW_IMPLEMENTATION="${RMW_IMPLEMENTATION:-rmw_fastrtps_cpp}"

# The overlay holds our own interface packages (and tf2_msgs where ROS has none).
cerebellum_prepend LD_LIBRARY_PATH "$CEREBELLUM_ROOT/.ros2/overlay/lib"
cerebellum_prepend AMENT_PREFIX_PATH "$CEREBELLUM_ROOT/.ros2/overlay"
for cerebellum_folder in "$CEREBELLUM_ROOT"/.ros2/overlay/lib/python3*/site-packages \
  "$CEREBELLUM_ROOT"/.ros2/overlay/local/lib/python3*/dist-packages; do
  if [ -d "$cerebellum_folder" ]; then cerebellum_prepend PYTHONPATH "$cerebellum_folder"; fi
done

# Without this profile most camera images are lost (see the file).
export FASTDDS_DEFAULT_PROFILES_FILE="${FASTDDS_DEFAULT_PROFILES_FILE:-$CEREBELLUM_ROOT/launch/fastdds.xml}"

# A robot that the whole network can command is the user's decision, not a default.
if [ -z "${ROS_LOCALHOST_ONLY:-}" ]; then
  export ROS_AUTOMATIC_DISCOVERY_RANGE="${ROS_AUTOMATIC_DISCOVERY_RANGE:-LOCALHOST}"
fi
# ROS writes a log file for each process, into HOME unless told; a service may have no HOME.
if [ -z "${ROS_HOME:-}" ]; then export ROS_LOG_DIR="${ROS_LOG_DIR:-$CEREBELLUM_ROOT/.cerebellum/ros-log}"; fi

# Should onnxruntime-node ever be installed with its scripts, it must not fetch GPU libraries.
export ONNXRUNTIME_NODE_INSTALL=skip
unset cerebellum_folder cerebellum_list
