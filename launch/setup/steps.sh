# Steps that fetch packages or compile TypeScript. Each may be repeated, and writes its stamp last. Sourced by step.sh.

# Node packages from the lock file, without their install scripts: the two with native parts bring them ready, and
# rclnodejs is built by a step of its own. A folder that already holds exactly the locked packages is left alone.
step_packages() {
  if ! node "$cerebellum_setup/packagesMatchLock.mjs"; then
    npm ci --ignore-scripts --no-audit --no-fund --prefer-offline
    node "$cerebellum_setup/packagesMatchLock.mjs"
  fi
  node "$cerebellum_setup/provePackages.mjs"
  write_stamp "$stamp_packages" "$(key_packages)"
}

step_build() {
  build_key=$(key_build)
  node node_modules/typescript/bin/tsc -p tsconfig.json
  write_stamp "$stamp_build" "$build_key"
}

# The Python environment of ROS: with "wheels" it is the ROS prefix itself, beside a sourced ROS it only adds tools.
step_ros() {
  check_python
  ros_begun="$cerebellum_ros2/stamps/ros.begun"
  if [ -e "$ros_begun" ] || ! venv_is_of "$cerebellum_venv" "$python_base"; then rm -rf "$cerebellum_venv"; fi
  rm -f "$stamp_ros"
  mkdir -p "$cerebellum_ros2/stamps"
  : >"$ros_begun"
  if [ "$CEREBELLUM_ROS_KIND" = wheels ]; then
    make_venv "$cerebellum_venv"
    install_into "$cerebellum_venv" --no-deps -r "$cerebellum_setup/requirements-ros.txt"
    patch_wheels "$cerebellum_venv"
  else
    make_venv "$cerebellum_venv" --system-site-packages
  fi
  for tool in cmake ninja; do
    if ! have "$tool"; then
      install_into "$cerebellum_venv" --no-deps "$(grep "^$tool==" "$cerebellum_setup/requirements-buildtools.txt")"
    fi
  done
  rm -f "$ros_begun"
  write_stamp "$stamp_ros" "$(key_ros)"
}

# An environment cannot be moved: its scripts name their folder.
venv_is_of() {
  [ -f "$1/pyvenv.cfg" ] && [ "$(venv_base "$1")" = "$2" ] &&
    grep -qsF "$1/bin" "$1/bin/pip" "$1/bin/activate"
}

make_venv() {
  make_venv_folder=$1
  shift
  if [ ! -x "$make_venv_folder/bin/python3" ]; then "$python_base" -m venv "$@" "$make_venv_folder"; fi
}

# PEP 517 also for the few packages that come as sources: it needs nothing of the machine's Python.
install_into() {
  install_folder=$1
  shift
  "$install_folder/bin/python3" -m pip install --disable-pip-version-check --no-input --no-compile --use-pep517 "$@"
}

# Makes the wheels fit for being a ROS prefix that others load and build against.
patch_wheels() {
  # These three list libraries that want symbols of a Python interpreter, which Node does not have. rclpy has its own.
  for patch_name in rcl rcl_action rcl_lifecycle; do
    patch_library="$1/lib/lib$patch_name.so"
    cp "$patch_library" "$patch_library.new"
    for patch_needed in $("$1/bin/patchelf" --print-needed "$patch_library" | grep '__rosidl_generator_py\.so$'); do
      "$1/bin/patchelf" --remove-needed "$patch_needed" "$patch_library.new"
    done
    mv -f "$patch_library.new" "$patch_library"
  done
  # CMake refuses include folders that do not exist; these are of the machine the wheels were built on.
  for patch_file in "$1"/share/*/cmake/*Export.cmake; do
    sed -i '/INTERFACE_INCLUDE_DIRECTORIES/s#"/opt/python/[^"]*"#""#' "$patch_file"
  done
  # rclnodejs takes the folder of a program called ros2 as the ROS root.
  printf '#!/bin/sh\n%s\necho "ros2: the ROS wheels bring no command line tools" >&2\nexit 1\n' \
    '# Only marks the ROS root for rclnodejs.' >"$1/bin/ros2.new"
  chmod +x "$1/bin/ros2.new"
  mv -f "$1/bin/ros2.new" "$1/bin/ros2"
}

step_tests() {
  rm -f "$stamp_tests"
  install_into "$cerebellum_venv" --no-deps -r "$cerebellum_setup/requirements-test.txt"
  write_stamp "$stamp_tests" "$(key_tests)"
}

# The trainer's environment is large (PyTorch) and separate: neither the daemon nor its tests need it.
step_trainer() {
  check_python
  case "$python_version" in
    3.10) fail "The trainer needs Python 3.11 or newer; $python_base is $python_version" "Install one and name it in CEREBELLUM_PYTHON" ;;
  esac
  trainer_venv="$CEREBELLUM_ROOT/.trainer/venv"
  if [ -d "$trainer_venv" ] && ! venv_is_of "$trainer_venv" "$(venv_base "$trainer_venv")"; then rm -rf "$trainer_venv"; fi
  rm -f "$stamp_trainer"
  make_venv "$trainer_venv"
  install_into "$trainer_venv" -r "$CEREBELLUM_ROOT/trainer/requirements.txt"
  write_stamp "$stamp_trainer" "$(key_trainer)"
}
