# Finds the programs that set-up needs and says what to do where one is missing. Sourced after common.sh.

# Node 20.20 to 24.
check_node() {
  if ! have node; then
    fail "Node.js was not found" "Install Node.js 20.20 to 24 (https://nodejs.org) and see that 'node' is in PATH"
  fi
  node_version=$(node -p 'process.versions.node') || fail "'node' does not run" "Reinstall Node.js 20.20 to 24"
  node_major=${node_version%%.*} node_rest=${node_version#*.}
  node_minor=${node_rest%%.*}
  if [ "$node_major" -lt 20 ] || [ "$node_major" -ge 25 ] ||
    { [ "$node_major" -eq 20 ] && [ "$node_minor" -lt 20 ]; }; then
    fail "Node.js $node_version was found; 20.20 to 24 is needed" "Install a fitting version, for example 22 LTS"
  fi
  if ! have npm; then fail "npm was not found beside node" "Install npm 10 or newer"; fi
}

# Prints the path of a usable Python 3.10 to 3.14, or nothing. It must be able to make environments.
# An environment made before keeps its Python, so a newer one on the machine changes nothing by itself.
find_python() {
  for python_candidate in "${CEREBELLUM_PYTHON:-}" \
    "$(venv_base "$cerebellum_ros2/venv")" "$(venv_base "$cerebellum_ros2/system-venv")" \
    python3 python3.12 python3.13 python3.11 python3.14 python3.10 /usr/bin/python3; do
    if [ -z "$python_candidate" ]; then continue; fi
    if python_found=$("$python_candidate" -c "$PYTHON_PROBE" 2>/dev/null); then
      printf '%s\n' "$python_found"
      return 0
    fi
  done
  return 0
}

PYTHON_PROBE='
import sys, os, sysconfig
if not ((3, 10) <= sys.version_info[:2] <= (3, 14)): sys.exit(1)
import venv, ensurepip
if not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")): sys.exit(1)
print(sys._base_executable)
'

venv_base() {
  if [ -x "$1/bin/python3" ]; then "$1/bin/python3" -c 'import sys; print(sys._base_executable)' 2>/dev/null || :; fi
}

check_python() {
  python_base=$(find_python)
  if [ -z "$python_base" ]; then
    fail "No usable Python was found: 3.10 to 3.14 with venv and the development files (Python.h)" \
      "On Debian or Ubuntu: sudo apt install python3 python3-venv python3-dev; CEREBELLUM_PYTHON=PATH picks one"
  fi
  python_version=$("$python_base" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
}

# A C++17 compiler, tried for real: a driver without its standard library is found out here, not minutes later.
check_compiler() {
  for compiler in "${CXX:-}" c++ g++ clang++; do
    if [ -z "$compiler" ] || ! have "$compiler"; then continue; fi
    if printf '#include <optional>\nint main() { return std::optional<int>(0).value(); }\n' |
      "$compiler" -std=c++17 -fsyntax-only -x c++ - >/dev/null 2>&1; then
      return 0
    fi
  done
  fail "No working C++17 compiler was found" "On Debian or Ubuntu: sudo apt install g++"
}

# The wheels of ROS 2 exist for one kind of machine only.
check_wheels_fit() {
  wheels_machine=$(uname -m) wheels_glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null || :)
  wheels_minor=$(printf '%s' "${wheels_glibc#glibc 2.}" | tr -cd '0-9')
  if [ "$wheels_machine" != x86_64 ] || [ "${wheels_minor:-0}" -lt 28 ]; then
    fail "No ROS 2 wheels exist for this machine ($wheels_machine, ${wheels_glibc:-no glibc}; x86_64 with glibc 2.28 is needed)" \
      "Install ROS 2 (Humble or newer), source its setup.sh, and run this again"
  fi
}

# Free space for what is made here: about 0.6 GB of Node packages and 0.5 GB of ROS.
check_disk() {
  disk_free_kib=$(df -Pk "$CEREBELLUM_ROOT" | awk 'NR == 2 { print $4 }')
  if [ "$disk_free_kib" -lt 2000000 ]; then
    fail "Only $((disk_free_kib / 1024)) MiB are free under $CEREBELLUM_ROOT; 2 GiB are needed" "Free some space"
  fi
}
